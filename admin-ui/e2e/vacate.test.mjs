// A host is emptied: foretold, cancelled while it goes on, carried out, and taken into use again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, settled, shoot } from './browser.mjs';
import {
  containerNamed,
  docker,
  HOSTS,
  makeDeployment,
  needsHosts,
  planEnds,
  showDeployment,
  terminate,
} from './steps.mjs';

const skip = needsHosts(2);
const VACATE_MS = 180_000;
const name = fresh('stock');
// The first host has the directors: the other one is emptied.
const [stays, emptied] = HOSTS;

let browser;
let tab;
let page;
before(async () => {
  if (skip) return;
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
  await makeDeployment(page, name);
});
after(() => browser?.close());

/** Moves the storage of the deployment to the other host, and sees its plan to the end. */
async function move() {
  await showDeployment(page, name);
  await page.getByRole('button', { name: 'storage-0' }).first().click();
  await page.getByRole('button', { name: 'Move', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Move storage-0' });
  let foretold = '';
  await eventually(async () => {
    foretold = await dialog.innerText();
    assert.match(foretold, /goes to/, `it is foretold where it goes: ${foretold}`);
  });
  await dialog.getByRole('button', { name: 'Move', exact: true }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  return foretold;
}

async function toEmptied() {
  for (let moves = 0; containerNamed(`${name}-storage-0`).host !== emptied; moves += 1) {
    assert.ok(moves < 2, `the storage comes to ${emptied} by a move`);
    await move();
  }
}

/** Orders the vacate of the host after a look at what it says beforehand. */
async function order() {
  await page.goto(`/hosts/${emptied}?tab=plans`);
  await settled(page);
  await page.getByRole('button', { name: 'Vacate', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: `Vacate ${emptied}` });
  const row = dialog
    .getByRole('table', { name: 'What would move' })
    .getByRole('row', { name: `${name} / storage-0` });
  await eventually(async () => {
    const told = await row.innerText();
    assert.match(told, new RegExp(`\\b${stays}\\b`), `it would go to ${stays}: ${told}`);
  });
  await dialog.getByRole('button', { name: 'Vacate', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

const last = () =>
  page.locator('.card').filter({ has: page.getByRole('table', { name: 'Vacate', exact: true }) });

const vacates = () => page.getByRole('table', { name: 'Vacates' }).locator('tbody tr');

async function endMaintenance() {
  await page.getByRole('button', { name: 'End maintenance' }).click();
  await page.getByRole('button', { name: 'Begin maintenance' }).waitFor();
}

test('a move is foretold and carried out', { skip }, async () => {
  const before = containerNamed(`${name}-storage-0`).host;
  const to = HOSTS.find((host) => host !== before);
  const foretold = await move();
  assert.match(foretold, new RegExp(`goes to\\s+${to}\\b`), 'it says where it would go');
  assert.equal(containerNamed(`${name}-storage-0`).host, to, 'and there it runs');
  clean(tab);
});

test('a vacate that goes on is cancelled, and nothing has moved', { skip }, async () => {
  await toEmptied();
  const { name: allocator } = containerNamed('-allocator', { hosts: [stays] });
  // While it stands still nothing that moves can arrive.
  docker(stays, 'kill', '-s', 'STOP', allocator);
  try {
    await order();
    await last().getByText('Running').first().waitFor();
    await page.locator('.title-line .mark', { hasText: 'Being vacated' }).waitFor();
    // Among what goes on it is told, too, and cancelled there.
    await page.goto(`/plans?tab=vacates&host=${emptied}`);
    await settled(page);
    const row = vacates().first();
    await row.getByText('Running').waitFor();
    await row.getByText(/^0 \/ [1-9]\d*$/).waitFor();
    await shoot(page, 'vacates-light');
    await row.getByRole('button', { name: `Cancel vacate: ${emptied}`, exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `Cancel the vacate of ${emptied}` });
    await dialog.getByRole('button', { name: 'Cancel vacate', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
    await row.getByRole('link', { name: emptied, exact: true }).click();
    await page.waitForURL(`**/hosts/${emptied}?tab=plans`);
  } finally {
    docker(stays, 'kill', '-s', 'CONT', allocator);
  }
  await last().getByText('Cancelled').first().waitFor({ timeout: VACATE_MS });
  assert.equal(containerNamed(`${name}-storage-0`).host, emptied, 'it lies where it was');
  await page.locator('.title-line .mark', { hasText: 'Maintenance' }).waitFor();
  await endMaintenance();
  // The one that stood still has a session again.
  await page.goto(`/hosts/${stays}`);
  await page.locator('.title-line .mark', { hasText: 'Connected' }).waitFor({ timeout: VACATE_MS });
  clean(tab);
});

test('a vacate is followed until nothing lies there', { skip }, async () => {
  await toEmptied();
  await order();
  await last().getByText('Done').first().waitFor({ timeout: VACATE_MS });
  await last()
    .getByText(/^(\d+) of \1 moved/)
    .waitFor();
  await shoot(page, 'host-vacated');
  assert.equal(containerNamed(`${name}-storage-0`).host, stays, 'it runs on the other host');
  const again = page.getByRole('button', { name: 'Vacate', exact: true });
  await eventually(async () =>
    assert.equal(await again.getAttribute('data-why-not'), 'No instance lies here', 'it is empty'),
  );
  await vacates().filter({ hasText: 'Done' }).first().waitFor();
  await vacates().filter({ hasText: 'Cancelled' }).first().waitFor();
  await endMaintenance();
  await page.locator('.title-line .mark', { hasText: 'Connected' }).waitFor();
  clean(tab);
});

test('vacates and the plans of their moves are found by their host', { skip }, async () => {
  await page.goto('/plans');
  await settled(page);
  const host = page.getByRole('combobox', { name: 'Host' });
  await host.fill(emptied);
  await page.getByRole('option', { name: emptied }).waitFor();
  await host.press('Enter');
  await page.waitForURL(`**host=${emptied}*`);
  await eventually(async () =>
    assert.equal(await host.inputValue(), `Host: ${emptied}`, 'it says whose plans are listed'),
  );
  await page.getByLabel('Kind', { exact: true }).selectOption('move');
  const plans = page.getByRole('table', { name: 'Plans', exact: true }).locator('tbody tr');
  await plans
    .filter({ has: page.getByRole('link', { name, exact: true }) })
    .filter({ hasText: 'Done' })
    .first()
    .waitFor();
  await page.getByRole('tab', { name: 'Vacates' }).click();
  await page.waitForURL(
    (url) => url.searchParams.get('tab') === 'vacates' && !url.searchParams.has('f.kind'),
  );
  await eventually(async () => {
    const hosts = await vacates().locator('td:first-child').allInnerTexts();
    assert.ok(hosts.length >= 2 && hosts.every((one) => one === emptied), `of that host alone: ${hosts}`);
  });
  await page.getByLabel('State', { exact: true }).selectOption('cancelled');
  await eventually(async () => {
    const states = await vacates().locator('td:nth-child(2)').allInnerTexts();
    assert.ok(states.length > 0 && states.every((one) => one === 'Cancelled'), `of that state: ${states}`);
  });
  await page.goto(`/plans?tab=vacates&host=${stays}`);
  await page.getByText('This host was never vacated').waitFor();
  clean(tab);
});

test('what it needed is stopped', { skip }, async () => {
  await showDeployment(page, name);
  await terminate(page);
});
