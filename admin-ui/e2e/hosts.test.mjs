// The hosts, and one of them tab by tab.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, settled, shoot } from './browser.mjs';
import { containerNamed, docker, HOSTS, needsHosts, runApplication } from './steps.mjs';

const { WHARF_UI_WRITE: write } = process.env;
const [WRITERS_HOST, WRITER] = (process.env.WHARF_UI_WRITER ?? '').split('/');
const writing = { skip: write ? false : 'WHARF_UI_WRITE, a program that writes lines, is not given' };
const steered = { skip: needsHosts(1) };
const several = { skip: needsHosts(2) };
/** Hosts tell their memory every 10 s; who has not for a minute is missing. */
const UNTOLD_MS = 120_000;
// Of an instance of the platform's own deployment.
const STORAGE = /^(?!Follow).*system-storage-0$/;

let browser;
let tab;
let page;
let host;
before(async () => {
  browser = await launch();
  tab = await enter(browser, '/containers?q=system-storage');
  page = tab.page;
  // The host of the platform's own storage, whatever it is called.
  const link = page
    .getByRole('table', { name: 'Containers of every host' })
    .getByRole('link', { name: STORAGE });
  host = decodeURIComponent((await link.first().getAttribute('href')).split('/')[2]);
});
after(() => browser?.close());

const containersOf = (where) => docker(where, 'ps', '--all', '--format', '{{.Names}}').split('\n').sort();
const listed = () => page.getByRole('table', { name: 'Hosts of the platform' }).locator('tbody tr');
const names = () => listed().locator('td:first-child').allInnerTexts();

test(
  'every host is listed with its zone and roles, in the order that is asked, and found by name',
  several,
  async () => {
    await page.goto('/hosts');
    await settled(page);
    await eventually(async () => assert.deepEqual(await names(), [...HOSTS].sort(), 'by name, each once'));
    const zones = await listed().locator('td:nth-child(3)').allInnerTexts();
    assert.equal(
      new Set(zones).size,
      HOSTS.length,
      `each host of this platform has a zone of its own: ${zones}`,
    );
    for (const name of HOSTS) {
      const row = listed().filter({ has: page.getByRole('link', { name, exact: true }) });
      await row.getByText('Connected').waitFor();
      assert.match(await row.locator('td:nth-child(4)').innerText(), /allocator/, `${name} takes instances`);
      // The agents say what runs on it, and nothing else does.
      const running = docker(name, 'ps', '--all', '--quiet').split('\n').length;
      await eventually(async () =>
        assert.equal(await row.locator('td:nth-child(10)').innerText(), String(running)),
      );
    }
    await page.goto('/hosts?sort=host+desc');
    await settled(page);
    await eventually(async () =>
      assert.deepEqual(await names(), [...HOSTS].sort().reverse(), 'from the end'),
    );
    await page.getByLabel('Find by host name', { exact: true }).fill(WRITERS_HOST);
    await page.waitForURL(`**q=${WRITERS_HOST}*`);
    await eventually(async () =>
      assert.deepEqual(await names(), [WRITERS_HOST], 'what is searched for alone'),
    );
    clean(tab);
  },
);

test(
  'the page of a host has its own containers, measurements and lines, and none of another',
  several,
  async () => {
    await page.goto(`/hosts/${WRITERS_HOST}?tab=containers`);
    await settled(page);
    const containers = page.getByRole('table', { name: 'Containers' }).locator('tbody tr');
    await eventually(async () => {
      const shown = (await containers.locator('td:first-child').allInnerTexts())
        .map((name) => name.trim())
        .sort();
      assert.deepEqual(shown, containersOf(WRITERS_HOST), 'those that its engine has');
    });
    await page.getByRole('tab', { name: 'Overview' }).click();
    for (const name of ['CPU', 'Memory']) {
      await page.getByRole('figure', { name, exact: true }).locator('canvas').waitFor();
    }
    await page.goto(`/hosts/${WRITERS_HOST}?tab=logs&source=containers`);
    await settled(page);
    const lines = page.getByRole('log').locator('.log-line');
    await lines.first().waitFor();
    const writers = new Set(await lines.locator('.who').allTextContents());
    assert.ok(writers.size > 0, 'each line says who wrote it');
    // Instances move between hosts, roles do not.
    const role = containersOf(host).find((one) => one.endsWith('-director'));
    assert.ok(role && !writers.has(role), `${role} lies on ${host}, not on ${WRITERS_HOST}`);
    clean(tab);
  },
);

async function open(name) {
  await page.goto(`/hosts/${host}`);
  await settled(page);
  if (name) await page.getByRole('tab', { name, exact: true }).click();
  await settled(page);
}

test('a host shows what it did over time', async () => {
  await open();
  for (const name of ['CPU', 'Memory', 'Load', 'Disks in use, by mount point']) {
    const chart = page.getByRole('figure', { name, exact: true });
    // What is far from sight is not drawn.
    await chart.scrollIntoViewIfNeeded();
    await chart.locator('canvas').waitFor();
  }
  await page.getByRole('table', { name: 'Instances' }).getByText('storage-0').first().waitFor();
  clean(tab);
});

