// The table of tasks: each from the first page, with as many clicks and keys as it may take at most, and
// what is seen at its end. Text that is written does not count, a choice from a list counts twice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, presses, settled, shoot } from './browser.mjs';
import {
  ask,
  containerNamed,
  docker,
  endpointOf,
  HOSTS,
  needsHosts,
  planEnds,
  removeDashboard,
  runApplication,
  SMALL,
  showDeployment,
} from './steps.mjs';

const skip = needsHosts(2);
/** What comes by way of collectors and of pages that look twice a minute. */
const SOON = 90_000;
const PILE = 9;
const DAY = 86_400_000;

const deployment = fresh('till');
const watch = fresh('failures');
const board = fresh('memory');
const project = fresh('ledger');
const [crowded, quiet] = HOSTS;
const hoard = `${project}-hoard`;
const started = [];

let browser;
let tab;
let page;

function run(host, service, script, more) {
  started.push([host, `${project}-${service}`]);
  return runApplication(host, project, service, script, more);
}

/** A task of the table. */
function task(what, most, does) {
  test(`${what}: at most ${most} presses`, { skip }, async () => {
    await page.goto('/');
    await settled(page);
    const press = presses(page);
    await does(press);
    assert.ok(press.count <= most, `${what} takes ${press.count} presses, and may take ${most}`);
    clean(tab);
  });
}

const inNavigation = (name) =>
  page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true });
const finding = (text) => page.locator('.findings li').filter({ hasText: text });
const table = (name) => page.getByRole('table', { name, exact: true });

/** Ctrl K, what is wanted, Enter. */
async function palette(press, text, goal) {
  await press.key('Control+k');
  await page.getByRole('combobox', { name: 'Search or jump to…' }).pressSequentially(text);
  await eventually(async () => {
    const [first] = await page.getByRole('option').allInnerTexts();
    assert.ok(first?.startsWith(goal), `the palette offers ${goal} first: ${first}`);
  });
  await press.key('Enter');
}

before(async () => {
  if (skip) return;
  browser = await launch();
  tab = await enter(browser, '/', { permissions: ['clipboard-read', 'clipboard-write'] });
  page = tab.page;
  // A shell becomes its last command: what it holds would be gone.
  const hold = "x=$(head -c 400000000 /dev/zero | tr '\\0' y); sleep 3600; true";
  run(crowded, 'hoard', hold);
  run(crowded, 'spin', 'while :; do :; done', ['--cpus', '0.2']);
  const line = '{"level":"error","message":"cannot book: no such account"}';
  run(crowded, 'books', `while :; do echo '${line}'; echo booked; sleep 1; done`);
  for (let one = 0; one < PILE; one += 1) run(crowded, `branch${one}`, 'sleep 3600');
  // One that was there and is gone.
  run(quiet, 'passing', 'sleep 3600');
  await page.goto('/containers?q=passing');
  await page.getByRole('link', { name: `${project}-passing`, exact: true }).waitFor();
  docker(quiet, 'rm', '-f', `${project}-passing`);
});

after(async () => {
  for (const [host, name] of started) {
    try {
      docker(host, 'rm', '-f', name);
    } catch {
      // It is gone, as one of them has to be.
    }
  }
  await browser?.close();
});

task('create a deployment and watch its plan to the end', 4, async (press) => {
  await press.on(page.getByRole('button', { name: 'Create deployment' }));
  await page.getByLabel('Name').fill(deployment);
  await press.select(page.getByLabel('Memory of storage'), SMALL);
  await press.on(page.getByRole('button', { name: 'Create deployment' }));
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  const steps = await page.getByRole('list', { name: 'Steps' }).getByRole('listitem').allInnerTexts();
  assert.ok(steps.length >= 6, `the steps of a creation are seen: ${steps.join(' | ')}`);
});

