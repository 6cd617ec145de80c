// Services and what the overview concludes of them, on a platform whose collectors write.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, platform, presses, settled, shoot } from './browser.mjs';

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
  await page.getByLabel('Find by name', { exact: true }).fill('syst');
  await eventually(async () => assert.match(page.url(), /q=syst/, 'what is searched for is in the URL'));
  await eventually(async () => {
    const names = await table().getByRole('row').getByRole('link').allInnerTexts();
    assert.ok(names.includes('system'), 'what was searched for is found');
  });
  await page.getByLabel('Kind', { exact: true }).selectOption({ label: 'Kind: Application' });
  await eventually(async () => assert.match(page.url(), /f\.kind=application/, 'the filter is in the URL'));
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

test('a comparison with the day before is in the URL and in the legend', async () => {
  await page.getByLabel('Compare', { exact: true }).selectOption({ label: 'Compare: a day before' });
  await eventually(async () => assert.match(page.url(), /compare=day/));
  await settled(page);
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

/** The status of an answer of the proxy; the endpoint's name need not be known to this machine. */
function ask(endpoint) {
  const { host, hostname, port } = new URL(endpoint);
  const to = { host: new URL(platform.url).hostname, port, servername: hostname, headers: { host } };
  return new Promise((done) => {
    // Who answers is of no matter here: the directors' certificates are what other tests look at.
    const sent = request(
      { ...to, path: '/orders/_search', rejectUnauthorized: false, timeout: 5_000 },
      (answer) => {
        answer.resume();
        done(answer.statusCode);
      },
    );
    sent.on('error', () => done(0));
    sent.on('timeout', () => sent.destroy());
    sent.end();
  });
}

async function planDone() {
  await page.locator('.title-line .mark', { hasText: /Done|Failed|Cancelled/ }).waitFor({ timeout: 120_000 });
  assert.equal((await page.locator('.title-line .mark').innerText()).trim(), 'Done', 'the plan ends well');
}

/** The page of a deployment of that name, which is made. */
async function makeDeployment(name) {
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Memory of storage').selectOption({ label: '256 MiB' });
  await page.getByRole('button', { name: 'Create deployment' }).click();
  await page.waitForURL('**/plans/*');
  await planDone();
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
}

test('a service that answers errors is a finding of the overview, its page is one press away', async () => {
  const name = fresh('trouble');
  await makeDeployment(name);
  const endpoint = await page
    .getByText(new RegExp(`^https://${name}\\.`))
    .first()
    .innerText();
  // While its storage begins anew nobody is there to answer.
  let failed = 0;
  let asking = true;
  const asked = (async () => {
    while (asking) if ((await ask(endpoint)) >= 500) failed += 1;
  })();
  try {
    await page.getByRole('button', { name: 'Restart' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click();
    await page.waitForURL('**/plans/*');
    await planDone();
  } finally {
    asking = false;
    await asked;
  }
  assert.ok(failed >= 3, `requests are answered with errors during a restart: ${failed}`);

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
    await page.getByRole('figure', { name: title, exact: true }).locator('canvas').waitFor();
  }
  await settled(page);
  await shoot(page, 'service-errors');
  clean(tab);

  await page.goto('/deployments');
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Terminate', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Terminate' }).click();
  await page.waitForURL('**/plans/*');
  await planDone();
});
