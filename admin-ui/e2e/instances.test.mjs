// One instance of a deployment: why it lies there, what it uses, what can be done with it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, launch, presses, settled, shoot } from './browser.mjs';

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

test('why an instance lies there, and why not elsewhere, takes two presses from the first page', async () => {
  await page.goto('/');
  await settled(page);
  const pressed = presses();
  await pressed.on(
    page
      .getByRole('table', { name: 'Most memory' })
      .getByRole('link', { name: 'system', exact: true })
      .first(),
  );
  await pressed.on(page.getByRole('table', { name: 'Instances' }).getByRole('button', { name: 'storage-0' }));
  const table = page.getByRole('table', { name: 'Why there, and why not elsewhere' });
  await table.getByText('lies here').waitFor();
  assert.equal(pressed.count, 2, 'two presses, as the table of tasks allows');
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

test('a move is foretold before it is ordered', async () => {
  await page.goto('/deployments/system');
  await settled(page);
  await page.getByRole('button', { name: 'storage-0' }).first().click();
  const move = page.getByRole('button', { name: 'Move', exact: true });
  await move.waitFor();
  await move.click();
  const dialog = page.getByRole('dialog', { name: 'Move storage-0' });
  // Where it would go, or that there is no other place: both are the director's words.
  await dialog.locator('[data-testid="preview"], .refused').first().waitFor();
  await page.keyboard.press('Escape');
  tab.faults.length = 0;
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