task('resize a deployment', 3, async (press) => {
  await palette(press, `resize ${deployment}`, `Resize: ${deployment}`);
  const dialog = page.getByRole('dialog', { name: `Resize ${deployment}` });
  const memory = dialog.getByLabel('Memory of storage');
  await memory.and(page.locator(':focus')).waitFor();
  await memory.locator('option', { hasText: '512 MiB' }).waitFor({ state: 'attached' });
  await page.keyboard.type('512');
  await dialog.getByTestId('preview').getByText('storage-0', { exact: true }).waitFor();
  await press.key('Enter');
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  const change = await page.getByRole('row', { name: /^Memory of storage/ }).innerText();
  assert.match(change, /256 MiB\s+512 MiB/, 'the plan says what was and what is to be');
});

task('restart a deployment', 3, async (press) => {
  await palette(press, `restart ${deployment}`, `Restart: ${deployment}`);
  await press.on(page.getByRole('dialog').getByRole('button', { name: 'Restart' }));
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  await page.getByRole('heading', { level: 1, name: /Restart/ }).waitFor();
});

test('a plan that waits is cancelled: at most 3 presses', { skip }, async () => {
  const late = fresh('late');
  const allocators = HOSTS.map((host) => [host, containerNamed('-allocator', { hosts: [host] }).name]);
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill(late);
  await page.getByLabel('Memory of storage').selectOption({ label: SMALL });
  await page.getByTestId('preview').getByText('storage-0', { exact: true }).waitFor();
  // While they stand still nobody starts what the plan wants.
  for (const [host, name] of allocators) docker(host, 'kill', '-s', 'STOP', name);
  let press;
  try {
    await page.getByRole('button', { name: 'Create deployment' }).click();
    await page.waitForURL('**/plans/*');
    await page.goto('/');
    await settled(page);
    press = presses(page);
    await palette(press, `cancel ${late}`, `Cancel plan: ${late}`);
    await press.on(page.getByRole('dialog').getByRole('button', { name: 'Cancel plan' }));
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  } finally {
    for (const [host, name] of allocators) docker(host, 'kill', '-s', 'CONT', name);
  }
  await planEnds(page, 'Cancelled');
  assert.ok(press.count <= 3, `it takes ${press.count} presses`);
  await page.goto(`/deployments?q=${late}`);
  await settled(page);
  assert.equal(
    await page.getByText('Healthy', { exact: true }).count(),
    0,
    'what was cancelled does not run',
  );
  tab.faults.length = 0;
});

task('which container uses the most memory or CPU, and whose it is', 0, async () => {
  const rows = table('Most memory').locator('tbody tr');
  await eventually(async () => {
    const [first] = await rows.allInnerTexts();
    assert.ok(first?.includes(hoard), `the one that holds 400 MB comes first: ${first}`);
    assert.match(first, /\bhoard\b.*MiB/s, 'with its application and what it uses');
  });
  const system = rows.filter({ has: page.getByRole('link', { name: 'system', exact: true }) });
  await system.first().waitFor();
  await table('Most CPU')
    .getByRole('link', { name: `${project}-spin`, exact: true })
    .waitFor();
});

task('containers that pile up are a finding, and the map is a press away', 1, async (press) => {
  const pile = finding(`pile up on host ${crowded}:`);
  await pile.waitFor({ timeout: SOON });
  assert.equal(press.count, 0, 'the finding takes no press');
  await press.on(pile.getByRole('link', { name: 'Show the map' }));
  await page.getByRole('region', { name: 'Zones, hosts and containers' }).locator('canvas').waitFor();
  const told = page.getByRole('list', { name: 'Concentration' }).getByRole('listitem');
  await told.filter({ hasText: 'Piled up' }).filter({ hasText: crowded }).waitFor();
});

task('a finding leads to what it proposes: what would be lost with the host', 1, async (press) => {
  await press.on(
    finding(`pile up on host ${crowded}:`).getByRole('link', { name: `What its loss would do: ${crowded}` }),
  );
  await page.getByTestId('what-if').getByText(crowded).first().waitFor();
});

