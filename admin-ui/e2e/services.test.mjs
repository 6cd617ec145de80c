// Services and what the overview concludes of them, on a platform whose collectors write.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, enter, eventually, fresh, launch, presses, settled, shoot } from './browser.mjs';
import { ask, endpointOf, makeDeployment, showDeployment, terminate } from './steps.mjs';

const { WHARF_UI_WRITE: write } = process.env;
const writing = { skip: write ? false : 'WHARF_UI_WRITE, a program that writes lines, is not given' };

let browser;
let tab;
let page;

before(async () => {
  browser = await launch();
  tab = await enter(browser, '/services');
  page = tab.page;
});
after(() => browser?.close());

const table = () => page.getByRole('table', { name: 'Services' });
const cell = async (row, head) => {
  const heads = await table().getByRole('columnheader').allInnerTexts();
  const at = heads.findIndex((text) => text.replace(/[↑↓↕]/g, '').trim() === head);
  assert.ok(at >= 0, `there is a column ${head} among ${heads.join(', ')}`);
  return row.getByRole('cell').nth(at).innerText();
};

test('the services of the platform are listed with their use and their hosts', async () => {
  await eventually(async () => {
    const row = table()
      .getByRole('row')
      .filter({ has: page.getByRole('link', { name: 'system', exact: true }) });
    assert.equal(await row.count(), 1, 'the system deployment is a service');
    assert.match(await cell(row, 'Memory'), /[MG]iB/, 'its memory is measured');
    assert.notEqual(await cell(row, 'Hosts'), '–', 'its hosts are known');
  });
  clean(tab);
});

test('the server orders and filters services, and the URL says how', async () => {
  await page.goto('/services?sort=memory_bytes+desc');
  await settled(page);
  await eventually(async () => {
    const amounts = await table()
      .getByRole('row')
      .evaluateAll((rows) =>
        rows.slice(1).map((row) => {
          const [, number, unit] = /([\d.,]+) ([KMGT]?i?B)/.exec(row.innerText) ?? [];
          return number
            ? Number(number.replaceAll(',', '')) * 1024 ** ['B', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(unit)
            : 0;
        }),
      );
    assert.ok(amounts.length > 1, 'more than one service is listed');
    assert.deepEqual(
      amounts,
      [...amounts].sort((a, b) => b - a),
      'the one that uses the most comes first',
    );
  });
  const named = () => table().locator('tbody td:first-child').allInnerTexts();
  const all = await named();
  assert.ok(
    all.some((name) => !name.includes('syst')),
    `there is a service to be left out: ${all}`,
  );
  const search = page.getByLabel('Find by name', { exact: true });
  await search.fill('syst');
  await page.waitForURL('**q=syst*');
  await eventually(async () => {
    const names = await named();
    assert.ok(names.includes('system'), `what was searched for is found: ${names}`);
    assert.ok(
      names.every((name) => name.includes('syst')),
      `and nothing else: ${names}`,
    );
  });
  await search.fill('');
  await page.getByLabel('Kind', { exact: true }).selectOption({ label: 'Kind: Application' });
  await page.waitForURL('**f.kind=application*');
  await eventually(async () => {
    const kinds = await table().locator('tbody td:nth-child(2)').allInnerTexts();
    assert.deepEqual([...new Set(kinds)], ['Application'], 'applications alone are listed');
    const names = await named();
    assert.ok(!names.includes('system'), `a deployment is none: ${names}`);
  });
});

test('the page of a service draws lines, processor and memory over time', async () => {
  await page.goto('/services/system?from=now-15m');
  await settled(page);
  for (const title of ['Log lines by level', 'CPU by container', 'Memory by container']) {
    const chart = page.getByRole('figure', { name: title, exact: true });
    await chart.scrollIntoViewIfNeeded();
    await chart.locator('canvas').waitFor();
    const drawn = () =>
      chart.locator('canvas').evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value > 0);
      });
    await eventually(async () => assert.ok(await drawn(), `${title} is drawn`));
  }
  await shoot(page, 'service');
  clean(tab);
});

