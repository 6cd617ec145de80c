// Every route and what opens over it, in every theme: no finding of axe, no breach of the content security
// policy, nothing on the console, and a picture of it where pictures are asked for. One deployment is in
// trouble, for that is when pages are looked at. Two tabs share the work: each waits most of its time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, enter, eventually, launch, open, settled, shoot, still, theme } from './browser.mjs';
import { containerNamed, docker, makeDeployment, needsHosts } from './steps.mjs';

const THEMES = ['light', 'dark', 'contrast'];
/** Pictures are of these. */
const SHOWN = ['light', 'dark'];

/** As many tests run at a time. */
const TABS = { concurrency: 2 };

let browser;
/** Those that no test has now. */
const idle = [];

/** Does it in a tab that no other test has meanwhile, and nothing is written to its console. */
async function inTab(does) {
  const tab = idle.pop();
  tab.faults.length = 0;
  try {
    await does(tab.page);
    clean(tab);
  } finally {
    idle.push(tab);
  }
}

async function go(page, path) {
  await page.goto(typeof path === 'string' ? path : await path(page));
  await settled(page);
}

// The page of one, whatever it is called here.
const one =
  (path, table, more = '') =>
  async (page) => {
    await go(page, path);
    const link = page.getByRole('table', { name: table }).getByRole('link').first();
    return new URL(await link.getAttribute('href'), page.url()).pathname + more;
  };

// The newest line of a container, opened.
async function document(page) {
  const path = '/discover?index=logs-docker.container-default';
  await go(page, path);
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
  ['containers-by-deployment', '/containers?group=deployment&open=system'],
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
  ['vacates', '/plans?tab=vacates'],
  ['plan', one('/plans?f.status=done&f.kind=create', 'Plans')],
  ['dashboards', '/dashboards'],
  ['dashboard-docker-overview', '/dashboards/docker-overview'],
  ['dashboard-host', '/dashboards/host'],
  ['dashboard-versions', '/dashboards/host/versions?version=shipped'],
  ['dashboards-deleted', '/dashboards?show=deleted'],
  ['dashboard-logs', '/dashboards/logs'],
  ['access-users', '/access'],
  ['access-tokens', '/access?tab=tokens'],
  ['access-sessions', '/access?tab=sessions'],
  ['access-password', '/access?tab=password'],
  ['settings', '/settings'],
  ['settings-retention', '/settings?tab=retention'],
  ['about', '/about'],
  ['no-such-page', '/no/such/page'],
];

/** Checked, and kept as a picture. */
async function seen(page, name, look) {
  await hasNoFinding(page, name, { look });
  if (SHOWN.includes(look)) await shoot(page, `${name}-${look}`);
}

/** A phone shows it without sideways scrolling of the page. */
async function fitsPhone(page, name) {
  const size = page.viewportSize();
  await theme(page, 'light');
  await page.setViewportSize({ width: 390, height: 844 });
  try {
    await still(page);
    await eventually(async () => {
      const wide = await page.evaluate(async () => {
        // What watches its own size draws itself anew in the frame after.
        for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
        return document.documentElement.scrollWidth - window.innerWidth;
      });
      assert.ok(wide <= 0, `${name} is ${wide} px wider than a phone`);
    }, 5_000);
    if (name === 'overview') await shoot(page, 'phone');
  } finally {
    await page.setViewportSize(size);
  }
}

const TROUBLED = /\bbilling[^/]*-storage-0$/;
/** Longer than a start may take: so long nothing is said of one that does not answer. */
const SOON = 150_000;
let stopped;

