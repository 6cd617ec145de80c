// One instance of a deployment: why it lies there, what it uses, what can be done with it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, launch, settled, shoot } from './browser.mjs';
import { containerNamed, HOSTS, needsHosts } from './steps.mjs';

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

test('why an instance lies there, and why not elsewhere, is in the URL', async () => {
  await page.goto('/deployments/system');
  await settled(page);
  await page.getByRole('table', { name: 'Instances' }).getByRole('button', { name: 'storage-0' }).click();
  const table = page.getByRole('table', { name: 'Why there, and why not elsewhere' });
  await table.getByText('lies here').waitFor();
  await page.waitForURL('**instance=*');
  await page.reload();
  await table.getByText('lies here').waitFor();
  await shoot(page, 'instance');
  clean(tab);
});

test('charts of a deployment have a line for each instance', async () => {
  await page.goto('/deployments/system');
  await settled(page);
  const memory = page.getByRole('figure', { name: 'Memory by instance' });
  await memory.locator('canvas').waitFor();
  await memory.getByText('storage-0').waitFor();
  await memory.getByText('monitoring-0').waitFor();
  clean(tab);
});

async function maintenance(host, begins) {
  await page.goto(`/hosts/${host}`);
  await settled(page);
  await page.getByRole('button', { name: begins ? 'Begin maintenance' : 'End maintenance' }).click();
  await page.getByRole('button', { name: begins ? 'End maintenance' : 'Begin maintenance' }).waitFor();
}

test('a move that no other host takes is refused beforehand, with what each says', {
  skip: needsHosts(2),
}, async () => {
  const { host } = containerNamed('-system-storage-0');
  const others = HOSTS.filter((one) => one !== host);
  for (const one of others) await maintenance(one, true);
  try {
    await page.goto('/deployments/system');
    await settled(page);
    await page.getByRole('button', { name: 'storage-0' }).first().click();
    await page.getByRole('button', { name: 'Move', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Move storage-0' });
    await dialog
      .getByText(/no allocator has room|no host takes it now/)
      .first()
      .waitFor();
    const told = await dialog.innerText();
    assert.match(told, /maintenance/, `the other host is in maintenance, and it says so: ${told}`);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  } finally {
    for (const one of others) await maintenance(one, false);
  }
  clean(tab);
});

test('the host to move to is found by its name and chosen by keys, and what comes of it is foretold', {
  skip: needsHosts(2),
}, async () => {
  const { host } = containerNamed('-system-storage-0');
  const other = HOSTS.find((one) => one !== host);
  await page.goto('/deployments/system');
  await settled(page);
  await page.getByRole('button', { name: 'storage-0' }).first().click();
  await page.getByRole('button', { name: 'Move', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Move storage-0' });
  const to = dialog.getByRole('combobox', { name: 'To' });
  await to.click();
  const offered = dialog.getByRole('option');
  await offered.filter({ hasText: other }).waitFor();
  assert.equal(await offered.filter({ hasText: host }).count(), 0, 'where it lies is not offered');
  await to.press('Escape');
  assert.equal(await to.getAttribute('aria-expanded'), 'false', 'Escape closes the list');
  assert.equal(await dialog.count(), 1, 'and not the dialog');
  // Whoever knows the name does not wait for what is found.
  const searches = '**/wharf.v1.Allocators/ListAllocators';
  let find;
  const pressed = new Promise((done) => {
    find = done;
  });
  await page.route(searches, async (route) => {
    await pressed;
    await route.continue();
  });
  await to.fill(other.slice(1));
  await to.press('Enter');
  find();
  await eventually(async () => assert.equal(await to.inputValue(), other, 'it is chosen'));
  await page.unroute(searches);
  // It may have no room for it.
  await dialog.locator('[data-testid="preview"], .refused').first().waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  clean(tab);
});

test('routing to an instance is stopped and started again', async () => {
  await page.goto('/deployments/system');
  await settled(page);
  await page.getByRole('button', { name: 'monitoring-0' }).first().click();
  await page.getByRole('button', { name: 'Stop routing' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop routing' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByText('routing stopped').first().waitFor();
  await page.getByRole('button', { name: 'Start routing' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Start routing' }).click();
  await page.getByText('routing stopped').first().waitFor({ state: 'detached' });
  clean(tab);
});