task('which containers appeared or vanished in the last hour, and why', 1, async (press) => {
  await press.on(inNavigation('Changes'));
  await settled(page);
  await page
    .getByRole('group', { name: 'Span of time' })
    .getByRole('button', { name: 'Last hour', exact: true })
    .waitFor();
  await eventually(async () => {
    const rows = await table('What changed').locator('tbody tr').allInnerTexts();
    const of = (name, what) => rows.find((row) => row.includes(name) && row.includes(what));
    const vanished = of(`${project}-passing`, 'container vanished');
    assert.ok(vanished, 'what was removed is told');
    assert.ok(of(`${project}-hoard`, 'container appeared'), 'what was started is told');
    const cause = vanished.split('\t').filter((cell) => cell.trim() !== '');
    assert.ok(cause.length >= 5, `with its cause: ${vanished}`);
  });
});

task('the live log of a container', 2, async (press) => {
  await press.on(page.getByRole('link', { name: `Follow the log of ${hoard}` }).first());
  await page.waitForURL('**tab=logs*');
  await page.getByRole('switch', { name: 'Follow' }).waitFor();
  const text = fresh('written-now');
  docker(crowded, 'exec', hoard, '/bin/busybox', 'sh', '-c', `echo ${text} >/proc/1/fd/1`);
  await page.getByRole('log').getByText(text).waitFor({ timeout: 10_000 });
});

task('memory of a container now against the same time yesterday', 2, async (press) => {
  const asked = [];
  const note = (request) => {
    if (request.url().endsWith('wharf.monitor.v1.Search/Search')) asked.push(request.postData() ?? '');
  };
  page.on('request', note);
  await press.on(table('Most memory').getByRole('link', { name: hoard, exact: true }));
  await page.getByRole('figure', { name: 'Memory', exact: true }).locator('canvas').waitFor();
  const compare = page.getByLabel('Compare', { exact: true });
  assert.equal(await compare.inputValue(), 'day', 'it is compared with the day before');
  await eventually(() => {
    const memory = asked.filter((body) => body.includes('metrics-docker.memory-default'));
    const begins = memory.flatMap((body) => [...body.matchAll(/"gte":(\d+)/g)].map(([, at]) => Number(at)));
    const apart = begins.some((at) => begins.some((other) => Math.abs(at - other - DAY) < 1_000));
    assert.ok(apart, `the storage is asked for now and for a day before: ${begins}`);
  });
  page.off('request', note);
});

task('all error lines of one application in the last hour, as a link', 3, async (press) => {
  await press.on(inNavigation('Logs'));
  await settled(page);
  await press.on(page.getByTitle('Only error lines of books', { exact: true }));
  await eventually(() => assert.match(page.url(), /q=service\.name/, 'the query is in the URL'));
  await press.on(page.getByRole('button', { name: 'Copy link' }));
  await page.getByText('Copied').waitFor();
  const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
  const [from, to] = ['from', 'to'].map((name) => Date.parse(link.searchParams.get(name)));
  assert.ok(Math.abs(to - from - 3_600_000) < 60_000, `the span is an hour: ${link}`);
  const other = await enter(browser, link.pathname + link.search);
  const rows = other.page.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]');
  await rows.first().waitFor();
  for (const row of await rows.allInnerTexts()) {
    assert.match(row, /cannot book: no such account/, 'whoever opens it sees error lines of it alone');
  }
  clean(other);
  await other.context.close();
});

