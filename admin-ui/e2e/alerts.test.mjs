// What fires, and who handles it: watches are made, tried out and fire against what containers of the
// platform log; alerts are acknowledged, silenced and lead to their lines.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, settled, shoot } from './browser.mjs';

let browser;
let tab;
let page;
const name = fresh('any-line');

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

async function go(path) {
  await page.goto(path);
  await settled(page);
}

const rowOf = (watch) =>
  page.locator('tbody tr', { has: page.getByRole('link', { name: watch, exact: true }) });

test('a watch is made by the form, after a look at what it says now and at the past', async () => {
  await go('/alerts/create-watch');
  await page.getByLabel('Looks back', { exact: true }).fill('10m');
  await page.getByLabel('Query', { exact: true }).fill('');
  await page.getByLabel('An alert for each', { exact: true }).fill('host.name');
  await page.getByLabel('Threshold', { exact: false }).fill('0');
  await page.getByRole('button', { name: 'Add message' }).click();
  await page.getByLabel('Subject', { exact: true }).first().fill('{{group.host}} logs {{value}} lines');
  await page.getByRole('button', { name: 'Test now' }).click();
  const tested = page.getByTestId('tested');
  await tested.getByText('Firing').first().waitFor();
  await tested
    .getByText(/logs [1-9]\d* lines/)
    .first()
    .waitFor();
  await page.getByLabel('Time span').selectOption({ label: 'Last hour' });
  await page.getByRole('button', { name: 'Preview', exact: true }).click();
  const preview = page.getByTestId('preview');
  await preview.getByText(/Would have fired: [1-9]/).waitFor();
  await preview.locator('.lane-bar').first().waitFor();
  await preview.getByText(/As a table/).click();
  await preview
    .getByRole('table', { name: 'When it would have fired' })
    .locator('tbody tr')
    .first()
    .waitFor();
  await shoot(page, 'watch-preview-light');
  await page.getByLabel('Every', { exact: true }).fill('5s');
  await page.getByLabel('Name', { exact: false }).first().fill(name);
  await page.getByRole('button', { name: 'Create watch' }).click();
  await page.waitForURL('**/alerts?tab=watches');
  await rowOf(name).getByText('Own').waitFor();
  clean(tab);
});

test('what fires is acknowledged, and of another host it fires on', async () => {
  await go('/alerts');
  const firing = rowOf(name).filter({ hasText: 'Firing' });
  await firing.first().waitFor();
  const count = await firing.count();
  await firing
    .first()
    .getByRole('button', { name: /^Acknowledge/ })
    .click();
  const other = rowOf(name).filter({ hasText: 'Acknowledged' });
  await other.waitFor();
  const again = other.getByRole('button', { name: /^Acknowledge/ });
  assert.match(
    (await again.getAttribute('data-why-not')) ?? '',
    /\S/,
    'what is acknowledged says why it is not acknowledged again',
  );
  await eventually(async () => assert.equal(await firing.count(), count - 1, 'one fewer fires'));
  clean(tab);
});

test('the log lines behind an alert are those of its group and its time', async () => {
  await go('/alerts');
  await rowOf(name)
    .getByRole('link', { name: /^Log lines/ })
    .first()
    .click();
  await page.waitForURL('**/discover?*');
  const url = new URL(page.url());
  assert.equal(url.searchParams.get('index'), 'logs-docker.container-default');
  assert.match(url.searchParams.get('q') ?? '', /host\.name:"/, 'the group of the alert is the query');
  const span = Date.parse(url.searchParams.get('to')) - Date.parse(url.searchParams.get('from'));
  assert.ok(span >= 10 * 60_000 && span <= 6 * 3_600_000, `the time is that of the alert: ${span} ms`);
  clean(tab);
});

test('an alert tells its value over time and what was said, and is silenced with a comment', async () => {
  await go(`/alerts?f.watch=${name}`);
  await rowOf(name).getByRole('button').first().click();
  const panel = page.getByRole('region', { name: 'Alert', exact: true });
  await panel.getByText('Value over time').waitFor();
  await panel.locator('canvas').first().waitFor();
  await panel.getByRole('list', { name: 'What was said' }).getByRole('listitem').first().waitFor();
  await panel.getByLabel('Comment').fill('known since noon');
  await panel.getByRole('button', { name: 'Silence', exact: true }).click();
  // What was said has these words, too, and goes on saying them.
  const silenced = panel.getByText('Silenced until', { exact: true });
  await silenced.waitFor();
  await panel.getByText('known since noon').waitFor();
  await shoot(page, 'alert-light');
  await panel.getByRole('button', { name: 'End silence' }).click();
  await silenced.waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await panel.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).searchParams.get('alert'), null, 'the URL tells no alert any more');
  clean(tab);
});

