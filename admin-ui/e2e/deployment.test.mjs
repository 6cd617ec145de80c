// A deployment's own pages, as its monitoring node serves them through the proxy: for whoever has the deployment's
// credentials and no account on the platform, with nothing of the platform in them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, launch, logIn, open, settled, shoot, theme } from './browser.mjs';

const baseURL = process.env.WHARF_UI_DEPLOYMENT_URL;
const name = process.env.WHARF_UI_DEPLOYMENT_NAME;
const username = process.env.WHARF_UI_DEPLOYMENT_USERNAME;
const password = process.env.WHARF_UI_DEPLOYMENT_PASSWORD;
const options = {
  skip:
    baseURL && password ? false : 'WHARF_UI_DEPLOYMENT_URL and _PASSWORD say where it is, and what lets in',
};

const PAGES = ['/discover?index=logs-*', '/discover', '/dashboards', '/services', '/alerts'];
/** What a link may lead to. */
const OWN = /^\/(discover|dashboards|services|alerts)([/?#]|$)|^\/$/;

let browser;
before(async () => {
  if (!options.skip) browser = await launch();
});
after(() => browser?.close());

/** A page of its own that also knows what was asked for. */
async function fresh() {
  const tab = await open(browser, { baseURL });
  // A proxy is between, and what it searches is every host's: long enough for a busy machine.
  tab.page.setDefaultTimeout(60_000);
  const asked = [];
  tab.page.on('request', (request) => asked.push(request.url()));
  return { ...tab, asked };
}

async function entered(path = '/') {
  const tab = await fresh();
  await tab.page.goto(path);
  await logIn(tab.page, username, password);
  await tab.page.locator('.shell').waitFor();
  await settled(tab.page);
  return tab;
}

/** Nothing was asked of the platform, nor of another address. */
function asksItsNodeAlone({ asked }) {
  const wrong = asked.filter(
    (url) => !url.startsWith('data:') && (!url.startsWith(`${baseURL}/`) || url.includes('/wharf.v1.')),
  );
  assert.deepEqual(wrong, [], 'a page of a deployment asks its monitoring node and nobody else');
}

test('the log-in names the deployment and refuses what is not its password', options, async () => {
  const tab = await fresh();
  await tab.page.goto('/dashboards');
  await tab.page.waitForURL('**/login?**');
  await tab.page.getByText(`Log in with user and password of the deployment ${name}.`).waitFor();
  await logIn(tab.page, username, 'certainly-wrong');
  await tab.page.getByText('User or password is wrong.').waitFor();
  assert.deepEqual(await tab.context.cookies(), [], 'a wrong password makes no cookie');
  await logIn(tab.page, username, password);
  await tab.page.getByRole('heading', { name: 'Dashboards', level: 1 }).waitFor();
  const [cookie, ...others] = await tab.context.cookies();
  assert.deepEqual(others, [], 'one cookie is enough');
  assert.match(cookie.name, /^__Host-wharf-/, 'the cookie is bound to this host');
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Strict', 'no script, no other site');
  asksItsNodeAlone(tab);
  clean(tab);
  await tab.context.close();
});

test('its pages are those of its data, and nothing leads to the platform', options, async () => {
  const tab = await entered();
  const { page } = tab;
  assert.equal(new URL(page.url()).pathname, '/discover', 'the first page is that of the logs');
  const menu = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  assert.deepEqual(
    await menu.evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
    PAGES,
    'the menu has the pages of the data and no other',
  );
  await page.locator('.top').getByText(name, { exact: true }).waitFor();
  for (const path of [...PAGES, '/dashboards/logs', '/alerts?tab=watches', '/alerts?tab=history']) {
    await page.goto(path);
    await settled(page);
    const links = await page
      .locator('a[href^="/"]')
      .evaluateAll((all) => all.map((one) => one.getAttribute('href')));
    const astray = links.filter((href) => !OWN.test(href));
    assert.deepEqual(astray, [], `no link of ${path} leads to a page that is not there`);
  }
  for (const path of ['/hosts', '/deployments', '/placement', '/access']) {
    await page.goto(path);
    await page.getByRole('heading', { name: 'There is no such page', level: 1 }).waitFor();
  }
  await page.keyboard.press('Control+k');
  const box = page.getByRole('combobox', { name: 'Search or jump to…' });
  await box.fill('host');
  await page.getByText('Nothing is called like that').waitFor();
  await box.fill('alerts');
  await page.getByRole('option', { name: /^Alerts/ }).click();
  await page.waitForURL('**/alerts');
  asksItsNodeAlone(tab);
  clean(tab);
  await tab.context.close();
});

test('its watches and dashboards are read by the cookie alone', options, async () => {
  const tab = await entered('/alerts?tab=watches');
  await tab.page.getByRole('table').getByRole('link').first().click();
  await tab.page.waitForURL('**/alerts/watches/**');
  await settled(tab.page);
  await tab.page.goto('/dashboards');
  await settled(tab.page);
  const dashboards = tab.page.getByRole('table').getByRole('link');
  assert.ok((await dashboards.count()) > 3, 'the shipped dashboards are there');
  asksItsNodeAlone(tab);
  clean(tab);
  await tab.context.close();
});

test('logged out it shows nothing more', options, async () => {
  const tab = await entered('/services');
  await tab.page.getByRole('button', { name: 'Account menu' }).click();
  assert.equal(
    await tab.page.getByRole('menuitem', { name: 'Change password' }).count(),
    0,
    'the password is the deployment’s, which the platform changes',
  );
  await tab.page.getByRole('menuitem', { name: 'Log out' }).click();
  await tab.page.waitForURL('**/login');
  assert.deepEqual(await tab.context.cookies(), [], 'the cookie is taken away');
  await tab.page.goto('/services');
  await tab.page.waitForURL('**/login?**');
  asksItsNodeAlone(tab);
  clean(tab);
  await tab.context.close();
});

test('the log-in and the first page pass axe in both themes', options, async () => {
  const tab = await fresh();
  const { page } = tab;
  await page.goto('/');
  for (const stage of ['deployment-log-in', 'deployment-logs']) {
    if (stage === 'deployment-logs') await logIn(page, username, password);
    await page.locator(stage === 'deployment-logs' ? '.shell' : 'form').waitFor();
    await settled(page);
    for (const look of ['light', 'dark']) {
      await theme(page, look);
      await hasNoFinding(page, stage, { look });
      await shoot(page, `${stage}-${look}`);
    }
  }
  clean(tab);
  await tab.context.close();
});