test('a watch and a deployment in trouble are there for the rest', { skip }, async () => {
  await page.goto('/alerts/create-watch');
  await settled(page);
  await page.getByLabel('Looks back', { exact: true }).fill('10m');
  await page.getByLabel('Query', { exact: true }).fill('service.name:books AND log.level:error');
  await page.getByLabel('An alert for each', { exact: true }).fill('container.name');
  await page.getByLabel('Threshold', { exact: false }).fill('0');
  await page.getByLabel('Every', { exact: true }).fill('5s');
  await page.getByLabel('Name', { exact: false }).first().fill(watch);
  await page.getByRole('button', { name: 'Create watch' }).click();
  await page.waitForURL('**/alerts?tab=watches');

  await showDeployment(page, deployment);
  const endpoint = await endpointOf(page, deployment);
  const store = containerNamed(`${deployment}-storage-0`);
  // Killed, it is started anew and its end is kept; stopped, it answers nobody.
  docker(store.host, 'kill', store.name);
  await page.getByText('ended with code 137').first().waitFor({ timeout: SOON });
  await page.locator('.title-line .mark', { hasText: /^Healthy$/ }).waitFor({ timeout: SOON });
  const again = await eventually(() => containerNamed(`${deployment}-storage-0`));
  docker(again.host, 'kill', '-s', 'STOP', again.name);
  await page.locator('.title-line .mark', { hasText: 'Degraded' }).waitFor({ timeout: SOON });
  const asked = await Promise.all(
    Array.from({ length: 8 }, (_, at) => ask(endpoint, `/orders${at}/_search`)),
  );
  assert.ok(asked.filter((status) => status >= 500).length >= 5, `it answers errors: ${asked}`);
  tab.faults.length = 0;
});

task('is the platform healthy; if not, why, what to do, and the evidence', 1, async (press) => {
  await page.locator('.title-line .mark', { hasText: 'Not healthy' }).waitFor({ timeout: SOON });
  const problem = finding(`\`${deployment}\``).first();
  await problem.getByText(/works with less than it should have: storage-0/).waitFor();
  await problem.getByText(/^What to do: .*wharf deployment show/).waitFor();
  await shoot(page, 'overview-trouble');
  assert.equal(press.count, 0, 'why and what to do take no press');
  await press.on(problem.getByRole('link', { name: 'Show deployment' }));
  await page.getByRole('heading', { level: 2, name: 'What is wrong' }).waitFor();
  await page.getByRole('button', { name: 'storage-0' }).first().waitFor();
});

task('the last error of a failing instance, with its log lines', 2, async (press) => {
  await press.on(finding(`\`${deployment}\` works with less`).getByRole('link', { name: 'Show deployment' }));
  const trouble = page.locator('.card').filter({ hasText: 'What is wrong' }).first();
  await trouble.getByText(/137/).first().waitFor();
  const lines = trouble.locator('pre').first();
  assert.match(await lines.innerText(), /\S+/, 'what it said last is shown');
});

task('a service that answers errors although its host is healthy, and its page', 1, async (press) => {
  const erring = finding('with errors').filter({ hasText: deployment });
  await erring.waitFor({ timeout: SOON });
  const text = await erring.innerText();
  assert.match(text, /although nothing is wrong with where it runs/, 'its host is healthy');
  assert.equal(press.count, 0, 'the finding takes no press');
  await press.on(erring.getByRole('link', { name: 'Show the service' }));
  await page.getByRole('heading', { level: 1, name: deployment }).waitFor();
  const failed = table('Last requests that were answered with an error');
  await failed
    .getByText(/\/orders\d\/_search/)
    .first()
    .waitFor();
});

task('from a deployment in trouble to what it wrote', 1, async (press) => {
  const act = `Read its log: ${deployment}`;
  await press.on(finding(`\`${deployment}\` works with less`).getByRole('link', { name: act }));
  await page.waitForURL('**/discover?*');
  const rows = page.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]');
  await rows.first().waitFor();
});