test('the value of an alert is compared with the period before, and a span of it is drawn over', async () => {
  await go(`/alerts?f.watch=${name}`);
  await rowOf(name).getByRole('button').first().click();
  const panel = page.getByRole('region', { name: 'Alert', exact: true });
  const param = (key) => new URL(page.url()).searchParams.get(key);
  await panel.locator('canvas').first().waitFor();
  await panel.getByLabel('Compare', { exact: true }).selectOption({ label: 'Compare: the period before' });
  await eventually(() => assert.equal(param('compare'), 'period'));
  // What it is compared with is drawn, too: the chart is made anew for it.
  await panel
    .getByLabel('Compare', { exact: true })
    .locator('option:checked[value=period]')
    .waitFor({ state: 'attached' });
  await settled(page);
  const plot = panel.locator('.u-over');
  await plot.scrollIntoViewIfNeeded();
  const over = await plot.boundingBox();
  await page.mouse.move(over.x + over.width * 0.4, over.y + over.height / 2);
  await page.mouse.down();
  await page.mouse.move(over.x + over.width - 2, over.y + over.height / 2, { steps: 6 });
  await page.mouse.up();
  await eventually(() => assert.ok(Date.parse(param('to')) > Date.parse(param('from')), 'it is in the URL'));
  assert.ok(param('alert'), 'the alert is open still');
  await settled(page);
  await panel.getByRole('button', { name: 'Show as a table: Value over time' }).click();
  await panel
    .getByRole('columnheader', { name: / \(before\)$/ })
    .first()
    .waitFor();
  await page.keyboard.press('Escape');
  await panel.waitFor({ state: 'detached' });
  for (const key of ['alert', 'from', 'to', 'compare'])
    assert.equal(param(key), null, `${key} is left behind`);
  clean(tab);
});

test('runs are listed with what came of them, each with its search', async () => {
  await go(`/alerts?tab=history&q=${name}`);
  await page.getByRole('table', { name: 'Runs of watches' }).locator('tbody button').first().click();
  const panel = page.getByRole('region', { name: 'Run of a watch' });
  await panel.getByRole('table', { name: 'Groups' }).waitFor();
  await panel.getByText('"host.name"').waitFor();
  await page.keyboard.press('Escape');
  clean(tab);
});

test('a change of somebody else is not overwritten unasked', async () => {
  const other = await enter(browser, `/alerts/watches/${name}`);
  await go(`/alerts/watches/${name}`);
  await other.page.getByLabel('Description', { exact: true }).fill('by another');
  await other.page.getByRole('button', { name: 'Save' }).click();
  await other.page.waitForURL('**/alerts?tab=watches');
  await other.context.close();
  await page.getByLabel('Description', { exact: true }).fill('by me');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Somebody else has changed it meanwhile').waitFor();
  await page.getByRole('button', { name: 'Show what is there now' }).click();
  await eventually(async () => {
    assert.equal(await page.getByLabel('Description', { exact: true }).inputValue(), 'by another');
  });
  clean(tab);
});

test('a watch is shown as a document, run by hand, turned off, and deleted by typing its name', async () => {
  await go(`/alerts/watches/${name}`);
  await page.getByRole('button', { name: 'Document' }).click();
  assert.match(await page.getByLabel('Document', { exact: true }).inputValue(), /interval: 5s/);
  await go(`/alerts?tab=watches&q=${name}`);
  const menu = () => page.getByRole('button', { name: `Actions for ${name}` }).click();
  await menu();
  await page.getByRole('menuitem', { name: 'Run now' }).click();
  await page.getByRole('region', { name: 'Run of a watch' }).getByText('By hand').waitFor();
  await page.keyboard.press('Escape');
  await menu();
  await page.getByRole('menuitem', { name: 'Disable' }).click();
  await rowOf(name).getByText('Disabled').waitFor();
  await menu();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Nothing matches').waitFor();
  clean(tab);
});

test('a shipped watch says why it cannot be deleted', async () => {
  await go('/alerts?tab=watches');
  await page.getByRole('button', { name: 'Actions for disk-full' }).click();
  const item = page.getByRole('menuitem', { name: /Delete/ });
  await item.getByText('A shipped watch cannot be deleted').waitFor();
  assert.equal(await item.getAttribute('aria-disabled'), 'true');
  await page.keyboard.press('Escape');
  clean(tab);
});

test('a channel is made, tells why its test was not taken, and is deleted', async () => {
  const channel = fresh('ops');
  await go('/alerts?tab=channels');
  await page.getByRole('button', { name: 'Create channel' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(channel);
  await dialog.getByLabel('Address').fill('https://127.0.0.1:9/hook');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const row = page.locator('tbody tr', { hasText: channel });
  await row.getByRole('button', { name: /^Send a test/ }).click();
  const why = row.locator('.mark.bad');
  await why.waitFor();
  assert.match(await why.innerText(), /refused|connect|sent/i, 'it says that nobody listens there');
  await row.getByRole('button', { name: /Delete/ }).click();
  await dialog.getByLabel(`Type ${channel} to confirm`).fill(channel);
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  clean(tab);
});
