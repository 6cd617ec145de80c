// One container: its charts beside another span, its log as it is written, what happened to it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, presses, settled, shoot, theme } from './browser.mjs';

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

const storage = () =>
  page
    .getByRole('table', { name: 'Most memory' })
    .getByRole('link', { name: /^(?!Follow).*system-storage-0$/ });

test('memory of a container against the same time yesterday takes two presses from the first page', async () => {
  await page.goto('/');
  await settled(page);
  const pressed = presses();
  await pressed.on(storage().first());
  await page.getByRole('heading', { level: 1, name: /system-storage-0/ }).waitFor();
  const chart = page.getByRole('figure', { name: 'Memory', exact: true });
  await chart.locator('canvas').waitFor();
  const asked = [];
  page.on('request', (request) => {
    if (request.url().endsWith('wharf.monitor.v1.Search/Search')) asked.push(request.postData() ?? '');
  });
  await pressed.select(page.getByLabel('Compare'), 'Compare: a day before');
  await page.waitForURL('**compare=day*');
  assert.equal(pressed.count, 2, 'two presses, as the table of tasks allows');
  await eventually(() => {
    const stream = asked.filter((body) => body.includes('metrics-docker.memory-default'));
    const spans = new Set(
      stream.flatMap((body) => [...body.matchAll(/"gte":(\d+)/g)].map(([, at]) => Number(at))),
    );
    const all = [...spans].sort((a, b) => a - b);
    const day = 86_400_000;
    assert.ok(
      all.some((at) => all.some((other) => Math.abs(other - at - day) < 1_000)),
      `the storage is asked for now and for a day before: ${all}`,
    );
  });
  clean(tab);
});

test('charts of a container show what was measured, and the query behind them', async () => {
  await page.goto('/');
  await settled(page);
  await storage().first().click();
  for (const name of ['Memory', 'CPU', 'Network', 'Disk']) {
    await page.getByRole('figure', { name, exact: true }).locator('canvas').waitFor();
  }
  const memory = page.getByRole('figure', { name: 'Memory', exact: true });
  await memory.getByRole('button', { name: 'Show as a table: Memory' }).click();
  await memory
    .getByText(/(KiB|MiB|GiB)/)
    .first()
    .waitFor();
  await memory.getByRole('button', { name: 'Show query: Memory' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('metrics-docker.memory-default').waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('Image', { exact: true }).waitFor();
  await shoot(page, 'container-light');
  await theme(page, 'dark');
  await shoot(page, 'container-dark');
  await theme(page, 'light');
  clean(tab);
});

test('the live log of a container takes one press from the first page', async () => {
  await page.goto('/');
  await settled(page);
  const pressed = presses();
  await pressed.on(page.getByRole('link', { name: /^Follow the log of .*director/ }).first());
  await page.waitForURL('**tab=logs*');
  const log = page.getByRole('log');
  await log.locator('.log-line').first().waitFor();
  assert.equal(pressed.count, 1);
  assert.ok(await page.getByRole('switch', { name: 'Follow' }).isChecked(), 'it is followed at once');
  const times = await log
    .locator('time')
    .evaluateAll((all) => all.map((one) => one.getAttribute('datetime')));
  assert.deepEqual(times, [...times].sort(), 'the oldest line is at the top');
  await shoot(page, 'container-logs-light');
  clean(tab);
});

test('errors alone are asked of the storage, and lines can be looked for', async () => {
  await page.goto('/');
  await settled(page);
  await page
    .getByRole('link', { name: /^Follow the log of .*director/ })
    .first()
    .click();
  await page.getByRole('log').locator('.log-line').first().waitFor();
  await page.getByLabel('Text in the line').fill('no-line-says-this');
  await page.getByText('No line fits the level and the text').waitFor();
  await page.getByLabel('Text in the line').fill('');
  await page.getByRole('log').locator('.log-line').first().waitFor();
  await page.getByLabel('Level').selectOption({ label: 'Errors' });
  await eventually(async () => {
    const levels = await page.locator('.log-line .level').allInnerTexts();
    assert.ok(
      levels.every((level) => /ERROR|CRITICAL|FATAL|EMERGENCY/i.test(level)),
      `errors and worse alone: ${levels}`,
    );
  });
  clean(tab);
});

// WHARF_UI_WRITE names a program that makes a container write its argument as one line, and
// WHARF_UI_WRITER that container: HOST/NAME.
const { WHARF_UI_WRITE: write, WHARF_UI_WRITER: writer } = process.env;

test('a line that was written a second ago is there while it is followed', { skip: !write }, async () => {
  const [host, name] = writer.split('/');
  await page.goto(`/containers/${host}/${name}?tab=logs`);
  await settled(page);
  const text = fresh('written-now');
  execFileSync(write, [text]);
  const begun = Date.now();
  await page.getByRole('log').getByText(text).waitFor();
  const seconds = (Date.now() - begun) / 1_000;
  assert.ok(seconds < 10, `it is shown within 10 s: ${seconds} s`);

  // Whoever looks back is not disturbed, and is led to the newest.
  for (let line = 0; line < 80; line += 1) execFileSync(write, [`${text} filler ${line}`]);
  const log = page.getByRole('log');
  await log.getByText(`${text} filler 79`).waitFor();
  await log.evaluate((box) => box.scrollTo(0, 0));
  const later = fresh('written-later');
  execFileSync(write, [later]);
  await page.getByRole('button', { name: /New lines: \d+/ }).click();
  await log.getByText(later).waitFor();
  assert.ok(
    await log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 30),
    'the chip leads to the newest line',
  );
  clean(tab);
});

test('what happened to a container is told with its cause and by its engine', async () => {
  await page.goto('/');
  await settled(page);
  await storage().first().click();
  await page.getByRole('tab', { name: 'Changes' }).click();
  await page.waitForURL('**tab=changes*');
  await page.getByRole('heading', { name: 'What its engine said' }).waitFor();
  await settled(page);
  clean(tab);
});

test('a container that is gone says so and keeps its page', async () => {
  await page.goto('/containers/nowhere/no-such-container');
  await page.getByText('There is no container of this name on nowhere now').waitFor();
  await page.getByText('Nothing in this span of time').first().waitFor();
  clean(tab);
});

test('containers show throttling and how often they ran out of memory, in the order that is asked', async () => {
  await page.goto('/containers');
  await settled(page);
  const table = page.getByRole('table', { name: 'Containers of every host' });
  await table.getByRole('columnheader', { name: 'OOM' }).waitFor();
  await eventually(async () => {
    const head = await table.locator('thead th').allInnerTexts();
    const at = head.findIndex((one) => one.startsWith('OOM')) + 1;
    const shown = await table.locator(`tbody td:nth-child(${at})`).allInnerTexts();
    assert.ok(shown.length > 0 && shown.every((one) => /^\d+$/.test(one.trim())), `counts: ${shown}`);
  });
  await table.getByRole('button', { name: /Throttled/ }).click();
  await page.waitForURL('**sort=throttled*');
  await settled(page);
  clean(tab);
});
