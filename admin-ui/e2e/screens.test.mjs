// Every route in both themes: no finding of axe, no breach of the content security policy, nothing on
// the console, and a picture of it where pictures are asked for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { clean, enter, launch, open, settled, shoot, still, theme } from './browser.mjs';

const THEMES = ['light', 'dark'];

let browser;
let tab;
let page;
// The page of one, whatever it is called here.
const one =
  (path, table, more = '') =>
  async () => {
    await page.goto(path);
    await settled(page);
    const link = page.getByRole('table', { name: table }).getByRole('link').first();
    return new URL(await link.getAttribute('href'), page.url()).pathname + more;
  };

// The newest line of a container, opened.
async function document() {
  const path = '/discover?index=logs-docker.container-default';
  await page.goto(path);
  await settled(page);
  const row = page.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]').first();
  return `${path}&doc=${encodeURIComponent(await row.getAttribute('data-document'))}`;
}

const routes = [
  ['overview', '/'],
  ['hosts', '/hosts'],
  ['host', one('/hosts', 'Hosts of the platform')],
  ['host-containers', one('/hosts', 'Hosts of the platform', '?tab=containers')],
  ['host-processes', one('/hosts', 'Hosts of the platform', '?tab=processes')],
  ['host-network', one('/hosts', 'Hosts of the platform', '?tab=network')],
  ['host-logs', one('/hosts', 'Hosts of the platform', '?tab=logs&source=containers')],
  ['host-plans', one('/hosts', 'Hosts of the platform', '?tab=plans')],
  ['containers', '/containers'],
  ['containers-by-deployment', '/containers?group=deployment'],
  ['container', one('/containers', 'Containers of every host')],
  ['container-logs', one('/containers', 'Containers of every host', '?tab=logs')],
  ['container-changes', one('/containers', 'Containers of every host', '?tab=changes')],
  ['control-plane', '/control-plane'],
  ['changes', '/changes?what=all'],
  ['deployments', '/deployments'],
  ['deployment', one('/deployments', 'Deployments')],
  ['deployment-new', '/deployments/create'],
  ['logs', '/discover?index=logs-*'],
  ['discover', '/discover?index=logs-*,metrics-*'],
  ['discover-document', document],
  ['services', '/services'],
  ['service', '/services/system'],
  ['alerts', '/alerts?recovered=1'],
  ['alerts-watches', '/alerts?tab=watches'],
  ['alerts-history', '/alerts?tab=history'],
  ['alerts-channels', '/alerts?tab=channels'],
  ['watch', '/alerts/watches/host-memory'],
  ['watch-new', '/alerts/create-watch'],
  ['placement', '/placement'],
  ['placement-table', '/placement?as=table&colour=cpu'],
  ['plans', '/plans'],
  ['plan', one('/plans?f.status=done&f.kind=create', 'Plans')],
  ['dashboards', '/dashboards'],
  ['dashboard-docker-overview', '/dashboards/docker-overview'],
  ['dashboard-host', '/dashboards/host'],
  ['dashboard-logs', '/dashboards/logs'],
  ['access-users', '/access'],
  ['access-tokens', '/access?tab=tokens'],
  ['access-sessions', '/access?tab=sessions'],
  ['access-password', '/access?tab=password'],
  ['settings', '/settings'],
  ['about', '/about'],
  ['no-such-page', '/no/such/page'],
];

async function checked(name) {
  await still(page);
  const found = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(
    found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(' ')}`),
    [],
    `axe finds nothing on ${name}`,
  );
}

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

for (const [name, path] of routes) {
  test(`${name} passes axe in both themes and writes nothing to the console`, async () => {
    await page.goto(typeof path === 'string' ? path : await path());
    await settled(page);
    for (const look of THEMES) {
      await theme(page, look);
      await checked(`${name} (${look})`);
      await shoot(page, `${name}-${look}`);
    }
    clean(tab);
  });
}

for (const look of THEMES) {
  test(`dialogs pass axe in the ${look} theme`, async () => {
    await theme(page, look);
    await page.goto('/deployments');
    await settled(page);
    await page.keyboard.press('Control+k');
    await page.getByRole('option').first().waitFor();
    await checked(`the palette (${look})`);
    await shoot(page, `palette-${look}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Show API request' }).click();
    await page.getByRole('dialog').locator('pre').waitFor();
    await checked(`the API request (${look})`);
    await shoot(page, `api-request-${look}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Account menu' }).click();
    await page.getByRole('menuitem', { name: 'Log out' }).waitFor();
    await checked(`the account menu (${look})`);
    await page.keyboard.press('Escape');
    clean(tab);
  });

  test(`the log-in page passes axe in the ${look} theme`, async () => {
    const other = await open(browser, { colorScheme: look });
    const mine = page;
    page = other.page;
    await page.goto('/login');
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await checked(`log-in (${look})`);
    await shoot(page, `login-${look}`);
    clean(other);
    page = mine;
    await other.context.close();
  });
}

test('a phone shows every screen without sideways scrolling of the page', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, path] of routes) {
    await page.goto(typeof path === 'string' ? path : await path());
    await settled(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${name} is ${wide} px wider than a phone`);
    if (name === 'overview') await shoot(page, 'phone');
  }
});
