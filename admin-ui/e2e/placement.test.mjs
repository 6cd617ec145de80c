// The map of zones, hosts and containers: drawn, gone through by keys, told as a table, and asked what
// would be lost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, launch, settled, shoot } from './browser.mjs';

let browser;
let tab;
let page;
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

test('the map is drawn, and keys go through it to the page of a container', async () => {
  await go('/placement');
  const map = page.getByRole('region', { name: 'Zones, hosts and containers' });
  await map.locator('canvas').waitFor();
  await shoot(page, 'placement-map');
  await map.focus();
  await page.keyboard.press('ArrowRight');
  const told = map.locator('[aria-live]');
  await told.getByText(/Memory: /).waitFor();
  const [name] = (await told.innerText()).split(',');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowLeft');
  assert.ok((await told.innerText()).startsWith(`${name},`), 'the key back leads back');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/containers\/[^/]+\/[^/]+/);
  assert.ok(
    decodeURIComponent(page.url()).endsWith(`/${name}`),
    `the page is that of ${name}: ${page.url()}`,
  );
  clean(tab);
});

test('a press on the map opens the container under it', async () => {
  await go('/placement');
  const canvas = page.getByRole('region', { name: 'Zones, hosts and containers' }).locator('canvas');
  await canvas.waitFor();
  const box = await canvas.boundingBox();
  // Below the heads of zone and host lies the largest container.
  await canvas.click({ position: { x: 60, y: Math.min(120, box.height / 2) } });
  await page.waitForURL(/\/containers\/[^/]+\/[^/]+/);
  clean(tab);
});

test('the table says the same, and no container is offered a move', async () => {
  await go('/placement?as=table');
  const table = page.getByRole('table', { name: 'Containers by zone and host' });
  const rows = table.locator('tbody tr');
  await rows.first().waitFor();
  assert.ok((await rows.count()) >= 3, 'the platform itself has three containers or more');
  await table.getByRole('link', { name: 'system', exact: true }).first().waitFor();
  assert.equal(
    await page.getByRole('button', { name: /move/i }).count(),
    0,
    'no container is offered a move',
  );
  clean(tab);
});

test('colour and deployment are kept in the URL', async () => {
  await go('/placement');
  await page.getByLabel('Colour', { exact: true }).selectOption({ label: 'Colour: CPU' });
  await page.waitForURL('**colour=cpu*');
  await page.getByLabel('Deployment', { exact: true }).selectOption({ label: 'Deployment: system' });
  await page.waitForURL('**deployment=system*');
  await page.reload();
  await settled(page);
  assert.equal(
    await page.getByLabel('Colour', { exact: true }).inputValue(),
    'cpu',
    'a reload keeps the colour',
  );
  assert.equal(
    await page.getByLabel('Deployment', { exact: true }).inputValue(),
    'system',
    'a reload keeps the deployment',
  );
  clean(tab);
});

test('a lost host takes its instances, and the directors say where they would go', async () => {
  await go('/placement');
  const choice = page.getByLabel('Host or zone that is lost');
  const hosts = await choice.locator('option').allInnerTexts();
  await choice.selectOption({ label: hosts.find((label) => label.startsWith('Lose host')) ?? '' });
  await page.waitForURL('**lose=host*');
  const answer = page.getByTestId('what-if');
  await answer.getByText(/^With .* go \d+ instances of \d+ deployments\.$/).waitFor();
  await answer.getByText(/They need .*; the other hosts have .* to hand out\./).waitFor();
  await answer
    .getByRole('table', { name: 'Where its instances would go' })
    .locator('tbody tr')
    .first()
    .waitFor();
  clean(tab);
});

test('concentration is told in words', async () => {
  await go('/placement');
  await page
    .getByText(/Spread out|Piled up|In one place/)
    .first()
    .waitFor();
  clean(tab);
});
