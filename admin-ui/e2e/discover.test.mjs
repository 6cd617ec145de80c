// Discover against what the platform's own collectors write.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, open, presses, settled } from './browser.mjs';

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser, '/', { permissions: ['clipboard-read', 'clipboard-write'] });
  page = tab.page;
});
after(() => browser?.close());

const rows = (of = page) => of.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]');
const param = (name) => new URL(page.url()).searchParams.get(name);
const copied = () => page.evaluate(() => navigator.clipboard.readText());

async function go(path) {
  await page.goto(path);
  await settled(page);
  await rows().first().waitFor();
}

/** Writes the query as a reader does. */
async function ask(text) {
  const box = page.getByRole('textbox', { name: 'Query' });
  await box.click();
  await page.keyboard.press('Control+a');
  await page.keyboard.type(text);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
}

/** Where the proxy serves the system deployment. */
async function endpointOfSystem() {
  await page.goto('/deployments');
  await settled(page);
  await page.getByRole('link', { name: 'system', exact: true }).first().click();
  await settled(page);
  const text = await page
    .getByText(/^https:\/\/\S+:\d+/)
    .first()
    .innerText();
  return text.trim();
}

test('logs are listed newest first, with their level by word, and over time', async () => {
  await page.keyboard.press('g');
  await page.keyboard.press('l');
  await page.waitForURL('**/discover?index=logs-*');
  await settled(page);
  await page.getByRole('heading', { level: 1, name: 'Logs' }).waitFor();
  await rows().first().waitFor();
  const times = await rows()
    .locator('time')
    .evaluateAll((all) => all.map((one) => Date.parse(one.dateTime)));
  assert.ok(times.length > 10, `lines are listed: ${times.length}`);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => b - a),
    'the newest line comes first',
  );
  await rows()
    .getByText(/^(info|warn|error)$/)
    .first()
    .waitFor();
  await page.getByRole('figure', { name: 'Documents over time' }).waitFor();
  clean(tab);
});

test('the chart is compared with the period before, in its table, too', async () => {
  // So short that there was something before on a platform that is young.
  await go('/discover?index=logs-*&from=now-2m&to=now');
  await page.getByLabel('Compare', { exact: true }).selectOption({ label: 'Compare: the period before' });
  await eventually(() => assert.equal(param('compare'), 'period'));
  const chart = page.getByRole('figure', { name: 'Documents over time' });
  await chart.getByRole('button', { name: 'Show as a table: Documents over time' }).click();
  await chart
    .getByRole('columnheader', { name: / \(before\)$/ })
    .first()
    .waitFor();
  await chart.getByRole('button', { name: 'Show as a chart: Documents over time' }).click();
  const group = chart.getByRole('group', { name: /^Documents over time\./ });
  await group.locator('canvas').waitFor();
  await group.focus();
  await page.keyboard.press('ArrowLeft');
  await eventually(async () =>
    assert.match(await group.locator('[aria-live]').innerText(), /\(before [\d,]+\)/, 'the keys tell it'),
  );
  clean(tab);
});

test('the end of a page brings the next one, and no document twice', async () => {
  await go('/discover?index=metrics-*&from=now-24h&to=now');
  const list = page.getByRole('region', { name: 'Documents' });
  const seen = new Set();
  const look = async () => {
    for (const id of await rows().evaluateAll((all) => all.map((one) => one.dataset.document))) seen.add(id);
  };
  await eventually(async () => {
    await look();
    await list.evaluate((one) => one.scrollBy(0, one.clientHeight));
    assert.ok(seen.size > 250, `more than one page was seen: ${seen.size}`);
  });
  clean(tab);
});

test('a query is searched for on Enter, kept in the URL, and a wrong one is told with what to do', async () => {
  await go('/discover?index=logs-*');
  await ask('log.level:info');
  await eventually(() => assert.equal(param('q'), 'log.level:info'));
  await settled(page);
  await eventually(async () => {
    const levels = await rows().locator('td:nth-child(3)').allInnerTexts();
    assert.deepEqual([...new Set(levels)], ['info'], 'every line has the level that was asked for');
  });
  clean(tab);
  await ask('log.level:(info');
  await page.getByText('The documents could not be fetched').waitFor();
  await page.getByText("a ')' is missing").waitFor();
});

