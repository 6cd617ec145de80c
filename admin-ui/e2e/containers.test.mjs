// One container: its charts beside another span, its log as it is written, what happened to it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, presses, settled, shoot, theme } from './browser.mjs';
import { docker, HOSTS, needsHosts, runApplication } from './steps.mjs';

// WHARF_UI_WRITE names a program that makes a container write its arguments as lines, and
// WHARF_UI_WRITER that container: HOST/NAME.
const { WHARF_UI_WRITE: write, WHARF_UI_WRITER: writer } = process.env;
const [writersHost, writersName] = (writer ?? '').split('/');
const writing = { skip: write ? false : 'WHARF_UI_WRITE, a program that writes lines, is not given' };
const steering = { skip: needsHosts(1) };

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

test('memory of a container against the same time yesterday takes one press from the first page', async () => {
  await page.goto('/');
  await settled(page);
  const asked = [];
  const note = (request) => {
    if (request.url().endsWith('wharf.monitor.v1.Search/Search')) asked.push(request.postData() ?? '');
  };
  page.on('request', note);
  const pressed = presses();
  await pressed.on(storage().first());
  await page.getByRole('heading', { level: 1, name: /system-storage-0/ }).waitFor();
  const chart = page.getByRole('figure', { name: 'Memory', exact: true });
  await chart.locator('canvas').waitFor();
  assert.equal(await page.getByLabel('Compare').inputValue(), 'day', 'it is compared with a day before');
  assert.ok(pressed.count <= 2, `${pressed.count} presses, and there are to be two at most`);
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
  page.off('request', note);
  clean(tab);
});

