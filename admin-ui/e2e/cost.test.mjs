// What pages take of a browser on a platform with data: processor time to the first page; a dashboard of
// 12 charts with 50 series each over a day of samples; its heap while it is renewed every five seconds.
// The samples are documents, written through the proxy into a deployment and deleted at the end. Figures are
// printed; what is asserted is no time: what is drawn, and by how much the heap grows in WHARF_UI_COST_MINUTES
// (2 when not given; the whole is 30). Run by `node run.mjs cost`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, logIn, open, platform } from './browser.mjs';
import { GROWTH, meterOf, rendererSeconds, show } from './figures.mjs';
import { removeDashboard } from './steps.mjs';

const PANELS = 12;
const SERIES = 50;
/** Samples of each series: one a minute for a day. */
const SAMPLES = 1_440;
const MINUTE = 60_000;
const MINUTES = Number(process.env.WHARF_UI_COST_MINUTES ?? 2);
/** For the storage to sum a day up, with a build that is not for speed on cores that are busy. */
const PATIENCE_MS = 300_000;
/** Documents of one request. */
const AT_ONCE = 4_000;

const {
  WHARF_UI_DEPLOYMENT_URL: monitoring,
  WHARF_UI_DEPLOYMENT_NAME: deployment = 'system',
  WHARF_UI_DEPLOYMENT_USERNAME: username,
  WHARF_UI_DEPLOYMENT_PASSWORD: password,
  WHARF_UI_NAMES: names = '',
} = process.env;
const skip = monitoring ? false : 'WHARF_UI_DEPLOYMENT_URL does not say where documents are written';
const stream = `metrics-${fresh('cost').replace('-', '.')}-default`;
const board = fresh('cost');
const figures = [];
let browser;

/** Asks the deployment's storage, through the proxy. */
function ask(method, path, body) {
  const url = new URL(path, monitoring.replace('-monitor.', '.'));
  // As the browser finds it, whatever the machine's resolver knows.
  const [, ending, address] = /^MAP \*(\S+) (\S+)$/.exec(names) ?? [];
  const lookup = (_, { all }, found) =>
    all ? found(null, [{ address, family: 4 }]) : found(null, address, 4);
  return new Promise((done, failed) => {
    const asked = request(
      url,
      {
        method,
        auth: `${username}:${password}`,
        headers: { 'content-type': 'application/x-ndjson' },
        ...(platform.caFile ? { ca: readFileSync(platform.caFile) } : {}),
        ...(ending && url.hostname.endsWith(ending) ? { lookup } : {}),
      },
      (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode < 300) done(JSON.parse(text));
          else failed(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
        });
      },
    );
    asked.on('error', failed);
    asked.end(body);
  });
}

/** What every series measured at a moment: a figure for each chart. */
function samples(at) {
  return Array.from({ length: SERIES }, (_, one) => {
    const load = {};
    for (let chart = 0; chart < PANELS; chart += 1) {
      load[`m${chart}`] = 10.5 + one + 5 * Math.sin(at / (40 * MINUTE) + one + chart);
    }
    return { '@timestamp': new Date(at).toISOString(), cost: { series: `series-${one}`, load } };
  });
}

async function keep(documents) {
  for (let at = 0; at < documents.length; at += AT_ONCE) {
    const lines = documents
      .slice(at, at + AT_ONCE)
      .map((one) => `{"create":{}}\n${JSON.stringify(one)}\n`)
      .join('');
    const answer = await ask('POST', `/${stream}/_bulk`, lines);
    assert.equal(answer.errors, false, 'every document is taken');
  }
}

/** The page of the dashboard with every chart in sight. */
async function boardIn({ page }) {
  await page.goto(`/dashboards/${board}?in=${deployment}&from=now-24h&to=now&refresh=5`);
  const charts = page.locator('.board .panel canvas');
  await eventually(
    async () => assert.equal(await charts.count(), PANELS, 'every chart is drawn'),
    PATIENCE_MS,
  );
}

before(async () => {
  browser = await launch();
});
after(async () => {
  show(figures);
  await browser?.close();
  if (monitoring) await ask('DELETE', `/_data_stream/${stream}`);
});

