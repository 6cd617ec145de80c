// The map of zones, hosts and containers: drawn, gone through by keys, told as a table, and asked what
// would be lost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, settled, shoot, still } from './browser.mjs';
import { docker, HOSTS, needsHosts, runApplication } from './steps.mjs';

/** So many more than a platform with few applications has on a host. */
const PILE = 24;
const SOON = 90_000;

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
  await map.getByRole('group').focus();
  await page.keyboard.press('ArrowRight');
  const told = map.locator('[aria-live]');
  await told.getByText(/Memory: /).waitFor();
  const [name] = (await told.innerText()).split(',');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowLeft');
  assert.ok((await told.innerText()).startsWith(`${name},`), 'the key back leads back');
  await page.keyboard.press('Escape');
  await eventually(async () => assert.equal(await told.innerText(), '', 'Escape leaves'));
  await page.keyboard.press('Home');
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
  // The page goes on from the URL that it has drawn.
  await still(page);
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
  await page.goto('/hosts?sort=instances+desc');
  await settled(page);
  const hosts = await page
    .getByRole('table', { name: 'Hosts of the platform' })
    .getByRole('link')
    .allInnerTexts();
  const [lost] = hosts;
  await go(`/hosts/${lost}`);
  const lying = page.getByRole('table', { name: 'Instances' }).locator('tbody tr');
  await lying.first().waitFor();
  const count = await lying.count();
  assert.ok(count >= 2, `the fullest host has the instances of the system deployment at least: ${count}`);
  await go('/placement');
  await page.getByLabel('Host or zone that is lost').selectOption({ label: `Lose host ${lost}` });
  await page.waitForURL('**lose=host*');
  const answer = page.getByTestId('what-if');
  await answer.getByText(new RegExp(`^With ${lost} go ${count} instances of \\d+ deployments\\.$`)).waitFor();
  await answer.getByText(/They need .*; the other hosts have .* to hand out\./).waitFor();
  const moves = answer.getByRole('table', { name: 'Where its instances would go' }).locator('tbody tr');
  await eventually(async () => assert.equal(await moves.count(), count, 'each instance has a row'));
  for (const row of await moves.allInnerTexts()) {
    const goes = hosts.slice(1).some((host) => row.includes(host));
    assert.ok(goes || row.includes('nowhere'), `it says where, or that there is no place: ${row}`);
  }
  if (hosts.length === 1) {
    assert.equal(await moves.filter({ hasText: 'nowhere' }).count(), count, 'there is no other host');
  }
  clean(tab);
});

test('what piles up on a host is told in words while it does', { skip: needsHosts(2) }, async () => {
  const [, crowded] = HOSTS;
  const told = page.locator('.findings li').filter({ hasText: 'Piled up' }).filter({ hasText: crowded });
  await go('/placement');
  await page.locator('.findings li').first().waitFor();
  assert.equal(await told.count(), 0, 'nothing is piled up there yet');
  const project = fresh('crowd');
  const names = Array.from({ length: PILE }, (_, at) => `one${at}`);
  try {
    for (const name of names) runApplication(crowded, project, name, 'sleep 3600');
    await told.waitFor({ timeout: SOON });
    await told.getByRole('link', { name: 'Show host' }).waitFor();
  } finally {
    docker(crowded, 'rm', '-f', ...names.map((name) => `${project}-${name}`));
  }
  await told.waitFor({ state: 'detached', timeout: SOON });
  clean(tab);
});
