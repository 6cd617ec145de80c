// The pages on a platform with thousands of hosts, as `scripts/many-hosts --serve SECONDS` brings one up:
// what they take of the browser is printed; what they show, ask for and draw is asserted. Run by
// `node run.mjs many`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, launch, settled, shoot } from './browser.mjs';
import { bounded, GROWTH, meterOf, show } from './figures.mjs';

const HOSTS = 'Hosts of the platform';
const CONTAINERS = 'Containers of every host';
const GROUPS = 'Groups of containers';
/** Rows of the largest page. */
const MOST = 1_000;
/** Bytes of its answer. */
const LARGEST = { most: 2 * 1024 * 1024 };
/** Rows that are drawn of it at most: those in sight and some around them. */
const DRAWN = 150;
/** How long a page is looked at that nobody touches. */
const REST_MS = Number(process.env.WHARF_UI_REST_MS ?? 30_000);

let browser;
let tab;
let page;
let meter;
const figures = [];

async function measured(name, does, bounds) {
  const taken = await meter.measured(name, does);
  figures.push(taken.figures);
  bounded(taken, bounds);
  return taken;
}

const table = (name) => page.getByRole('table', { name });
const drawn = (name) => table(name).locator('tbody tr[data-row]');
const column = (name, at) => drawn(name).locator(`td:nth-child(${at})`).allInnerTexts();
async function total() {
  return Number((await page.locator('.total').first().innerText()).replace(/\D/g, ''));
}
/** The list as it is once the server has answered for the order or filter that was chosen. */
async function answered(method, what) {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith(`/${method}`)),
    what(),
  ]);
  await answer.finished();
  await page.locator('.list[aria-busy="true"]').first().waitFor({ state: 'detached' });
}
/** Presses the head of a column: the server orders. */
async function orderedBy(name, head, method) {
  const sort = table(name).getByRole('button', { name: head }).first();
  await answered(method, () => sort.click());
  const ordered = table(name).getByRole('columnheader', { name: head }).first();
  await eventually(async () =>
    assert.match((await ordered.getAttribute('aria-sort')) ?? '', /ascending|descending/),
  );
}

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
  meter = await meterOf(tab);
});
after(async () => {
  show(figures);
  await browser?.close();
});

test('the overview sums up every host and not only those of one page', async () => {
  await measured('overview', () => page.goto('/'), { calls: 30 });
  await shoot(page, 'many-overview');
  await measured('hosts', () => page.goto('/hosts'));
  const hosts = await total();
  assert.ok(hosts > MOST, `there are more hosts than a page has: ${hosts}`);
  await page.goto('/');
  await settled(page);
  await eventually(async () => {
    const zones = await table('Memory by zone').locator('tbody td:nth-child(2)').allInnerTexts();
    const counted = zones.reduce((sum, text) => sum + Number(text.replace(/\D/g, '')), 0);
    assert.equal(counted, hosts, `the zones have every host: ${zones}`);
  });
  clean(tab);
});

test('hosts are ordered by the server, and of the largest page only what is in sight is drawn', async () => {
  await measured('hosts, largest page', () => page.goto('/hosts?size=1000'), LARGEST);
  assert.equal(await table(HOSTS).getAttribute('aria-rowcount'), `${MOST + 1}`, 'the largest page is full');
  const rows = await drawn(HOSTS).count();
  assert.ok(rows > 0 && rows <= DRAWN, `${rows} of ${MOST} rows are drawn`);
  const hosts = await total();
  const order = (head) => () => orderedBy(HOSTS, head, 'ListAllocators');
  for (const head of ['CPU', 'Instances', 'Host']) {
    await measured(`largest page of ${hosts} hosts by ${head}`, order(head), LARGEST);
  }
  const names = await column(HOSTS, 1);
  assert.deepEqual(names, [...names].sort(), 'hosts are in the order of their names');
  await measured(
    'hosts, next page',
    () => answered('ListAllocators', () => page.getByRole('button', { name: 'Next page' }).click()),
    LARGEST,
  );
  const [next] = await column(HOSTS, 1);
  assert.ok(!names.includes(next), `the next page begins with another host than the first: ${next}`);
  clean(tab);
});

test('a page of hosts ordered by another column shows the first of all and not of the page before', async () => {
  await page.goto('/hosts');
  await settled(page);
  const heads = await table(HOSTS).getByRole('columnheader').allInnerTexts();
  const at = heads.findIndex((head) => head.startsWith('Containers')) + 1;
  await measured('hosts by containers', () => orderedBy(HOSTS, 'Containers', 'ListAllocators'));
  const counts = (await column(HOSTS, at)).map((text) => Number(text.replace(/\D/g, '')));
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => b - a),
    'the fullest come first',
  );
  assert.ok(counts[0] > 20, `hosts are not equally full: ${counts[0]}`);
  clean(tab);
});