test('a dialog is in the URL: a link opens it, a reload keeps it, closed it is gone', { skip }, async () => {
  await page.goto('/deployments');
  await settled(page);
  await page.goto(`/deployments/${deployment}?do=resize`);
  const dialog = page.getByRole('dialog', { name: `Resize ${deployment}` });
  await dialog.waitFor();
  await page.reload();
  await dialog.waitFor();
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).search, '', 'nothing of it is left in the URL');
  await page.getByRole('button', { name: 'Restart', exact: true }).click();
  await page.getByRole('dialog', { name: `Restart ${deployment}` }).waitFor();
  assert.equal(new URL(page.url()).search, '?do=restart', 'what a button opens can be sent to another');
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Deployments' }).waitFor();
  clean(tab);
});

task('why an instance lies there, and why not elsewhere', 2, async (press) => {
  const system = table('Most memory').getByRole('link', { name: 'system', exact: true });
  await press.on(system.first());
  await press.on(table('Instances').getByRole('button', { name: 'storage-0' }));
  const why = table('Why there, and why not elsewhere');
  await why.getByText('lies here').waitFor();
  for (const host of HOSTS) await why.getByRole('link', { name: host, exact: true }).waitFor();
});

const firing = () => page.getByRole('link', { name: /^Firing: [1-9]/ });
const alertOf = () =>
  page.locator('tbody tr', { has: page.getByRole('link', { name: watch, exact: true }) }).first();

task('from a firing alert to the log lines behind it', 2, async (press) => {
  await firing().waitFor({ timeout: SOON });
  await press.on(firing());
  await press.on(alertOf().getByRole('link', { name: /^Log lines/ }));
  await page.waitForURL('**/discover?*');
  const rows = page.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]');
  await rows.first().waitFor();
  for (const row of await rows.allInnerTexts()) assert.match(row, /cannot book/, 'they are those lines');
});

task('which alerts fire, and one is acknowledged', 2, async (press) => {
  await press.on(firing());
  await press.on(alertOf().getByRole('button', { name: /^Acknowledge/ }));
  await alertOf().getByText('Acknowledged').first().waitFor();
});

test('a dashboard is there for a chart', { skip }, async () => {
  await page.goto('/dashboards');
  await page.getByRole('button', { name: 'New dashboard', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Title').fill(`Board ${board}`);
  await dialog.getByLabel('Name').fill(board);
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await page.waitForURL(`**/dashboards/${board}*`);
});

task('a chart of a field is added to a dashboard', 4, async (press) => {
  await press.on(inNavigation('Dashboards'));
  await press.on(page.getByRole('link', { name: `Board ${board}` }));
  await press.on(page.getByRole('button', { name: 'Add chart', exact: true }).first());
  const editor = page.getByRole('dialog');
  await editor.getByLabel('Field').first().fill('docker.memory.usage.total');
  await eventually(async () =>
    assert.equal(await editor.getByLabel('Data stream').inputValue(), 'metrics-docker.memory-*'),
  );
  await press.on(editor.getByRole('button', { name: 'Save', exact: true }));
  await editor.waitFor({ state: 'detached' });
  const chart = page.getByRole('region', { name: 'docker.memory.usage.total', exact: true });
  await chart.locator('canvas').waitFor();
});

task('terminate a deployment', 3, async (press) => {
  const { host, name } = containerNamed(`${deployment}-storage-0`);
  docker(host, 'kill', '-s', 'CONT', name);
  await palette(press, `terminate ${deployment}`, `Terminate: ${deployment}`);
  await press.on(page.getByRole('dialog').getByRole('button', { name: 'Terminate' }));
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  await page.getByRole('heading', { level: 1, name: /Terminate/ }).waitFor();
});

test('what the table needed is taken away', { skip }, async () => {
  await page.goto(`/alerts?tab=watches&q=${watch}`);
  await page.getByRole('button', { name: `Actions for ${watch}` }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByLabel(`Type ${watch} to confirm`).fill(watch);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Nothing matches').waitFor();
  await page.goto(`/dashboards/${board}`);
  await removeDashboard(page);
});