test('the processes that use the most come first', async () => {
  await open('Processes');
  const table = page.getByRole('table', { name: 'Processes that use the most' });
  await table.locator('tbody tr').nth(4).waitFor();
  await page.getByRole('group', { name: 'Order by' }).getByRole('button', { name: 'Memory' }).click();
  await page.waitForURL('**by=memory*');
  await eventually(async () => {
    const units = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
    const sizes = (await table.locator('tbody td:nth-child(4)').allInnerTexts()).map((text) => {
      const [figure, unit] = text.split(/\s/);
      return Number(figure.replaceAll(',', '')) * units[unit];
    });
    assert.deepEqual(
      sizes,
      [...sizes].sort((a, b) => b - a),
      'the largest comes first',
    );
  });
  clean(tab);
});

test('a process of a container leads to its container', steered, async () => {
  const name = runApplication(host, fresh('busy'), 'loop', 'while true; do :; done', ['--cpus', '0.5']);
  try {
    await page.goto(`/hosts/${host}?tab=processes&refresh=5`);
    const table = page.getByRole('table', { name: 'Processes that use the most' });
    const link = table.getByRole('link', { name, exact: true });
    await link.first().click({ timeout: 90_000 });
    await page.waitForURL(`**/containers/${host}/${name}`);
    clean(tab);
  } finally {
    docker(host, 'rm', '--force', name);
  }
});

test('interfaces of a host have their own lines', async () => {
  await open('Network');
  await page.getByRole('figure', { name: 'Received, by interface', exact: true }).locator('canvas').waitFor();
  await page.getByRole('figure', { name: 'TCP connections' }).locator('canvas').waitFor();
  clean(tab);
});

test('lines of all containers of a host come together', writing, async () => {
  const text = fresh('together');
  execFileSync(write, [text]);
  await page.goto(`/hosts/${WRITERS_HOST}?tab=logs`);
  await settled(page);
  await page.getByRole('button', { name: 'Lines of its containers' }).click();
  await page.waitForURL('**source=containers*');
  const log = page.getByRole('log');
  await log.getByText(text, { exact: true }).waitFor();
  const writers = new Set(await log.locator('.log-line .who').allTextContents());
  assert.ok(writers.has(WRITER) && writers.size > 1, `beside those of others: ${[...writers]}`);
  clean(tab);
});

test('a host that tells nothing is missing from the memory by zone, and is told to be', several, async () => {
  const silent = HOSTS.find((one) => one !== host);
  const { name } = containerNamed('-allocator', { hosts: [silent] });
  await page.goto('/?refresh=10');
  await page.getByRole('figure', { name: 'Memory in use by zone' }).locator('canvas').waitFor();
  const untold = page.getByTestId('untold');
  await eventually(async () => assert.equal(await untold.count(), 0, 'every host tells its memory'));
  docker(silent, 'kill', '-s', 'STOP', name);
  try {
    await untold.getByText(/^1 of \d+ hosts have told nothing/).waitFor({ timeout: UNTOLD_MS });
    const zones = page.getByRole('table', { name: 'Memory by zone' });
    await zones.getByText(/silent: 1$/).waitFor({ timeout: UNTOLD_MS });
    await shoot(page, 'overview-host-silent');
  } finally {
    docker(silent, 'kill', '-s', 'CONT', name);
  }
  await untold.waitFor({ state: 'detached', timeout: UNTOLD_MS });
  clean(tab);
});

test('plans of a host are those that act on it, beside its vacates and what happened there', async () => {
  await page.goto(`/hosts/${host}?tab=plans&from=now-24h&to=now`);
  await settled(page);
  await page.getByRole('heading', { name: 'Vacates' }).waitFor();
  const plans = page.getByRole('table', { name: 'Plans that act on this host' }).locator('tbody tr');
  // The one that made the platform's own deployment put its storage here.
  const first = plans.filter({ has: page.getByRole('link', { name: 'system', exact: true }) }).last();
  await first.getByRole('link', { name: 'Create', exact: true }).click();
  await page.waitForURL('**/plans/*');
  await page.getByRole('link', { name: host, exact: true }).waitFor();
  await page.goBack();
  await settled(page);
  const happened = page.getByRole('table', { name: 'What happened here' }).locator('tbody tr');
  await happened.first().waitFor();
  await page.getByLabel('Find by subject', { exact: true }).fill('container/');
  await eventually(async () => {
    const subjects = await happened.locator('td:nth-child(3)').allInnerTexts();
    const ways = await happened
      .locator('td:nth-child(3) a')
      .evaluateAll((all) => all.map((one) => one.pathname));
    assert.ok(
      subjects.length > 0 &&
        ways.length === subjects.length &&
        ways.every((way) => /^\/containers\//.test(way)),
      `containers came here, each with the way to it: ${subjects}`,
    );
    const causes = await happened.locator('td:nth-child(5)').allInnerTexts();
    assert.ok(
      causes.every((cause) => cause.trim() !== ''),
      `each with its cause: ${causes}`,
    );
  });
  clean(tab);
});

test('a tab and its span are in the URL', async () => {
  await page.goto(`/hosts/${host}?tab=network&from=now-15m&to=now`);
  await settled(page);
  assert.equal(await page.getByRole('tab', { name: 'Network' }).getAttribute('aria-selected'), 'true');
  await page.getByRole('tab', { name: 'Overview' }).click();
  await page.waitForURL((url) => url.searchParams.get('from') === 'now-15m' && !url.searchParams.has('tab'));
  await shoot(page, 'host-overview');
  clean(tab);
});
