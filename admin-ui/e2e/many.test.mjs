// The pages on a platform with thousands of hosts, as `scripts/many-hosts --serve SECONDS` brings one up:
// what they take of the browser is printed, what they show is asserted. Run by `node run.mjs many`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, launch, settled, shoot } from './browser.mjs';

const HOSTS = 'Hosts of the platform';
const CONTAINERS = 'Containers of every host';
/** Rows of the largest page. */
const MOST = 1_000;
/** How long a page is looked at that nobody touches. */
const REST_MS = Number(process.env.WHARF_UI_REST_MS ?? 30_000);

let browser;
let tab;
let page;
let profiler;
const figures = [];

async function used() {
  const { metrics } = await profiler.send('Performance.getMetrics');
  const of = (name) => metrics.find((one) => one.name === name)?.value ?? 0;
  return {
    task: of('TaskDuration') * 1_000,
    script: of('ScriptDuration') * 1_000,
    layout: (of('LayoutDuration') + of('RecalcStyleDuration')) * 1_000,
    heap: of('JSHeapUsedSize') / 1024 / 1024,
    nodes: of('Nodes'),
  };
}

/** Does something and notes what it took of the browser until everything is there. */
async function measured(name, what) {
  const before = await used();
  const began = performance.now();
  const requests = [];
  const note = (request) => requests.push(new URL(request.url()).pathname.split('/').pop());
  page.on('request', note);
  await what();
  await settled(page);
  page.off('request', note);
  const now = await used();
  figures.push({
    what: name,
    'wall ms': Math.round(performance.now() - began),
    'task ms': Math.round(now.task - before.task),
    'script ms': Math.round(now.script - before.script),
    'layout ms': Math.round(now.layout - before.layout),
    'heap MiB': Number(now.heap.toFixed(1)),
    nodes: now.nodes,
    requests: requests.length,
  });
}

const table = (name) => page.getByRole('table', { name });
const rows = (name) => table(name).locator('tbody tr[data-row]');
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

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
  profiler = await tab.context.newCDPSession(page);
  await profiler.send('Performance.enable');
});
after(async () => {
  // biome-ignore lint/suspicious/noConsole: figures are what this run is for
  console.table(figures);
  await browser?.close();
});

test('the overview sums up every host and not only those of one page', async () => {
  await measured('overview', () => page.goto('/'));
  await shoot(page, 'many-overview');
  await page.goto('/hosts');
  await settled(page);
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

test('hosts are sorted by the server, the largest page stays usable', async () => {
  await measured('hosts, 100', () => page.goto('/hosts'));
  await measured('hosts, 1,000', () => page.goto('/hosts?size=1000'));
  assert.equal(await rows(HOSTS).count(), MOST, 'the largest page is full');
  for (const head of ['CPU', 'Instances', 'Host']) {
    await measured(`1,000 of ${await total()} hosts by ${head}`, () =>
      answered('ListAllocators', () =>
        table(HOSTS).getByRole('button', { name: head, exact: false }).first().click(),
      ),
    );
  }
  await measured('hosts, next page', () =>
    answered('ListAllocators', () => page.getByRole('button', { name: 'Next page' }).click()),
  );
  await measured('hosts, found by name', () =>
    answered('ListAllocators', async () => {
      await page.goto('/hosts');
      await page.getByLabel('Find by host name').fill('17');
      await page.waitForURL('**q=17*');
    }),
  );
  const names = await rows(HOSTS).locator('td:first-child').allInnerTexts();
  assert.ok(names.length > 0 && names.every((name) => name.includes('17')), `found by name: ${names}`);
  clean(tab);
});

test('containers come a page at a time, sorted, grouped and found by the server', async () => {
  await measured('containers, 100', () => page.goto('/containers'));
  assert.ok((await total()) > 10 * MOST, `there are many more containers than a page has: ${await total()}`);
  await measured('containers by CPU', () =>
    answered('ListContainers', () => table(CONTAINERS).getByRole('button', { name: 'CPU' }).first().click()),
  );
  await measured('containers by application', () => page.goto('/containers?group=application'));
  await measured('containers, 1,000', () => page.goto('/containers?size=1000'));
  await measured('containers, found by name', async () => {
    await page.goto('/containers?q=till&f.state=running');
    await settled(page);
  });
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
    assert.ok((await page.locator('tbody tr').count()) <= MOST, `${name} shows no more than a page`);
  }
  clean(tab);
});

test('a page that nobody touches costs little and keeps what it has', async () => {
  await page.goto('/hosts');
  await settled(page);
  const collect = async () => {
    await profiler.send('HeapProfiler.collectGarbage');
    return used();
  };
  const before = await collect();
  await new Promise((done) => setTimeout(done, REST_MS));
  const now = await collect();
  const share = ((now.task - before.task) / REST_MS) * 100;
  // biome-ignore lint/suspicious/noConsole: figures are what this run is for
  console.log(
    `at rest for ${REST_MS / 1_000} s on hosts: ${share.toFixed(1)} % of a core, heap ${before.heap.toFixed(1)} → ${now.heap.toFixed(1)} MiB`,
  );
  clean(tab);
});