test('names of fields and their values are completed from what is there', async () => {
  await go('/discover?index=logs-*');
  await page.getByRole('textbox', { name: 'Query' }).click();
  await page.keyboard.type('log.le');
  await page.getByRole('option', { name: /^log\.level/ }).waitFor();
  await page.keyboard.press('Tab');
  await page.getByRole('option', { name: /^info/ }).waitFor();
  await page.keyboard.type('inf');
  // Of what was written so far there were others, too.
  await page.getByRole('option', { name: /^error/ }).waitFor({ state: 'detached' });
  const info = page.getByRole('option', { name: /^info/ });
  await eventually(async () => {
    await page.keyboard.press('ArrowDown');
    assert.equal(await info.getAttribute('aria-selected', { timeout: 1_000 }), 'true', 'an arrow goes to it');
  });
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await eventually(() => assert.equal(param('q'), 'log.level:info'));
  clean(tab);
});

test('what is typed in place of a coloured part is coloured, and carries no style of its own', async () => {
  await go('/discover?index=logs-*&q=log.level%3Ainfo');
  const text = page.getByRole('textbox', { name: 'Query' });
  const coloured = (kind) =>
    page.evaluate((name) => {
      const ranges = [...(CSS.highlights.get(name) ?? [])];
      return ranges.map(String);
    }, `query-${kind}`);
  await eventually(async () => assert.deepEqual(await coloured('field'), ['log.level']));
  await ask('host.name:"vm" AND NOT x');
  assert.equal(await text.innerText(), 'host.name:"vm" AND NOT x');
  assert.deepEqual(await coloured('field'), ['host.name'], 'the name of a field has its colour');
  assert.deepEqual(await coloured('text'), ['"vm"'], 'a quoted text has its own');
  assert.deepEqual(await coloured('join'), ['AND', 'NOT'], 'and so have the words between');
  assert.equal(await text.locator('.cm-line [style]').count(), 0, 'nothing in the line has a style');
  clean(tab);
});

test('a field opens to its most frequent values, and one of them narrows the list and can be left out', async () => {
  await go('/discover?index=logs-*');
  const fields = page.getByRole('region', { name: 'Fields' });
  await fields.getByRole('textbox', { name: 'Find a field' }).fill('service.name');
  await fields.getByTitle('service.name (keyword)').click();
  const only = fields.getByRole('button', { name: /^Only service\.name: / }).first();
  const name = (await only.getAttribute('aria-label')).replace('Only service.name: ', '');
  await only.click();
  await eventually(() => assert.equal(param('q'), `service.name:"${name}"`));
  await settled(page);
  await fields.getByRole('button', { name: `Without service.name: ${name}` }).click();
  await eventually(() => assert.equal(param('q'), `NOT service.name:"${name}"`));
  await fields.getByRole('button', { name: 'Add service.name as a column' }).waitFor({ state: 'detached' });
  clean(tab);
});

test('a document opens with its fields, its JSON and the lines around it, and leads to its neighbours', async () => {
  await go('/discover?index=logs-docker.container-default');
  await rows().nth(3).click();
  const panel = page.getByLabel('Document', { exact: true }).first();
  await panel.getByRole('rowheader', { name: 'container.id' }).waitFor();
  const third = param('doc');
  // The row that is marked tells which one is shown, and so where its neighbours are.
  const marked = () => page.locator('tr.open').getAttribute('data-document');
  await panel.getByRole('button', { name: 'Next' }).click();
  await eventually(async () => assert.notEqual(await marked(), third));
  await panel.getByRole('button', { name: 'Previous' }).click();
  await eventually(async () => assert.equal(await marked(), third));
  assert.equal(param('doc'), third, 'the document that is open is in the URL');
  await panel.getByRole('button', { name: 'Copy as JSON' }).click();
  await panel.getByText('Copied').waitFor();
  const json = JSON.parse(await copied());
  assert.ok(json.container.id, 'the copy has the whole document');
  await panel.getByRole('tab', { name: 'Surrounding lines' }).click();
  const around = panel.getByRole('listitem');
  await panel.locator('[aria-current="true"]').waitFor();
  assert.ok((await around.count()) > 1, 'lines of the same container stand beside it');
  await panel.getByRole('tab', { name: 'JSON' }).click();
  await panel.locator('pre').getByText('"@timestamp"').waitFor();
  await panel.getByRole('tab', { name: 'Fields' }).click();
  await panel.getByRole('button', { name: 'Add host.name as a column' }).click();
  await eventually(() => assert.ok(param('columns')?.split(',').includes('host.name')));
  await page.keyboard.press('Escape');
  await eventually(() => assert.equal(param('doc'), null));
  await page.getByRole('columnheader', { name: 'host.name' }).waitFor();
  clean(tab);
});

