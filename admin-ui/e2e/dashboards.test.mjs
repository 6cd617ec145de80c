// Dashboards on what the platform's own collectors write. A name that the tests take is fresh, and what
// they make they delete.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, presses, settled } from './browser.mjs';
import { GROWTH, meterOf } from './figures.mjs';
import { removeDashboard } from './steps.mjs';

let browser;
let tab;
let page;
const name = fresh('board');

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

const panel = (title, of = page) => of.getByRole('region', { name: title, exact: true });
const button = (word, of = page) => of.getByRole('button', { name: word, exact: true });
const param = (key) => new URL(page.url()).searchParams.get(key);

async function go(path) {
  await page.goto(path);
  await settled(page);
}

/** Until the panel shows something that was measured. */
async function drawn(title) {
  const one = panel(title);
  await one.scrollIntoViewIfNeeded();
  await one
    .locator('canvas, table tbody tr, .figure-value strong, [data-drawn]')
    .first()
    .waitFor({ state: 'attached' });
}

async function place(title) {
  const box = await page
    .locator('[data-panel]')
    .filter({ has: panel(title) })
    .boundingBox();
  assert.ok(box, `${title} has a place`);
  return box;
}

async function placed(title, right) {
  await eventually(async () => {
    const box = await place(title);
    assert.ok(right(box), `${title} stands elsewhere: ${JSON.stringify(box)}`);
  });
}

test('what is shipped is listed, ordered and found by the server', async () => {
  await go('/dashboards?f.origin=shipped');
  const rows = page.getByRole('table', { name: 'Dashboards of the deployment' }).locator('tbody tr');
  await eventually(async () => {
    const titles = await rows.locator('td:first-child').allInnerTexts();
    assert.deepEqual(titles.map((title) => title.trim()).sort(), [
      'Container',
      'Docker overview',
      'Host',
      'Logs',
      'Platform',
      'Storage',
    ]);
  });
  await page.getByLabel('Find by title').fill('dock');
  await page.waitForURL('**q=dock*');
  await eventually(async () => assert.equal(await rows.count(), 1, 'one is called so'));
  clean(tab);
});

// What tells of trouble, which a platform need not have.
const MAY_BE_EMPTY = {
  'docker-overview': ['What happened'],
};

for (const [shipped, title] of [
  ['docker-overview', 'Docker overview'],
  ['host', 'Host'],
  ['container', 'Container'],
  ['logs', 'Logs'],
  ['storage', 'Storage'],
  ['platform', 'Platform'],
]) {
  test(`${title}: every panel is drawn or says why it has nothing`, async () => {
    await go(`/dashboards/${shipped}`);
    await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    const panels = page.locator('.board .panel');
    await panels.first().waitFor();
    const count = await panels.count();
    const empty = [];
    for (let at = 0; at < count; at += 1) {
      const one = panels.nth(at);
      await one.scrollIntoViewIfNeeded();
      const shown = one.locator('canvas, table tbody tr, .figure-value strong, .empty').first();
      await shown.waitFor({ state: 'attached' });
      assert.equal(await one.locator('.refused').count(), 0, `a search of ${title} is refused`);
      if ((await one.locator('.empty').count()) > 0) empty.push(await one.getAttribute('aria-label'));
    }
    assert.equal(await page.locator('.board .refused').count(), 0, `a search of ${title} is refused`);
    const unexpected = empty.filter((one) => !(MAY_BE_EMPTY[shipped] ?? []).includes(one));
    assert.deepEqual(unexpected, [], `panels of ${title} that have no data`);
    clean(tab);
  });
}

test('a shipped one is copied to be changed', async () => {
  await go('/dashboards/host');
  const add = button('Add chart');
  assert.match(
    (await add.getAttribute('data-why-not')) ?? '',
    /shipped/,
    'the button says why it does nothing',
  );
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  const dialog = page.getByRole('dialog');
  const copy = fresh('copy');
  await dialog.getByLabel('Title').fill('A copy of Host');
  await dialog.getByLabel('Name').fill(copy);
  await button('Create', dialog).click();
  await page.waitForURL(`**/dashboards/${copy}*`);
  await page.getByRole('heading', { level: 1, name: 'A copy of Host' }).waitFor();
  await panel('CPU by host').waitFor();
  await removeDashboard(page);
  clean(tab);
});

