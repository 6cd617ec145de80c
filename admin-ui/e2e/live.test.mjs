import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, launch, settled } from './browser.mjs';
import { containerNamed, HOSTS, linesOf } from './steps.mjs';

const RESTART = process.env.WHARF_UI_RESTART;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('what one changes is shown in the page of another, by one stream a tab', async () => {
  const watcher = await enter(browser, '/hosts');
  await watcher.page.getByText('Live', { exact: true }).waitFor();
  const actor = await enter(browser, '/hosts');
  const host = await actor.page
    .getByRole('table', { name: 'Hosts of the platform' })
    .getByRole('link')
    .first()
    .innerText();
  await actor.page.getByRole('link', { name: host, exact: true }).click();
  await actor.page.getByRole('button', { name: 'Begin maintenance' }).click();
  await actor.page.getByRole('button', { name: 'End maintenance' }).waitFor();

  const row = watcher.page.getByRole('row', { name: new RegExp(`^${host}`) });
  await row.getByText('Maintenance').waitFor({ timeout: 10_000 });
  await actor.page.getByRole('button', { name: 'End maintenance' }).click();
  await row.getByText('Connected').waitFor({ timeout: 10_000 });
  clean(watcher);
  clean(actor);
  await watcher.context.close();
  await actor.context.close();
});

test('a page lives on over a restart of its director, and goes on live', {
  skip: RESTART ? false : 'WHARF_UI_RESTART, a command that restarts the director, is not given',
}, async () => {
  const tab = await enter(browser, '/');
  const live = tab.page.getByText('Live', { exact: true });
  await live.waitFor();
  execSync(RESTART, { stdio: 'ignore' });
  await tab.page.getByText('Reconnecting', { exact: true }).waitFor({ timeout: 60_000 });
  await live.waitFor({ timeout: 90_000 });
  assert.equal(new URL(tab.page.url()).pathname, '/', 'a restart logs nobody out');
  await tab.page.getByRole('table', { name: 'Most memory' }).locator('tbody tr').first().waitFor();
  await tab.context.close();
});

test('a browser that holds itself for offline is shown what the director says all the same', async () => {
  const tab = await enter(browser, '/');
  await settled(tab.page);
  // As a machine says whose only way leads to the director, or whose way has just changed.
  await tab.page.evaluate(() => window.dispatchEvent(new Event('offline')));
  await tab.page
    .getByRole('navigation', { name: 'Pages' })
    .getByRole('link', { name: 'Hosts', exact: true })
    .click();
  await tab.page.getByRole('table', { name: 'Hosts of the platform' }).getByRole('link').first().waitFor();
  clean(tab);
  await tab.context.close();
});

test('the vacate of a host says beforehand what would move, and why it could not', async () => {
  const tab = await enter(browser, '/hosts');
  await tab.page.getByRole('table', { name: 'Hosts of the platform' }).getByRole('link').first().click();
  await settled(tab.page);
  await tab.page.getByRole('button', { name: 'Vacate' }).click();
  const dialog = tab.page.getByRole('dialog');
  const moves = dialog.getByRole('table', { name: 'What would move' });
  await moves
    .getByRole('row', { name: /storage-0/ })
    .first()
    .waitFor();
  await tab.page.getByLabel('The host is down for good').check();
  assert.equal(
    await dialog.getByRole('button', { name: 'Vacate' }).getAttribute('aria-disabled'),
    'true',
    'giving a host up is confirmed by its name',
  );
  await tab.page.keyboard.press('Escape');
  clean(tab);
  await tab.context.close();
});

test('a setting is changed and put back', async () => {
  const tab = await enter(browser, '/settings?q=placement.move_budget');
  await tab.page.getByRole('button', { name: 'Edit placement.move_budget' }).click();
  const dialog = tab.page.getByRole('dialog');
  await dialog.getByLabel('Value').fill('nonsense');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('What to do').waitFor();
  await dialog.getByLabel('Value').fill('3');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  const row = tab.page.getByRole('row', { name: /placement\.move_budget/ });
  await row.getByText('Set', { exact: true }).waitFor();
  assert.match(await row.innerText(), /\b3\b/, 'what was set is in force');
  await tab.page.getByRole('button', { name: 'Edit placement.move_budget' }).click();
  await tab.page.getByRole('dialog').getByRole('button', { name: 'Back to default' }).click();
  await row.getByText('Set', { exact: true }).waitFor({ state: 'detached' });
  clean(tab);
  await tab.context.close();
});

test("a refusal has the id of its call, by which its line in the director's log is found", async (t) => {
  const tab = await enter(browser, '/settings?q=placement.move_budget&do=placement.move_budget');
  const dialog = tab.page.getByRole('dialog');
  const refusal = async (value) => {
    const answered = tab.page.waitForResponse('**/wharf.v1.Settings/SetSetting');
    await dialog.getByLabel('Value').fill(value);
    await dialog.getByRole('button', { name: 'Save' }).click();
    const sent = (await answered).request().headers()['x-wharf-call-id'];
    await dialog.locator('.call-id code', { hasText: sent }).waitFor();
    return sent;
  };
  const first = await refusal('nonsense');
  assert.match(first, /^[0-9a-f]{32}$/, 'an id is 32 hex characters');
  const id = await refusal('more nonsense');
  assert.notEqual(id, first, 'each call has an id of its own');
  await dialog.getByRole('button', { name: 'Copy the call ID' }).waitFor();
  await dialog.getByRole('link', { name: 'Find it in the logs' }).click();
  await tab.page.waitForURL('**/discover?*');
  const rows = tab.page.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]');
  const found = rows.filter({ hasText: `a call failed call_id=${id}` });
  await eventually(async () => {
    await tab.page.reload();
    await settled(tab.page);
    assert.equal(await found.count(), 1, 'the line has come to the storage');
  }, 60_000);
  clean(tab);
  await tab.context.close();
  if (HOSTS.length === 0)
    return t.diagnostic('the log of the director itself is not looked at: no engine is known');
  const director = containerNamed('-director');
  const line = linesOf(director.host, director.name).find(
    (one) => one.includes(id) && one.includes('a call failed'),
  );
  assert.match(line ?? '', /SetSetting/, 'the line says which call it was');
});

test('a token is made, shown once, and revoked by its name', async () => {
  const tab = await enter(browser, '/access?tab=tokens');
  await tab.page.getByRole('button', { name: 'Create token' }).click();
  const dialog = tab.page.getByRole('dialog');
  await dialog.getByLabel('What it is for').fill('a test of the pages');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  const secret = dialog.getByRole('textbox', { name: 'Secret, shown this once' });
  await secret.waitFor();
  assert.ok((await secret.inputValue()).length > 20, 'the secret is there to be copied');
  await tab.page.keyboard.press('Escape');
  const row = tab.page.getByRole('row', { name: /a test of the pages/ });
  await row.getByRole('button', { name: /Revoke/ }).click();
  await tab.page.getByLabel(/Type .* to confirm/).fill('a test of the pages');
  await tab.page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await row.waitFor({ state: 'detached' });
  clean(tab);
  await tab.context.close();
});