test('two presses before the page is drawn anew both count', async () => {
  await go('/discover?index=logs-docker.container-default');
  await page.getByRole('button', { name: 'Add agent.name as a column' }).waitFor();
  await rows().first().waitFor();
  await page.evaluate(async () => {
    document.querySelector('button[aria-label="Add agent.name as a column"]').click();
    // What the first press says is in the URL before anything is drawn.
    for (let turn = 0; turn < 50; turn += 1) await null;
    document.querySelector('tbody tr[data-document]').click();
  });
  await page.getByLabel('Document', { exact: true }).first().waitFor();
  await page.getByRole('columnheader', { name: 'agent.name' }).waitFor();
  assert.ok(param('columns')?.split(',').includes('agent.name'), 'the first press is in the URL, too');
  assert.ok(param('doc'), 'and so is the second');
  clean(tab);
});

test('error lines of one application are a shareable link after three presses', async () => {
  await page.goto('/');
  await settled(page);
  const press = presses();
  await press.on(page.getByRole('link', { name: 'Logs', exact: true }));
  await settled(page);
  await press.on(page.getByTitle(/^Only error lines of /).first());
  await eventually(() => assert.match(param('q'), /service\.name:".+" AND log\.level:\(error OR/));
  await press.on(page.getByRole('button', { name: 'Copy link' }));
  await page.getByText('Copied').waitFor();
  assert.equal(press.count, 3);
  const link = new URL(await copied());
  assert.equal(link.searchParams.get('in'), 'system');
  assert.ok(!Number.isNaN(Date.parse(link.searchParams.get('from'))), 'its times are absolute');
  const other = await enter(browser, link.pathname + link.search);
  await rows(other.page).first().waitFor();
  const levels = await rows(other.page).locator('td:nth-child(3)').allInnerTexts();
  for (const level of levels) assert.match(level, /^(error|critical|fatal|emergency)$/);
  clean(other);
  await other.context.close();
});

test('a line that was written one second before is seen by who follows', async () => {
  const path = `/${fresh('seen')}`;
  const endpoint = await endpointOfSystem();
  await go(`/discover?index=logs-*&follow=1&q=${encodeURIComponent('event.dataset:wharf.access')}`);
  await page.getByText(/lines\/s|waiting/).waitFor();
  const visitor = await open(browser);
  await visitor.page.goto(endpoint + path).catch(() => {});
  const wrote = Date.now();
  await rows().getByText(path).waitFor({ timeout: 10_000 });
  const took = Date.now() - wrote;
  assert.ok(took < 6_000, `the line was seen within six seconds of a busy machine: ${took} ms`);
  process.stdout.write(`a followed line was seen ${took} ms after it was written\n`);
  await visitor.context.close();
});

test('following pauses while one reads further down, and says how much is newer', async () => {
  await go('/discover?index=metrics-*,logs-*&follow=1');
  const list = page.getByRole('region', { name: 'Documents' });
  await list.evaluate((one) => one.scrollTo(0, 600));
  await page.getByText('paused', { exact: true }).waitFor();
  const chip = page.getByRole('button', { name: /newer: back to the top$/ });
  await chip.waitFor({ timeout: 30_000 });
  await chip.click();
  await page.getByText('paused', { exact: true }).waitFor({ state: 'detached' });
  assert.ok((await list.evaluate((one) => one.scrollTop)) < 10, 'the newest line is in sight again');
  clean(tab);
});

test('a view is saved, found again, told of when another has changed it, and deleted', async () => {
  const title = `Lines of ${fresh('view')}`;
  await go('/discover?index=logs-*&q=log.level%3Ainfo');
  const views = page.getByRole('button', { name: /^Saved views/ });
  await views.click();
  await page.getByRole('button', { name: 'Save as…' }).click();
  await page.getByLabel('Title').fill(title);
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await eventually(() => assert.ok(param('view')));
  const name = param('view');

  // Another one opens the same view and saves it first.
  const other = await enter(browser, `/discover?index=logs-*&q=log.level%3Awarn&view=${name}`);
  await other.page.getByRole('button', { name: /^Saved views/ }).click();
  await other.page.getByRole('button', { name: 'Save', exact: true }).click();
  await eventually(async () => {
    const saves = other.page.getByRole('button', { name: 'Save', exact: true });
    assert.equal(await saves.getAttribute('aria-disabled'), 'true', 'what was saved has no more to save');
  });

  await ask('log.level:error');
  await eventually(() => assert.equal(param('q'), 'log.level:error'));
  await views.click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('It was changed meanwhile').waitFor();
  await page.getByRole('button', { name: 'Show theirs' }).click();
  await eventually(() => assert.equal(param('q'), 'log.level:warn', 'what the other has saved is shown'));
  await other.context.close();

  await page.goto('/discover');
  await settled(page);
  await views.click();
  await page.getByRole('button', { name: title, exact: true }).click();
  await eventually(() => assert.equal(param('q'), 'log.level:warn'));
  await views.click();
  await page.getByRole('button', { name: `Delete the view ${title}` }).click();
  await page
    .getByRole('dialog')
    .getByLabel(/^Type .* to confirm$/)
    .fill(title);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: title, exact: true }).waitFor({ state: 'detached' });
});