test('a host is found among thousands by a few letters of its name', async () => {
  await measured('hosts, found by name', () =>
    answered('ListAllocators', async () => {
      await page.goto('/hosts');
      await page.getByLabel('Find by host name').fill('17');
      await page.waitForURL('**q=17*');
    }),
  );
  await eventually(async () => {
    const names = await column(HOSTS, 1);
    assert.ok(names.length > 0 && names.every((name) => name.includes('17')), `found by name: ${names}`);
  });
  clean(tab);
});

test('a host to move to is found by its name, and not all of them are fetched for it', async () => {
  await page.goto('/deployments/team-000');
  await settled(page);
  await page.getByRole('button', { name: 'storage-0' }).first().click();
  await page.getByRole('button', { name: 'Move', exact: true }).click();
  const dialog = page.getByRole('dialog');
  const to = dialog.getByRole('combobox', { name: 'To' });
  const offered = dialog.getByRole('option');
  const small = { times: 4, most: 64 * 1024 };
  await measured(
    'hosts offered',
    async () => {
      await to.click();
      await eventually(async () => assert.ok((await offered.count()) > 1, 'hosts are offered'));
    },
    small,
  );
  assert.ok((await offered.count()) <= 21, 'some hosts are offered and not all');
  await dialog.getByText(/more: write more of the name/).waitFor();
  await measured('hosts offered by name', () => to.fill('17'), small);
  await eventually(async () => {
    const names = await offered.allInnerTexts();
    assert.ok(names.length > 1 && names.every((name) => name.includes('17')), `offered: ${names}`);
  });
  await to.press('ArrowDown');
  const chosen = (await offered.nth(1).innerText()).split(/\s/)[0];
  await to.press('Enter');
  await eventually(async () => assert.equal(await to.inputValue(), chosen, 'the second is chosen'));
  await to.click();
  await to.press('Escape');
  assert.equal(await dialog.count(), 1, 'Escape closes the list and not the dialog');
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  clean(tab);
});

test('containers come a page at a time, ordered, grouped and found by the server', async () => {
  await measured('containers', () => page.goto('/containers'));
  assert.ok((await total()) > 10 * MOST, `there are many more containers than a page has: ${await total()}`);
  await measured('containers by CPU', () => orderedBy(CONTAINERS, 'CPU', 'ListContainers'));
  await measured('containers, largest page', () => page.goto('/containers?size=1000'), LARGEST);
  const rows = await drawn(CONTAINERS).count();
  assert.ok(rows > 0 && rows <= DRAWN, `${rows} of ${MOST} rows are drawn`);
  const all = await total();
  const sum = () => page.getByRole('region', { name: 'All that match' }).innerText();
  const counted = async () => Number(/\/ ([\d,]+)/.exec(await sum())?.[1]?.replaceAll(',', ''));
  const ofAll = () =>
    eventually(async () => assert.equal(await counted(), all, 'the sum is that of all pages'));
  await ofAll();
  await measured(
    'containers by host, largest page',
    () => page.goto('/containers?group=host&size=1000'),
    LARGEST,
  );
  const grouped = await table(GROUPS).locator('tbody tr').count();
  assert.ok(grouped > 0 && grouped <= DRAWN, `${grouped} groups are drawn of the largest page`);
  await ofAll();
  await measured('containers by application', () => page.goto('/containers?group=application'));
  const uses = (await column(GROUPS, 4)).map((text) => Number(text.replace(/\D/g, '')));
  assert.ok(uses.length > 0 && uses.every((one) => one > 0), `every group has containers: ${uses}`);
  const [largest] = await drawn(GROUPS).first().getByRole('button').allInnerTexts();
  await measured('containers of the group that uses the most', () =>
    answered('ListContainers', () => drawn(GROUPS).first().getByRole('button').click()),
  );
  await page
    .getByRole('table', { name: `Containers of ${largest}` })
    .locator('tbody tr')
    .first()
    .waitFor();
  await measured('containers, found by name', () => page.goto('/containers?q=till&f.state=running'));
  await shoot(page, 'many-containers');
  clean(tab);
});

test('deployments, plans and changes come a page at a time', async () => {
  for (const [name, path] of [
    ['deployments', '/deployments'],
    ['plans', '/plans'],
    ['changes', '/changes?what=all'],
    ['control plane', '/control-plane'],
  ]) {
    await measured(name, () => page.goto(path));
    const rows = await page.locator('tbody tr').count();
    assert.ok(rows <= 2 * DRAWN, `${name} draws ${rows} rows`);
  }
  clean(tab);
});

test('a page that nobody touches costs little and keeps what it has', async () => {
  await page.goto('/hosts');
  await settled(page);
  const [heap, before] = [await meter.heap(), await meter.used()];
  await new Promise((done) => setTimeout(done, REST_MS));
  const now = await meter.used();
  const grown = (await meter.heap()) - heap;
  const share = ((now.task - before.task) / REST_MS) * 100;
  figures.push({
    what: `hosts at rest for ${REST_MS / 1_000} s: ${share.toFixed(1)} % of a core`,
    ...meter.since(before, now),
  });
  assert.ok(grown <= GROWTH, `the heap grew by ${grown} bytes in ${REST_MS} ms`);
  clean(tab);
});