test('the first page is there after a log-in', async () => {
  const before = await rendererSeconds(browser);
  const tab = await open(browser);
  const meter = await meterOf(tab);
  const shown = await meter.measured('log-in', () => tab.page.goto('/'));
  figures.push(shown.figures);
  const page = await meter.measured('first page after it', async () => {
    await logIn(tab.page);
    await tab.page.locator('.shell').waitFor();
  });
  figures.push({ ...page.figures, 'renderer CPU s': (await rendererSeconds(browser)) - before });
  const again = await meter.measured('first page again', () => tab.page.goto('/'));
  figures.push(again.figures);
  clean(tab);
  await tab.context.close();
});

test('charts of a day of samples are drawn, and drawn again every five seconds, in memory that stays', {
  skip,
}, async () => {
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  const day = Array.from({ length: SAMPLES }, (_, at) => samples(now - at * MINUTE)).flat();
  await keep(day);
  const { count } = await ask('GET', `/${stream}/_count`);
  assert.equal(count, SERIES * SAMPLES, 'the storage has every sample');

  const tab = await enter(browser, `/dashboards?in=${deployment}`, {
    viewport: { width: 1920, height: 1300 },
  });
  const { page } = tab;
  const panels = Array.from({ length: PANELS }, (_, at) => ({
    id: `p${at}`,
    kind: 'line',
    title: `Load ${at}`,
    at: { x: (at % 3) * 4, y: Math.floor(at / 3) * 5, w: 4, h: 5 },
    index: [stream],
    metrics: [{ of: 'avg', field: `cost.load.m${at}` }],
    split: ['cost.series'],
    size: SERIES,
    period: MINUTE / 1_000,
  }));
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog
    .getByRole('textbox', { name: 'Content of the file' })
    .fill(JSON.stringify({ schema: 1, panels }));
  await dialog.getByLabel('Title').fill('What charts cost');
  await dialog.getByLabel('Name').fill(board);
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await page.waitForURL(`**/dashboards/${board}*`);

  const meter = await meterOf(tab);
  const searches = { answered: 0 };
  page.on('requestfinished', (one) => {
    if (one.url().endsWith('/wharf.monitor.v1.Search/Search')) searches.answered += 1;
  });
  const first = await meter.measured(`${PANELS} charts of ${SERIES} series`, () => boardIn(tab));
  figures.push(first.figures);
  const charts = page.getByRole('figure', { name: /^Load \d+$/ });
  assert.equal(await charts.count(), PANELS, 'each chart is one that can be read');
  assert.equal(await page.getByText('There are more than are shown').count(), 0, 'no series is left out');

  // What is kept for a while is kept by then: answers of the spans before, compiled code.
  const warm = searches.answered + 3 * PANELS;
  await eventually(
    async () =>
      assert.ok(searches.answered >= warm, `the charts are renewed: ${searches.answered} of ${warm}`),
    PATIENCE_MS,
  );
  const begun = { ...(await meter.used()), heap: await meter.heap(), answered: searches.answered };
  const heaps = [begun.heap];
  for (let minute = 0; minute < MINUTES; minute += 1) {
    await new Promise((done) => setTimeout(done, MINUTE));
    // A storage on busy cores may be away for a moment; the page lives on over that.
    await eventually(() => keep(samples(Math.floor(Date.now() / MINUTE) * MINUTE)), PATIENCE_MS);
    heaps.push(await meter.heap());
  }
  const ended = await meter.used();
  const renewals = (searches.answered - begun.answered) / PANELS;
  const mb = (bytes) => Number((bytes / 1e6).toFixed(1));
  figures.push({
    what: `renewed ${renewals.toFixed(1)} times in ${MINUTES} min`,
    ...meter.since(begun, ended),
  });
  // biome-ignore lint/suspicious/noConsole: figures are what this run is for
  console.log(`heap by the minute, MB: ${heaps.map(mb).join(' ')}; nodes ${begun.nodes} → ${ended.nodes}`);
  assert.ok(renewals >= MINUTES, `it was renewed ${renewals} times in ${MINUTES} minutes`);
  const grown = heaps.at(-1) - begun.heap;
  assert.ok(grown <= GROWTH, `the heap grew by ${mb(grown)} MB in ${MINUTES} minutes: ${heaps.map(mb)}`);
  clean(tab);

  await removeDashboard(page);
});