test('what is listed is written as comma-separated values, and the bound is said', async () => {
  await go('/discover?index=logs-*&columns=log.level,message');
  await page.getByRole('button', { name: 'CSV' }).click();
  await page.getByText(/first 10,000/).waitFor();
  const arrives = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  const stream = await (await arrives).createReadStream();
  let text = '';
  for await (const part of stream) text += part;
  const lines = text.split('\r\n');
  assert.equal(lines[0].replace('\ufeff', ''), '@timestamp,log.level,message');
  assert.ok(lines.length > 10, `the file has rows: ${lines.length}`);
});

test('a press on the head of a column orders the documents by it, on the server and in the URL', async () => {
  const bytes = 'docker.memory.usage.total';
  await go(`/discover?index=metrics-docker.memory-default&columns=container.name,${bytes}&from=now-15m`);
  const asked = page.waitForRequest((request) => request.url().endsWith('/Search'));
  const head = page.getByRole('columnheader', { name: bytes });
  await head.getByRole('button', { name: bytes, exact: true }).focus();
  await page.keyboard.press('Enter');
  await asked;
  await eventually(() => assert.equal(param('sort'), `${bytes} desc`));
  await eventually(async () => {
    assert.equal(await head.getAttribute('aria-sort'), 'descending');
    const shown = (await rows().locator('td:nth-child(4)').allInnerTexts()).map(Number);
    assert.ok(shown.length > 5 && shown[0] > 0, 'documents are listed');
    const sorted = [...shown].sort((a, b) => b - a);
    assert.deepEqual(shown, sorted, 'the largest comes first');
  });
  await page.reload();
  await settled(page);
  assert.equal(await head.getAttribute('aria-sort'), 'descending', 'a reload keeps the order');
  clean(tab);
});

test('pages of another order go on in it, and no document is there twice', async () => {
  await go('/discover?index=metrics-*&columns=host.name,event.dataset&sort=event.dataset&from=now-24h');
  const list = page.getByRole('region', { name: 'Documents' });
  const seen = new Map();
  const look = () =>
    rows().evaluateAll((all) =>
      all.map((one) => [Number(one.ariaRowIndex), one.dataset.document, one.children[3].textContent]),
    );
  await eventually(async () => {
    for (const [at, id, name] of await look()) seen.set(at, { id, name });
    await list.evaluate((one) => one.scrollBy(0, one.clientHeight));
    assert.ok(seen.size > 450, `more than two pages were seen: ${seen.size}`);
  }, 60_000);
  const listed = [...seen].sort(([a], [b]) => a - b).map(([, one]) => one);
  assert.equal(new Set(listed.map((one) => one.id)).size, listed.length, 'each document once');
  const names = listed.map((one) => one.name);
  assert.deepEqual(names, [...names].sort(), 'in the order of the field');
  clean(tab);
});

test('a column without an order says why, and what is followed is in the order of its time', async () => {
  await go('/discover?index=logs-docker.container-default');
  const message = page.getByRole('columnheader', { name: 'message' }).locator('button.sort');
  await eventually(async () => assert.equal(await message.getAttribute('aria-disabled'), 'true'));
  assert.match(await message.getAttribute('data-why-not'), /words for searching/);
  await page
    .getByRole('columnheader', { name: 'log.level' })
    .getByRole('button', { name: 'log.level', exact: true })
    .click();
  await eventually(() => assert.equal(param('sort'), 'log.level'));
  const follow = page.getByRole('button', { name: 'Follow' });
  const whyNot = async (button, why) =>
    eventually(async () => assert.match((await button.getAttribute('data-why-not')) ?? '', why));
  await whyNot(follow, /newest first/);
  await page.getByRole('button', { name: 'Newest first' }).click();
  await eventually(() => assert.equal(param('sort'), null));
  await follow.click();
  const level = page.getByRole('columnheader', { name: 'log.level' }).locator('button.sort');
  await whyNot(level, /stop following/);
  clean(tab);
});