test('a dashboard is made, and a chart of a field added to it in four presses', async () => {
  await go('/dashboards');
  await button('New dashboard').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Title').fill(`Board ${name}`);
  await dialog.getByLabel('Name').fill(name);
  await button('Create', dialog).click();
  await page.waitForURL(`**/dashboards/${name}*`);
  await page.getByText('There is no chart on this dashboard yet').waitFor();

  const press = presses();
  await go('/');
  await press.on(page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Dashboards' }));
  await press.on(page.getByRole('link', { name: `Board ${name}` }));
  await press.on(button('Add chart').first());
  const editor = page.getByRole('dialog');
  const field = editor.getByLabel('Field').first();
  await field.fill('docker.cpu.total.pct');
  await eventually(async () => {
    assert.equal(await editor.getByLabel('Unit').inputValue(), 'percent', 'the unit follows from the field');
    assert.equal(
      await editor.getByLabel('Data stream').inputValue(),
      'metrics-docker.cpu-*',
      'the stream is the one that has the field',
    );
  });
  // Escape leaves the cursor of the chart and not the editor.
  const preview = editor.locator('.preview');
  const plot = preview.getByRole('group', { name: /Arrow keys/ });
  await plot.locator('canvas').first().waitFor({ state: 'attached' });
  await plot.focus();
  await page.keyboard.press('ArrowLeft');
  await preview.locator('.chart-time').waitFor({ state: 'attached' });
  await page.keyboard.press('Escape');
  await preview.locator('.chart-time').waitFor({ state: 'detached' });
  await press.on(button('Save', editor));
  await editor.waitFor({ state: 'detached' });
  await drawn('docker.cpu.total.pct');
  assert.equal(press.count, 4, 'presses from the first page to the chart');
  await page.reload();
  await settled(page);
  await drawn('docker.cpu.total.pct');
  clean(tab);
});

test('panels are moved and resized by mouse, by keys and by their menu, and stay so', async () => {
  await go(`/dashboards/${name}`);
  await button('Edit').click();
  await button('Add chart').click();
  const editor = page.getByRole('dialog');
  await editor.getByLabel('Kind of chart').selectOption('Text');
  await editor.getByLabel('Text (Markdown)').fill('# Notes\n\n- **one** <b>tag</b>\n- [hosts](/hosts)');
  await editor.getByLabel('Title').fill('Notes');
  await button('Apply', editor).click();
  await panel('Notes').getByRole('link', { name: 'hosts' }).waitFor();
  assert.equal(await panel('Notes').locator('b').count(), 0, 'a tag is text');

  const board = await page.locator('.board').boundingBox();
  const right = (await place('Notes')).x > board.x + board.width / 3;
  assert.ok(right, 'the new panel stands where there was room: to the right');
  const handle = button('Move Notes');
  await handle.focus();
  for (let step = 0; step < 6; step += 1) await page.keyboard.press('ArrowLeft');
  await placed('Notes', (box) => box.x < board.x + 10);
  await page.getByText(/^Notes: column 1, row 1,/).waitFor({ state: 'attached' });
  await page.keyboard.press('Shift+ArrowRight');
  const wider = await place('Notes');
  await button('What can be done with Notes').click();
  await page.getByRole('menuitem', { name: 'Narrower' }).click();
  await placed('Notes', (box) => box.width < wider.width - 20);

  const grip = await handle.boundingBox();
  await page.mouse.move(grip.x + 8, grip.y + 8);
  await page.mouse.down();
  await page.mouse.move(grip.x + 8 + board.width / 2, grip.y + 60, { steps: 8 });
  await page.mouse.up();
  await placed('Notes', (box) => box.x > board.x + board.width / 3);
  const before = await place('Notes');
  await page.mouse.move(before.x + before.width - 6, before.y + before.height - 6);
  await page.mouse.down();
  await page.mouse.move(before.x + before.width - 6, before.y + before.height + 90, { steps: 6 });
  await page.mouse.up();
  await placed('Notes', (box) => box.height > before.height + 60);

  const tall = await place('Notes');
  await button('Save').click();
  await button('Edit').waitFor();
  await page.reload();
  await settled(page);
  await placed('Notes', (box) => Math.abs(box.height - tall.height) < 2 && Math.abs(box.x - tall.x) < 2);
  clean(tab);
});

test('a draft outlives its page, and who saves over another is told and sees both', async () => {
  await go(`/dashboards/${name}?edit=1`);
  await button('What can be done with Notes').click();
  await page.getByRole('menuitem', { name: 'Remove from the dashboard' }).click();
  await panel('Notes').waitFor({ state: 'detached' });
  await go('/hosts');
  await go(`/dashboards/${name}`);
  await page.getByText(/^.*You have changes of .* that are not saved/).waitFor();
  await panel('Notes').waitFor();
  await button('Continue').click();
  await panel('Notes').waitFor({ state: 'detached' });

  const other = await enter(browser, `/dashboards/${name}`);
  await button('Add chart', other.page).click();
  const editor = other.page.getByRole('dialog');
  await editor.getByLabel('Field').first().fill('docker.memory.usage.total');
  await eventually(async () => assert.equal(await editor.getByLabel('Unit').inputValue(), 'bytes'));
  await button('Save', editor).click();
  // It closes once it is saved; the chart is shown in it, too.
  await editor.waitFor({ state: 'detached' });
  await panel('docker.memory.usage.total', other.page).waitFor();
  clean(other);
  await other.context.close();

  await button('Save').click();
  const conflict = page.getByRole('dialog');
  await conflict.getByRole('heading', { name: 'Somebody else has saved this dashboard meanwhile' }).waitFor();
  await eventually(async () => {
    const told = await conflict.locator('.differences li').allInnerTexts();
    assert.deepEqual(told.sort(), ['Removed: Notes', 'Removed: docker.memory.usage.total'].sort());
  });
  await button('Take the saved one', conflict).click();
  await panel('docker.memory.usage.total').waitFor();
  await panel('Notes').waitFor();
  clean(tab);
});

test('a variable narrows every panel and is in the URL', async () => {
  await go('/dashboards/docker-overview');
  await drawn('CPU by container');
  const variable = page.getByLabel('Host', { exact: true });
  await eventually(async () =>
    assert.ok((await variable.locator('option').count()) > 1, 'hosts to choose from'),
  );
  const host = await variable.locator('option').nth(1).getAttribute('value');
  const asked = page.waitForRequest(
    (request) =>
      request.url().endsWith('/Search') && (request.postData() ?? '').includes(`"host.name":"${host}"`),
  );
  await variable.selectOption(host);
  await asked;
  assert.equal(param('v.host'), host, 'the choice is in the URL');
  const searched = [];
  const note = (request) => {
    const body = request.url().endsWith('/Search') ? (request.postData() ?? '') : '';
    // The drop-down itself asks for all hosts.
    if (body.includes('"aggs"') && !body.includes('"values":{"terms"')) searched.push(body);
  };
  page.on('request', note);
  await page.reload();
  await settled(page);
  assert.equal(
    await page.getByLabel('Host', { exact: true }).inputValue(),
    host,
    'a reload keeps the choice',
  );
  const panels = page.locator('.board .panel');
  const count = await panels.count();
  for (let at = 0; at < count; at += 1) {
    await panels.nth(at).scrollIntoViewIfNeeded();
    await settled(page);
  }
  page.off('request', note);
  assert.ok(searched.length >= count, `each of ${count} panels searched: ${searched.length} searches`);
  for (const body of searched) {
    assert.ok(body.includes(`"host.name":"${host}"`), `a search is not of the chosen host: ${body}`);
  }
  clean(tab);
});

test('what is out of sight does not search', async () => {
  await page.setViewportSize({ width: 1280, height: 500 });
  const searched = [];
  const note = (request) => {
    if (request.url().endsWith('/Search')) searched.push(request.postData() ?? '');
  };
  page.on('request', note);
  await go('/dashboards/platform');
  await drawn('Deployments');
  assert.ok(
    !searched.some((body) => body.includes('wharf_collectors_spool_bytes')),
    'the spool is far below and was not asked for',
  );
  await panel('Spool of the collectors').scrollIntoViewIfNeeded();
  await eventually(async () =>
    assert.ok(
      searched.some((body) => body.includes('wharf_collectors_spool_bytes')),
      'now it is',
    ),
  );
  page.off('request', note);
  await page.setViewportSize({ width: 1440, height: 900 });
  clean(tab);
});

test('keys go through a heat map, which tells what was before, and mark a span that is shown then', async () => {
  // So short that there was something before on a platform that is young.
  await go('/dashboards/logs?from=now-2m&to=now&refresh=0&compare=period');
  await drawn('Who writes when');
  const heat = panel('Who writes when').getByRole('group', { name: /^Who writes when\. Arrow keys/ });
  await heat.locator('[data-drawn]').waitFor({ state: 'attached' });
  const told = () => heat.locator('[aria-live]').innerText();
  await heat.focus();
  await page.keyboard.press('End');
  const last = await told();
  assert.match(last, /\d/, 'the newest cell of the first row is said');
  await page.keyboard.press('ArrowLeft');
  await eventually(async () => assert.notEqual(await told(), last, 'the one before it is another'));
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await eventually(async () => assert.match(await told(), /before \d/, 'a cell tells what was before'));
  await page.keyboard.press('Escape');
  await eventually(async () => assert.equal(await told(), '', 'Escape leaves'));

  await button('Show as a table: Who writes when').click();
  await panel('Who writes when')
    .getByText(/^before \d/)
    .first()
    .waitFor();
  await button('Show as a chart: Who writes when').click();

  await heat.locator('[data-drawn]').waitFor({ state: 'attached' });
  await heat.focus();
  await page.keyboard.press('Home');
  for (let more = 0; more < 9; more += 1) await page.keyboard.press('Shift+ArrowRight');
  await heat.locator('.echart-span').waitFor();
  await page.keyboard.press('Enter');
  const span = () => Date.parse(param('to')) - Date.parse(param('from'));
  await eventually(() => assert.ok(span() > 0 && span() <= 30_000, `what was marked is shown: ${span()} ms`));
  clean(tab);
});

test('a span of a heat map is drawn over to be shown, and a double click goes back', async () => {
  await go('/dashboards/logs?from=now-1h&to=now&refresh=0');
  await drawn('Who writes when');
  const heat = panel('Who writes when').locator('[data-drawn]');
  await heat.waitFor();
  await heat.scrollIntoViewIfNeeded();
  const box = await heat.boundingBox();
  const y = box.y + box.height / 3;
  // Pressed here and lifted elsewhere: nothing is drawn by a pointer without a button.
  await page.mouse.move(box.x + box.width * 0.9, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y - 60, { steps: 4 });
  await page.mouse.up();
  await page.mouse.move(box.x + box.width * 0.9, y);
  await page.mouse.move(box.x + box.width * 0.98, y, { steps: 6 });
  assert.equal(await page.locator('.echart-span').count(), 0, 'no span is drawn without a button');
  // A platform that was just made has written nothing earlier.
  await page.mouse.move(box.x + box.width * 0.9, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.98, y, { steps: 6 });
  await page.locator('.echart-span').waitFor();
  await page.mouse.up();
  await eventually(() => {
    const span = Date.parse(param('to')) - Date.parse(param('from'));
    assert.ok(span > 0 && span < 30 * 60_000, `less than half an hour is shown: ${span} ms`);
  });
  // The URL is there before the page of it.
  await page.getByRole('button', { name: 'Last hour', exact: true }).waitFor({ state: 'detached' });
  await settled(page);
  await drawn('Who writes when');
  await heat.dblclick({ position: { x: box.width * 0.6, y: box.height / 3 } });
  await eventually(() => assert.equal(param('from'), 'now-1h', 'what was shown before is shown again'));
  clean(tab);
});

test('keys go round a pie and tell the share of each piece', async () => {
  await go('/dashboards/logs');
  await drawn('Lines by host');
  const pie = panel('Lines by host').getByRole('group', { name: /^Lines by host\. Arrow keys/ });
  await pie.focus();
  await page.keyboard.press('ArrowRight');
  await eventually(async () =>
    assert.match(await pie.locator('[aria-live]').innerText(), /: [\d,]+, [\d.]+%$/),
  );
  await page.keyboard.press('Tab');
  await eventually(async () =>
    assert.equal(await pie.locator('[aria-live]').innerText(), '', 'who goes on leaves the cursor behind'),
  );
  clean(tab);
});

test('a panel tells its query, and leads to its documents', async () => {
  await go('/dashboards/logs');
  await drawn('Lines by level');
  const menu = button('What can be done with Lines by level');
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Show query' }).click();
  await page.getByRole('dialog').getByText('log.level').first().waitFor();
  await page.keyboard.press('Escape');
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Show the documents' }).click();
  await page.waitForURL('**/discover?**index=logs-docker.container-*');
  clean(tab);
});

test('a dashboard leaves as JSON and comes back from it; a file with a fault is told where', async () => {
  await go(`/dashboards/${name}`);
  await button('More actions').click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: 'Download as JSON' }).click(),
  ]);
  const text = readFileSync(await download.path(), 'utf8');
  assert.equal(JSON.parse(text).title, `Board ${name}`, 'the file says its title');
  await go('/dashboards');
  await button('Import').click();
  const dialog = page.getByRole('dialog');
  const content = dialog.getByRole('textbox', { name: 'Content of the file' });
  await content.fill(text.replace('"kind": "line"', '"kind": "lime"'));
  await dialog.getByText('panels[0].kind').waitFor();
  await content.fill(text);
  await dialog.getByLabel('Name').fill(`${name}-again`);
  await button('Create', dialog).click();
  await page.waitForURL(`**/dashboards/${name}-again*`);
  await drawn('docker.cpu.total.pct');
  await removeDashboard(page);
  clean(tab);
});