test('a chart is read by keyboard, as a table, and over a shorter span', async () => {
  const chart = page.getByRole('figure', { name: 'Memory by container', exact: true });
  await chart.scrollIntoViewIfNeeded();
  const plot = chart.getByRole('group');
  await plot.focus();
  // The newest moment may have no value yet: to the one before it.
  await eventually(async () => {
    await page.keyboard.press('ArrowLeft');
    assert.match(await plot.locator('[aria-live]').innerText(), /iB/, 'the values at the cursor are said');
  });
  await page.keyboard.press('Shift+Home');
  await page.keyboard.press('Shift+PageDown');
  await page.keyboard.press('Enter');
  await eventually(async () =>
    assert.match(page.url(), /from=\d{4}-/, 'the span that was marked is in the URL'),
  );
  await settled(page);
  await page.getByRole('button', { name: 'Show a longer span, or the one before the zoom' }).click();
  await eventually(async () => assert.match(page.url(), /from=now-15m/, 'the span before the zoom is back'));
  await settled(page);
  await chart.getByRole('button', { name: /Show as a table/ }).click();
  const rows = chart.getByRole('table').getByRole('row');
  await eventually(async () => assert.ok((await rows.count()) > 5, 'the table has the values'));
  clean(tab);
});

test('the query behind a chart is shown as it can be sent', async () => {
  await page.goto('/services/system?from=now-15m');
  await settled(page);
  const chart = page.getByRole('figure', { name: 'Memory by container', exact: true });
  await chart.getByRole('button', { name: /^Show query/ }).click();
  const text = await page.getByRole('dialog').locator('pre').innerText();
  assert.match(text, /^POST \/metrics-docker\.memory-default\/_search/, 'it says where it is sent');
  assert.match(text, /date_histogram/, 'it is the query of the chart');
  await page.keyboard.press('Escape');
});

test('a comparison with the period before is in the URL and in the legend', async () => {
  await page.goto('/services/system?from=now-1m&to=now');
  await settled(page);
  await page.getByLabel('Compare', { exact: true }).selectOption({ label: 'Compare: the period before' });
  await page.waitForURL('**compare=period*');
  const chart = page.getByRole('figure', { name: 'Memory by container', exact: true });
  await chart.scrollIntoViewIfNeeded();
  // What is here for less than two minutes has nothing before.
  await eventually(async () => {
    const changes = await chart.getByRole('listitem').locator('.quiet').allInnerTexts();
    assert.ok(changes.length > 0, 'the legend says by how much each changed');
    for (const change of changes) assert.match(change, /^[+-]?[\d.,]+%$/);
  }, 90_000);
  clean(tab);
});