test('a container is compared with the period before, which has other values', async () => {
  await page.goto('/');
  await settled(page);
  await storage().first().click();
  await page.getByRole('heading', { level: 1, name: /system-storage-0/ }).waitFor();
  await page.goto(`${new URL(page.url()).pathname}?from=now-1m&to=now&refresh=5&compare=period`);
  const legend = page.getByRole('list', { name: /Memory/ }).first();
  // What is here for less than two minutes has nothing before.
  await eventually(
    async () =>
      assert.match(await legend.locator('.quiet').first().innerText(), /%$/, 'by how much it changed'),
    90_000,
  );
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

test('errors alone are asked of the storage, and lines can be looked for', writing, async () => {
  const text = fresh('of-levels');
  execFileSync(write, [
    `{"level":"info","message":"${text} all is well"}`,
    `{"level":"error","message":"${text} it broke"}`,
    `{"level":"error","message":"something else broke"}`,
  ]);
  await page.goto(`/containers/${writersHost}/${writersName}?tab=logs`);
  const log = page.getByRole('log');
  // As they are: what is out of sight is not drawn.
  const levels = () => log.locator('.log-line .level').allTextContents();
  await log.getByText(`${text} all is well`).waitFor();
  await page.getByLabel('Text in the line').fill('no-line-says-this');
  await page.getByText('No line fits the level and the text').waitFor();
  await page.getByText(/^The last line of any kind is of .* ago\./).waitFor();
  await page.getByRole('button', { name: 'Show that time' }).click();
  await page.waitForURL('**/discover?**from=**');
  await page.getByRole('table', { name: 'Documents' }).locator('tbody tr').first().waitFor();
  await page.goBack();
  await page.getByRole('button', { name: 'Show every line' }).click();
  await log.getByText(`${text} all is well`).waitFor();
  assert.equal(await page.getByLabel('Text in the line').inputValue(), '', 'nothing is looked for any more');
  await page.getByLabel('Text in the line').fill(text);
  await log.getByText(`${text} all is well`).waitFor();
  await eventually(async () => assert.equal((await levels()).length, 2, 'the lines that say it'));
  await page.getByLabel('Level').selectOption({ label: 'Errors' });
  await eventually(async () =>
    assert.deepEqual(await levels(), ['error'], 'of them the one that is an error'),
  );
  await page.getByLabel('Text in the line').fill('');
  await log.getByText('something else broke').first().waitFor();
  const all = await levels();
  assert.ok(
    all.length >= 2 && all.every((level) => /^(error|critical|fatal|emergency)$/i.test(level)),
    `errors and worse alone: ${all}`,
  );
  clean(tab);
});

test('a line that was written a second ago is there while it is followed', writing, async () => {
  await page.goto(`/containers/${writersHost}/${writersName}?tab=logs`);
  await settled(page);
  const text = fresh('written-now');
  execFileSync(write, [text]);
  const begun = Date.now();
  const log = page.getByRole('log');
  await log.getByText(text).waitFor();
  const seconds = (Date.now() - begun) / 1_000;
  assert.ok(seconds < 10, `it is shown within 10 s: ${seconds} s`);

  // Whoever looks back is not disturbed, and is led to the newest.
  execFileSync(
    write,
    Array.from({ length: 80 }, (_, line) => `${text} filler ${line}`),
  );
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

test('what happened to a container is told with its cause and by its engine', steering, async () => {
  const [host] = HOSTS;
  const name = runApplication(host, fresh('brief'), 'job', 'sleep 5; exit 3');
  await page.goto(`/containers/${host}/${name}?tab=changes&refresh=5`);
  const changes = page.getByRole('table', { name: 'What changed' }).locator('tbody tr');
  const cause = async (kind) => changes.filter({ hasText: kind }).first().locator('td').last().innerText();
  await eventually(
    async () => assert.notEqual((await cause('container appeared')).trim(), '', 'why it is there'),
    60_000,
  );
  const said = page.getByRole('table', { name: 'What its engine said' }).locator('tbody tr');
  // What is run in it has words of its own, which hold these: `command ended`.
  const saying = (word) => said.filter({ has: page.getByRole('cell', { name: word, exact: true }) });
  await saying('started').first().waitFor({ timeout: 60_000 });
  const died = saying('ended').first();
  await died.waitFor({ timeout: 60_000 });
  assert.equal(await died.locator('td:nth-child(3)').innerText(), '3', 'how it ended');
  docker(host, 'rm', '--force', name);
  await eventually(
    async () => assert.notEqual((await cause('container vanished')).trim(), '', 'why it is gone'),
    60_000,
  );
  await saying('removed').first().waitFor({ timeout: 60_000 });
  clean(tab);
});

test('the sum of the list is that of every container that matches', steering, async () => {
  const sum = page.getByRole('region', { name: 'All that match' });
  await page.goto('/containers');
  await eventually(async () => {
    const all = HOSTS.flatMap((host) => docker(host, 'ps', '--all', '--quiet').split('\n')).length;
    const running = HOSTS.flatMap((host) => docker(host, 'ps', '--quiet').split('\n')).length;
    assert.match(
      await sum.innerText(),
      new RegExp(`\\b${running} / ${all}\\b`),
      'as their engines have them',
    );
  });
  await page.goto('/containers?q=system-storage-0');
  await eventually(async () => {
    const told = await sum.innerText();
    assert.match(told, /\b1 \/ 1\b/, told);
    assert.match(told, /Memory\s+[\d.]+ MiB/, told);
  });
  clean(tab);
});

test('a container that is gone says so and keeps its page', async () => {
  await page.goto('/containers/nowhere/no-such-container');
  await page.getByText('There is no container of this name on nowhere now').waitFor();
  await page.getByText('Nothing in this span of time').first().waitFor();
  clean(tab);
});

test(
  'containers show throttling and how often they ran out of memory, in the order that is asked',
  steering,
  async () => {
    const [host] = HOSTS;
    const grow = "x=$(head -c 60000000 /dev/zero | tr '\\0' y); sleep 3600";
    const greedy = runApplication(host, fresh('greedy'), 'one', grow, ['--memory', '16m']);
    const held = runApplication(host, fresh('held'), 'back', 'while true; do :; done', ['--cpus', '0.02']);
    try {
      const table = page.getByRole('table', { name: 'Containers of every host' });
      const column = async (head) => {
        const heads = await table.locator('thead th').allInnerTexts();
        const at = heads.findIndex((one) => one.startsWith(head)) + 1;
        assert.ok(at > 0, `there is a column ${head}: ${heads}`);
        return `td:nth-child(${at})`;
      };
      const rowOf = (name) =>
        table.locator('tbody tr').filter({ has: page.getByRole('link', { name, exact: true }) });
      await eventually(async () => {
        // An open page counts anew once a minute.
        await page.goto('/containers');
        await rowOf(greedy).waitFor();
        const oom = await column('OOM');
        const shown = await table.locator(`tbody ${oom}`).allInnerTexts();
        assert.ok(shown.length > 0 && shown.every((one) => /^\d+$/.test(one.trim())), `counts: ${shown}`);
        assert.match((await rowOf(greedy).locator(oom).innerText()).trim(), /^[1-9]/, 'it ran out of memory');
      }, 60_000);
      await table.getByRole('button', { name: /Throttled/ }).click();
      await page.waitForURL('**sort=throttled*');
      const throttled = await column('Throttled');
      await eventually(async () => {
        const cells = await table.locator(`tbody ${throttled}`).allInnerTexts();
        const shares = cells.map((cell) => Number.parseFloat(cell)).filter((share) => !Number.isNaN(share));
        assert.deepEqual(
          shares,
          [...shares].sort((a, b) => b - a),
          'the one that is held back most comes first',
        );
        const mine = Number.parseFloat(await rowOf(held).locator(throttled).innerText());
        assert.ok(mine > 25, `its limit holds it back: ${mine} %`);
      }, 60_000);
      clean(tab);
    } finally {
      docker(host, 'rm', '--force', greedy, held);
    }
  },
);
