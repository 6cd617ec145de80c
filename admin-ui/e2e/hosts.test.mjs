// One host, tab by tab.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, launch, settled, shoot } from './browser.mjs';

let browser;
let tab;
let page;
let host;
before(async () => {
  browser = await launch();
  tab = await enter(browser, '/hosts');
  page = tab.page;
  host = await page
    .getByRole('table', { name: 'Hosts of the platform' })
    .getByRole('link')
    .first()
    .innerText();
});
after(() => browser?.close());

async function open(name) {
  await page.goto(`/hosts/${host}`);
  await settled(page);
  if (name) await page.getByRole('tab', { name, exact: true }).click();
  await settled(page);
}

test('a host shows what it did over time', async () => {
  await open();
  for (const name of ['CPU', 'Memory', 'Load']) {
    await page.getByRole('figure', { name, exact: true }).locator('canvas').waitFor();
  }
  await page.getByRole('figure', { name: 'Disks in use, by mount point' }).waitFor();
  await page.getByRole('table', { name: 'Instances' }).waitFor();
  clean(tab);
});

test('the processes that use the most come first, those of containers with a way to them', async () => {
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

test('interfaces of a host have their own lines', async () => {
  await open('Network');
  await page.getByRole('figure', { name: 'Received, by interface', exact: true }).locator('canvas').waitFor();
  await page.getByRole('figure', { name: 'TCP connections' }).locator('canvas').waitFor();
  clean(tab);
});

test('lines of all containers of a host come together', async () => {
  await open('Logs');
  await page.getByRole('button', { name: 'Lines of its containers' }).click();
  await page.waitForURL('**source=containers*');
  const log = page.getByRole('log');
  await log.locator('.log-line').first().waitFor();
  clean(tab);
});

test('plans of a host tell of its vacates and of what happened there', async () => {
  await open('Plans');
  await page.getByRole('heading', { name: 'Vacates' }).waitFor();
  await page.getByRole('heading', { name: 'What happened here' }).waitFor();
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