test('error lines of an application are on its page and counted in the list', writing, async () => {
  const text = fresh('refused');
  execFileSync(write, [`{"level":"error","message":"${text} by the bank"}`]);
  await page.goto('/services?from=now-15m');
  await page.getByLabel('Find by name', { exact: true }).fill('writer');
  const row = table()
    .getByRole('row')
    .filter({ has: page.getByRole('link', { name: 'writer', exact: true }) });
  await eventually(
    async () => assert.match(await cell(row, 'Error lines'), /^[1-9]/, 'its line is counted'),
    90_000,
  );
  await row.getByRole('link', { name: 'writer', exact: true }).click();
  await page.waitForURL('**/services/writer?*');
  const lines = page.getByRole('table', { name: 'Last error lines' });
  const line = lines.getByRole('row').filter({ hasText: `${text} by the bank` });
  await line.first().waitFor();
  const around = await line.first().getByRole('link', { name: 'Lines around it' }).getAttribute('href');
  assert.match(new URL(around, page.url()).searchParams.get('q'), /^host\.name:".*" AND container\.name:"/);
  clean(tab);
});

test('error lines of a service lead to all of them in Discover', async () => {
  await page.goto('/services/system');
  await settled(page);
  const to = await page.getByRole('link', { name: 'All error lines in Discover' }).getAttribute('href');
  const params = new URL(to, page.url()).searchParams;
  assert.equal(params.get('index'), 'logs-docker.container-default');
  assert.match(
    params.get('q') ?? '',
    /wharf\.deployment\.name:"system".*log\.level/,
    'the query is that of the page',
  );
  assert.equal(params.get('from'), 'now-1h', 'and so is the span');
});

test('every line of a service is on its page, by level, and leads to Discover as it is narrowed', async () => {
  await page.goto('/services/system');
  await settled(page);
  const card = page
    .locator('.card')
    .filter({ has: page.getByRole('heading', { name: 'Log lines', exact: true }) });
  const log = card.getByRole('log', { name: 'Log lines' });
  await log.locator('[data-line]').first().waitFor();
  // Lines out of sight are not laid out: they have a text, and none that is seen.
  const levels = async () => [...new Set(await log.locator('.level').allTextContents())];
  await eventually(async () => {
    const found = await levels();
    assert.ok(
      found.some((level) => level && !/err|crit|fatal|emerg/i.test(level)),
      `lines of other levels than errors are there: ${found}`,
    );
  });
  await log.evaluate((one) => one.scrollIntoView({ block: 'end' }));
  assert.equal(
    await page.evaluate(() => document.documentElement.scrollTop),
    0,
    'the page scrolls below its head, which stays',
  );
  await card.getByLabel('Level', { exact: true }).selectOption('warn');
  await page.waitForURL('**level=warn*');
  await eventually(async () => {
    const mild = (await levels()).filter((level) => /info|debug|trace/i.test(level));
    assert.deepEqual(mild, [], 'milder lines are gone');
  });
  await eventually(async () => {
    const to = await card.getByRole('link', { name: 'Open in Discover' }).getAttribute('href');
    const params = new URL(to, page.url()).searchParams;
    assert.match(params.get('q') ?? '', /wharf\.deployment\.name:"system" AND log\.level:\(.*warn/);
    assert.equal(params.get('from'), 'now-1h', 'with the span of the page');
  });
  await hasNoFinding(page, 'lines of a service');
  clean(tab);
});

test('a service that answers errors is a finding of the overview, its page is one press away', async () => {
  const name = fresh('trouble');
  await makeDeployment(page, name);
  const endpoint = await endpointOf(page, name);
  // While no request is led to its storage there is nobody to answer.
  await page.getByRole('button', { name: 'storage-0' }).first().click();
  await page.getByRole('button', { name: 'Stop routing' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop routing' }).click();
  await page.getByText('routing stopped').first().waitFor();
  await eventually(async () =>
    assert.ok((await ask(endpoint)) >= 500, 'a request is answered with an error'),
  );
  for (let more = 0; more < 5; more += 1) assert.ok((await ask(endpoint)) >= 500, 'and so is each after it');
  await page.getByRole('button', { name: 'Start routing' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Start routing' }).click();
  await page.getByText('routing stopped').first().waitFor({ state: 'detached' });
  clean(tab);

  await page.goto('/');
  const finding = page.locator('.findings li').filter({ hasText: name }).filter({ hasText: 'with errors' });
  // Lines are collected, and the overview asks twice a minute.
  await finding.waitFor({ timeout: 90_000 });
  assert.match(
    await finding.innerText(),
    /although nothing is wrong with where it runs/,
    'its host is healthy',
  );
  await shoot(page, 'overview-service-errors');
  const press = presses();
  await press.on(finding.getByRole('link', { name: 'Show the service' }));
  const requests = page.getByRole('table', { name: 'Last requests that were answered with an error' });
  await requests.getByText('/orders/_search').first().waitFor();
  assert.equal(press.count, 1, 'its page is one press from the overview');
  for (const title of ['Requests', 'Answered with errors', 'Latency']) {
    const chart = page.getByRole('figure', { name: title, exact: true });
    await chart.scrollIntoViewIfNeeded();
    // The span of time that has not ended yet is not drawn, and the page renews itself twice a minute.
    await chart.locator('canvas').waitFor({ timeout: 90_000 });
  }
  await settled(page);
  await shoot(page, 'service-errors');
  clean(tab);

  await showDeployment(page, name);
  await terminate(page);
});