/** Its storage was killed once, and answers nobody now. */
async function trouble(tab) {
  const { page } = tab;
  if (!containerNamed(TROUBLED, { none: true })) await makeDeployment(page, 'billing');
  const killed = containerNamed(TROUBLED);
  docker(killed.host, 'kill', killed.name);
  const again = await eventually(() => containerNamed(TROUBLED), SOON);
  docker(again.host, 'kill', '-s', 'STOP', again.name);
  stopped = again;
  await page.goto('/');
  const finding = page.locator('.findings li').filter({ hasText: /`billing.*works with less/ });
  await finding.first().waitFor({ timeout: SOON });
  tab.faults.length = 0;
}

before(async () => {
  browser = await launch();
  for (let more = 0; more < TABS.concurrency; more += 1) idle.push(await enter(browser));
  if (!needsHosts(1)) await trouble(idle[0]);
});
after(async () => {
  if (stopped) docker(stopped.host, 'kill', '-s', 'CONT', stopped.name);
  await browser?.close();
});

describe('every route', TABS, () => {
  for (const [name, path] of routes) {
    test(`${name} passes axe in every theme, fits a phone and writes nothing to the console`, () =>
      inTab(async (page) => {
        await go(page, path);
        for (const look of THEMES) {
          await theme(page, look);
          await seen(page, name, look);
        }
        await fitsPhone(page, name);
      }));
  }
});

const press = (page, name) => page.getByRole('button', { name, exact: true }).first().click();
const dialog = (page) => page.getByRole('dialog');

/** What opens over a page: its name, the page, how it is opened. */
const overlays = [
  [
    'palette',
    '/deployments',
    async (page) => {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Search or jump to…' }).fill('restart');
      await page
        .getByRole('option', { name: /^Restart: / })
        .first()
        .waitFor();
    },
  ],
  [
    'keys',
    '/deployments',
    async (page) => {
      await press(page, 'Keyboard shortcuts');
      await dialog(page).getByText('Single-letter keys').waitFor();
    },
  ],
  [
    'api-request',
    '/deployments',
    async (page) => {
      await press(page, 'Show API request');
      await dialog(page).locator('pre').waitFor();
    },
  ],
  [
    'account-menu',
    '/deployments',
    async (page) => {
      await press(page, 'Account menu');
      await page.getByRole('menuitem', { name: 'Log out' }).waitFor();
    },
  ],
  [
    'deployment-menu',
    '/deployments/system',
    async (page) => {
      await press(page, 'More');
      await page.getByRole('menuitem', { name: 'Delete' }).waitFor();
    },
  ],
  [
    'deployment-resize',
    '/deployments/system',
    async (page) => {
      await press(page, 'Resize');
      await dialog(page).getByLabel('Memory of storage').waitFor();
    },
  ],
  [
    'deployment-restart',
    '/deployments/system',
    async (page) => {
      await press(page, 'Restart');
      await dialog(page).getByTestId('preview').waitFor();
    },
  ],
  [
    'deployment-snapshots',
    '/deployments/system?do=snapshots',
    async (page) => {
      await dialog(page).getByLabel('Minutes between two snapshots').waitFor();
      await settled(page);
    },
  ],
  [
    'host-vacate',
    one('/hosts?sort=instances+desc', 'Hosts of the platform'),
    async (page) => {
      await press(page, 'Vacate');
      await dialog(page).getByRole('table', { name: 'What would move' }).waitFor();
      // A host that answers is not: this is refused, and the dialog says so.
      await dialog(page).getByLabel('The host is down for good').check();
      await dialog(page)
        .getByLabel(/^Type .* to confirm$/)
        .waitFor();
      await settled(page);
    },
  ],
  [
    'user-create',
    '/access',
    async (page) => {
      await press(page, 'Create user');
      await dialog(page).getByLabel('New password').waitFor();
    },
  ],
  [
    'token-create',
    '/access?tab=tokens',
    async (page) => {
      await press(page, 'Create token');
      await dialog(page).getByLabel('What it is for').waitFor();
    },
  ],
  [
    'setting-edit',
    '/settings?q=placement.move_budget',
    async (page) => {
      await press(page, 'Edit placement.move_budget');
      await dialog(page).getByLabel('Value').waitFor();
    },
  ],
  [
    'watch-menu',
    '/alerts?tab=watches',
    async (page) => {
      await press(page, 'Actions for disk-full');
      await page.getByRole('menuitem', { name: /Delete/ }).waitFor();
    },
  ],
  [
    'run-of-a-watch',
    '/alerts?tab=history',
    async (page) => {
      await page.getByRole('table', { name: 'Runs of watches' }).locator('tbody button').first().click();
      await page.getByRole('region', { name: 'Run of a watch' }).waitFor();
    },
  ],
  [
    'channel-create',
    '/alerts?tab=channels',
    async (page) => {
      await press(page, 'Create channel');
      await dialog(page).getByLabel('Address').waitFor();
    },
  ],
  [
    'dashboard-create',
    '/dashboards',
    async (page) => {
      await press(page, 'New dashboard');
      await dialog(page).getByLabel('Title').waitFor();
    },
  ],
  [
    'query',
    '/services/system',
    async (page) => {
      await page.getByRole('button', { name: 'Show query', exact: false }).first().click();
      await dialog(page).locator('pre').waitFor();
    },
  ],
  [
    'saved-views',
    '/discover?index=logs-*',
    async (page) => {
      await page.getByRole('button', { name: /^Saved views/ }).click();
      await page.getByRole('button', { name: 'Save as…' }).waitFor();
    },
  ],
];

describe('what opens over a page', TABS, () => {
  for (const [name, path, show] of overlays) {
    test(`${name} passes axe in every theme while it is open`, () =>
      inTab(async (page) => {
        await go(page, path);
        await show(page);
        for (const look of THEMES) {
          await theme(page, look);
          await hasNoFinding(page, name, { look });
          if (look === 'light') await shoot(page, name);
        }
      }));
  }
});

for (const look of THEMES) {
  test(`the log-in page passes axe in the ${look} theme`, async () => {
    const other = await open(browser, look === 'contrast' ? { contrast: 'more' } : { colorScheme: look });
    const { page } = other;
    await page.goto('/login');
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    const high = await page.evaluate(() =>
      document.documentElement.classList.contains('pf-v6-theme-high-contrast'),
    );
    assert.equal(high, look === 'contrast', 'who asks the system for more contrast has it at once');
    await seen(page, 'login', look);
    clean(other);
    await other.context.close();
  });
}

test('high contrast is chosen in the menu and by the palette, and kept by the browser', () =>
  inTab(async (page) => {
    const has = () =>
      page.evaluate(() => document.documentElement.classList.contains('pf-v6-theme-high-contrast'));
    await page.evaluate(() => localStorage.removeItem('wharf.theme'));
    await go(page, '/hosts');
    assert.equal(await has(), false, 'it is not there unasked');
    await press(page, 'Account menu');
    await page.getByRole('menuitem', { name: 'High contrast' }).click();
    assert.equal(await has(), true, 'the menu turns it on');
    await page.reload();
    await settled(page);
    assert.equal(await has(), true, 'a reload keeps it');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search or jump to…' }).fill('theme');
    await page.getByRole('option', { name: /^Theme: As the system/ }).click();
    assert.equal(await has(), false, 'the palette turns it off');
  }));

test('colours that the system forces leave everything to be seen', async () => {
  const other = await enter(browser, '/', { forcedColors: 'active', colorScheme: 'dark' });
  const bars = other.page.locator('.bar > span').first();
  await bars.waitFor({ state: 'attached' });
  const colours = await bars.evaluate((bar) => [
    getComputedStyle(bar).backgroundColor,
    getComputedStyle(bar.parentElement).backgroundColor,
  ]);
  assert.notEqual(colours[0], colours[1], 'a bar is told from its track');
  const here = other.page.locator('.side a[aria-current="page"]');
  const outline = await here.evaluate((link) => getComputedStyle(link).outlineStyle);
  assert.equal(outline, 'solid', 'the entry of the page that is shown has an edge');
  await shoot(other.page, 'overview-forced-colours');
  clean(other);
  await other.context.close();
});
