// Where zones are: said under Placement and in a panel, taken away again, and shown on a map of a dashboard,
// which is gone through by keys and told as a table.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, enter, eventually, fresh, launch, settled, shoot, theme } from './browser.mjs';

let browser;
let tab;
let page;
let zone;
const board = fresh('map');

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

const button = (word, of = page) => of.getByRole('button', { name: word, exact: true });
const rows = () => page.getByRole('table', { name: 'Zones', exact: true }).locator('tbody tr');
const rowOf = (name) => rows().filter({ has: page.getByRole('link', { name, exact: true }) });
const latitude = () => page.getByRole('dialog').getByLabel(/^Latitude/);
const longitude = () => page.getByRole('dialog').getByLabel(/^Longitude/);
const panel = () => page.getByRole('region', { name: 'CPU by zone', exact: true });

async function go(path) {
  await page.goto(path);
  await settled(page);
}

async function open(name) {
  await rowOf(name)
    .getByRole('button', { name: `Set the location of ${name}` })
    .click();
  await page
    .getByRole('dialog')
    .getByRole('heading', { name: `Location of ${name}` })
    .waitFor();
  await page.getByRole('dialog').locator('svg[data-drawn]').waitFor();
}

async function closed() {
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

/** As a platform is that has never heard of places. */
async function forgetAll() {
  await go('/placement#zones');
  await rows().first().waitFor();
  const names = await rows().locator('td:first-child').allInnerTexts();
  for (const name of names) {
    if ((await rowOf(name).getByText('not given').count()) > 0) continue;
    await open(name);
    await button('Take the location away', page.getByRole('dialog')).click();
    await closed();
    await rowOf(name).getByText('not given').waitFor();
  }
  return names;
}

test('a link to the zones leads to them', async () => {
  [zone] = await forgetAll();
  await go('/placement#zones');
  await rowOf(zone).waitFor();
  await eventually(async () => {
    const box = await rowOf(zone).boundingBox();
    assert.ok(box.y > 0 && box.y < 900, `the zones are in sight: ${JSON.stringify(box)}`);
  });
  clean(tab);
});

test('a place is chosen by a press on the map, and beside the earth there is none', async () => {
  await open(zone);
  const save = button('Set location', page.getByRole('dialog'));
  assert.match((await save.getAttribute('data-why-not')) ?? '', /latitude/, 'nothing is chosen yet');
  const map = page.getByRole('dialog').locator('svg[data-drawn]');
  const { width, height } = await map.boundingBox();
  await map.click({ position: { x: 2, y: 2 } });
  assert.equal(await latitude().inputValue(), '', 'the corner is no place on the earth');
  await map.click({ position: { x: width * 0.75, y: height * 0.4 } });
  const [north, east] = [Number(await latitude().inputValue()), Number(await longitude().inputValue())];
  assert.ok(north > 10 && north < 60, `the press was on the northern half: ${north}`);
  assert.ok(east > 40 && east < 150, `and on the eastern one: ${east}`);
  assert.equal(await save.getAttribute('data-why-not'), null, 'it can be saved now');
  await shoot(page, 'zone-location-light');
  for (const look of ['light', 'dark']) {
    await theme(page, look);
    await hasNoFinding(page, 'the dialog', { part: '[role=dialog]', look });
  }
  await theme(page, 'light');
  await latitude().fill('90.5');
  assert.match((await save.getAttribute('data-why-not')) ?? '', /-90 to 90/, 'it says what is wrong');
  await button('Close', page.getByRole('dialog')).last().click();
  await closed();
  await rowOf(zone).getByText('not given').waitFor();
  clean(tab);
});

test('degrees that are pasted together fill both fields, Enter saves, a reload keeps it', async () => {
  await open(zone);
  await latitude().fill('-33.8688, 151.2093');
  assert.equal(await latitude().inputValue(), '-33.8688');
  assert.equal(await longitude().inputValue(), '151.2093');
  await page
    .getByRole('dialog')
    .getByLabel(/^Place/)
    .fill('Sydney');
  await page.keyboard.press('Enter');
  await closed();
  await rowOf(zone).getByText('Sydney (-33.8688, 151.2093)').waitFor();
  await page.reload();
  await rowOf(zone).getByText('Sydney (-33.8688, 151.2093)').waitFor();
  clean(tab);
});

test('who changes a location that somebody else changed meanwhile is told', async () => {
  const other = await enter(browser, '/placement');
  await open(zone);
  await other.page.getByRole('button', { name: `Set the location of ${zone}` }).click();
  const dialog = other.page.getByRole('dialog');
  await dialog.getByLabel(/^Place/).fill('Newcastle');
  await dialog.getByRole('button', { name: 'Set location', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  clean(other);
  await other.context.close();
  await page
    .getByRole('dialog')
    .getByLabel(/^Place/)
    .fill('Wollongong');
  await button('Set location', page.getByRole('dialog')).click();
  await page.getByRole('dialog').locator('.refused').getByText('DIR0007').waitFor();
  await button('Close', page.getByRole('dialog')).last().click();
  await rowOf(zone).getByText('Newcastle (-33.8688, 151.2093)').waitFor();
  clean(tab);
});

test('a map on a dashboard names the zones that have no location, and gives them one', async () => {
  const names = await forgetAll();
  await go('/dashboards');
  await button('New dashboard').click();
  const making = page.getByRole('dialog');
  await making.getByLabel('Title').fill('Map of zones');
  await making.getByLabel('Name').fill(board);
  await button('Create', making).click();
  await page.waitForURL(`**/dashboards/${board}*`);
  // Looked at and not edited, a chart is saved at once.
  await go(`/dashboards/${board}`);
  await button('Add chart').first().click();
  const editor = page.getByRole('dialog');
  await editor.getByLabel('Kind of chart').selectOption({ label: 'World map of zones' });
  await editor.getByLabel('Field').first().fill('system.cpu.total.norm.pct');
  await eventually(async () => {
    assert.equal(await editor.getByLabel('Unit').inputValue(), 'percent', 'the unit follows from the field');
    assert.equal(await editor.getByLabel('Kind of chart').inputValue(), 'map', 'the kind stays as chosen');
  });
  await editor.getByLabel('Title').fill('CPU by zone');
  await editor.locator('svg[data-drawn]').waitFor();
  await button('Save', editor).click();
  await editor.waitFor({ state: 'detached' });

  await panel().getByText('Not on the map, because nobody has said where they are:').waitFor();
  for (const name of names) await button(`Set the location of ${name}`, panel()).waitFor();
  await button(`Set the location of ${zone}`, panel()).click();
  await latitude().fill('37.5665, 126.978');
  await page
    .getByRole('dialog')
    .getByLabel(/^Place/)
    .fill('Seoul');
  await page.keyboard.press('Enter');
  await closed();
  await panel()
    .getByRole('link', { name: new RegExp(`^${zone} \\(Seoul\\) · hosts: \\d+`) })
    .waitFor();
  assert.equal(
    await button(`Set the location of ${zone}`, panel()).count(),
    0,
    'it is no longer among those that have none',
  );
  clean(tab);
});

test('its circles are gone through by keys and lead to the hosts of their zone', async () => {
  await go(`/dashboards/${board}`);
  const circle = panel().getByRole('link', { name: new RegExp(`^${zone} \\(Seoul\\)`) });
  const told = await circle.getAttribute('aria-label');
  assert.match(told, /\d %$/, `it says its value: ${told}`);
  const [whole, before] = [
    await panel().locator('svg[data-drawn]').boundingBox(),
    await circle.boundingBox(),
  ];
  const right = (before.x + before.width / 2 - whole.x) / whole.width;
  assert.ok(right > 0.6 && right < 0.95, `Seoul is in the east of the map: ${right}`);
  await button('Around the zones', panel()).click();
  await eventually(async () => {
    const near = await circle.boundingBox();
    const middle = (near.x + near.width / 2 - whole.x) / whole.width;
    assert.ok(middle > 0.45 && middle < 0.55, `alone it is in the middle of what is near: ${middle}`);
  });
  await circle.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === '/hosts' && url.searchParams.get('f.zone') === zone);
  clean(tab);
});

test('its table says the same, and axe finds nothing in any theme', async () => {
  await go(`/dashboards/${board}`);
  await panel().locator('svg[data-drawn]').waitFor();
  for (const look of ['light', 'dark', 'contrast']) {
    await theme(page, look);
    await hasNoFinding(page, 'the map', { look });
    await shoot(page, `dashboard-map-${look}`);
  }
  await theme(page, 'light');
  await panel().hover();
  await button('Show as a table: CPU by zone', panel()).click();
  const table = panel().getByRole('table', { name: 'Table of CPU by zone' });
  await table
    .locator('tbody tr')
    .filter({ hasText: zone })
    .filter({ hasText: 'Seoul (37.5665, 126.978)' })
    .filter({ hasText: '%' })
    .waitFor();
  await hasNoFinding(page, 'the table');
  clean(tab);
});

test('the earth is drawn without asking anybody but the platform', async () => {
  const asked = [];
  const note = (request) => asked.push(new URL(request.url()).origin);
  page.on('request', note);
  await go(`/dashboards/${board}`);
  await panel().locator('svg[data-drawn]').waitFor();
  page.off('request', note);
  assert.ok(asked.length > 0, 'the page was fetched');
  assert.deepEqual([...new Set(asked)], [new URL(page.url()).origin]);
  clean(tab);
});

test('what was made is taken away', async () => {
  await go(`/dashboards/${board}`);
  await button('More actions').click();
  await page.getByRole('menuitem', { name: 'Delete dashboard' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/^Type .* to confirm$/).fill(board);
  await button('Delete dashboard', dialog).click();
  await page.waitForURL((url) => url.pathname === '/dashboards');
  await forgetAll();
  clean(tab);
});