test('a dashboard is deleted once its name is typed', async () => {
  await go(`/dashboards/${name}`);
  await panel('Notes').waitFor();
  await removeDashboard(page);
  await page.getByRole('table', { name: 'Dashboards of the deployment' }).waitFor();
  assert.equal(
    await page.getByRole('link', { name: `Board ${name}` }).count(),
    0,
    'it is gone from the list',
  );
  clean(tab);
});

/** How often the heavy dashboard is renewed while its heap is looked at: the short form of `cost`'s half hour. */
const RENEWALS = 8;

/** A message of one text field (1) as gRPC-web sends it, with the end of the call. */
function framed(text) {
  const body = Buffer.from(text);
  const length = [];
  for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest > 127 ? (rest % 128) + 128 : rest);
    if (rest <= 127) break;
  }
  const message = Buffer.concat([Buffer.from([10, ...length]), body]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const trailer = Buffer.from('grpc-status: 0\r\n');
  const end = Buffer.alloc(5);
  end[0] = 128;
  end.writeUInt32BE(trailer.length, 1);
  return Buffer.concat([head, message, end, trailer]);
}

// The storage answers at most 65,535 buckets, and one panel of these has 72,000: so that much comes from
// here. Everything from the answer's bytes to the pixels is the page's own work.
test('what 12 panels of 50 series of 1,440 points cost is measured, and their heap stays', async () => {
  const series = 50;
  const points = 1_440;
  const heavy = fresh('heavy');
  // What two panels ask alike is asked once: each has a metric of its own.
  const metric = (at) => ({
    of: ['avg', 'min', 'max'][at % 3],
    field: `docker.cpu.${['total', 'user', 'kernel', 'system'][Math.floor(at / 3)]}.pct`,
  });
  const panels = Array.from({ length: 12 }, (_, at) => ({
    id: `p${at}`,
    kind: 'line',
    title: `Heavy ${at}`,
    at: { x: (at % 3) * 4, y: Math.floor(at / 3) * 4, w: 4, h: 4 },
    index: ['metrics-docker.cpu-*'],
    metrics: [metric(at)],
    split: ['container.name'],
    size: series,
    period: 60,
  }));
  await go('/dashboards');
  await button('Import').click();
  const dialog = page.getByRole('dialog');
  await dialog
    .getByRole('textbox', { name: 'Content of the file' })
    .fill(JSON.stringify({ schema: 1, panels }));
  await dialog.getByLabel('Title').fill('Heavy');
  await dialog.getByLabel('Name').fill(heavy);
  await button('Create', dialog).click();
  await panel('Heavy 0').waitFor();

  const end = Math.floor(Date.now() / 60_000) * 60_000;
  const bucket = (one, at) => ({
    key: end - (points - at) * 60_000,
    doc_count: 6,
    m0: { value: 1 + one + Math.sin(at / 60 + one) },
  });
  const answer = framed(
    JSON.stringify({
      took: 1,
      hits: { hits: [] },
      aggregations: {
        s0: {
          sum_other_doc_count: 0,
          buckets: Array.from({ length: series }, (_, one) => ({
            key: `container-${one}`,
            doc_count: points * 6,
            t: { buckets: Array.from({ length: points }, (_, at) => bucket(one, at)) },
          })),
        },
      },
    }),
  );
  await page.route('**/wharf.monitor.v1.Search/Search', (route) =>
    route.fulfill({ contentType: 'application/grpc-web+proto', body: answer }),
  );
  await page.setViewportSize({ width: 1440, height: 1_200 });
  const meter = await meterOf(tab);
  await go(`/dashboards/${heavy}?refresh=0`);
  const all = page.locator('.board .panel canvas');
  await eventually(async () => assert.equal(await all.count(), 12, 'all panels are drawn'));
  let answers = 0;
  page.on('response', (response) => {
    if (response.url().endsWith('/Search')) answers += 1;
  });
  const renew = async () => {
    const before = answers;
    await button('Renew now').click();
    await eventually(async () => assert.equal(answers - before, 12, 'each panel is asked for once more'));
    // A panel turns a wheel until what it shows is of the last answer.
    await page.locator('.board .pf-v6-c-spinner').first().waitFor({ state: 'detached' });
    await settled(page);
  };
  const first = await meter.used();
  await renew();
  const second = await meter.used();
  const heap = await meter.heap();
  for (let more = 0; more < RENEWALS; more += 1) await renew();
  // Answers of the spans before are kept for some seconds, and for no longer.
  const grown = await eventually(async () => {
    const by = (await meter.heap()) - heap;
    assert.ok(by <= GROWTH, `the heap grew by ${by} bytes over ${RENEWALS} renewals`);
    return by;
  }, 40_000);
  const ms = (time) => `${Math.round(time)} ms`;
  const mb = (bytes) => `${Math.round(bytes / 1e6)} MB`;
  process.stdout.write(
    `12 panels x ${series} series x ${points} points: ${ms(first.task)} of the page's thread to the first ` +
      `picture (script ${ms(first.script)}), ${ms(second.task - first.task)} to renew all, ` +
      `heap ${mb(heap)}, after ${RENEWALS} renewals ${mb(grown)} more\n`,
  );
  await page.unroute('**/wharf.monitor.v1.Search/Search');
  await page.setViewportSize({ width: 1440, height: 900 });
  await removeDashboard(page);
  clean(tab);
});
