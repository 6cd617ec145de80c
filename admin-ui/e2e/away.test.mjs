// The storage of the platform does not answer: what needs it says so, what comes from directors goes on,
// and all is there again when it answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, launch, settled, shoot } from './browser.mjs';
import { containerNamed, docker, needsHosts } from './steps.mjs';

const skip = needsHosts(1);
/** Requests to it are tried again before a page says so. */
const TOLD_MS = 120_000;

let browser;
let tab;
let page;
let storage;
before(async () => {
  if (skip) return;
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
  storage = containerNamed('-system-storage-0');
  docker(storage.host, 'kill', '-s', 'STOP', storage.name);
});
after(async () => {
  if (storage) docker(storage.host, 'kill', '-s', 'CONT', storage.name);
  await browser?.close();
});

test('the overview says what it lacks, and shows what the directors know', { skip }, async () => {
  await page.goto('/');
  await page.getByText('The storage of the platform does not answer').first().waitFor({ timeout: TOLD_MS });
  await page.getByRole('table', { name: 'Most memory' }).locator('tbody tr').nth(2).waitFor();
  await page.getByRole('table', { name: 'Memory by zone' }).locator('tbody tr').first().waitFor();
  const problem = page.locator('.findings li').filter({ hasText: '`system`' }).first();
  await problem.getByText(/works with less than it should have/).waitFor({ timeout: TOLD_MS });
  await shoot(page, 'overview-storage-away');
  clean(tab);
});

for (const [path, table] of [
  ['/hosts', 'Hosts of the platform'],
  ['/containers', 'Containers of every host'],
  ['/deployments', 'Deployments'],
  ['/plans', 'Plans'],
  ['/changes?what=all&from=now-30d', 'What changed'],
  ['/access', 'Users'],
  ['/settings', 'Settings of the platform'],
]) {
  test(`${path} goes on without it`, { skip }, async () => {
    await page.goto(path);
    await page.getByRole('table', { name: table }).locator('tbody tr').first().waitFor();
    assert.equal(await page.locator('.refused').count(), 0, 'nothing of it is refused');
    clean(tab);
  });
}

test('the map goes on without it', { skip }, async () => {
  await page.goto('/placement?as=table');
  await page.getByRole('table', { name: 'Containers by zone and host' }).locator('tbody tr').nth(2).waitFor();
  assert.equal(await page.locator('.refused').count(), 0, 'nothing of it is refused');
  clean(tab);
});

for (const path of ['/discover?index=logs-*', '/services', '/dashboards/host']) {
  test(`${path} says that it cannot be had, with a code and a way to try again`, { skip }, async () => {
    await page.goto(path);
    const refused = page.locator('.refused').first();
    await refused.waitFor({ timeout: TOLD_MS });
    assert.match(await refused.innerText(), /(MON|DIR|STO)\d{4}/, 'with the code of what went wrong');
    await refused.getByRole('button', { name: 'Try again' }).waitFor();
    clean(tab);
  });
}

test('the log of a container says that it cannot be had, and is asked for again', { skip }, async () => {
  await page.goto(`/containers/${storage.host}/${storage.name}?tab=logs`);
  await page.getByText('Log lines could not be fetched').waitFor({ timeout: TOLD_MS });
  const refused = page.locator('.refused').first();
  await refused.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.log-tail[aria-busy=true]').waitFor();
  await refused.waitFor();
  clean(tab);
});

test('all is there again when it answers', { skip }, async () => {
  const followed = await tab.context.newPage();
  await followed.goto(`/containers/${storage.host}/${storage.name}?tab=logs`);
  await followed.getByText('Log lines could not be fetched').waitFor({ timeout: TOLD_MS });
  await page.goto('/discover?index=logs-*');
  const refused = page.locator('.refused').first();
  await refused.waitFor({ timeout: TOLD_MS });
  docker(storage.host, 'kill', '-s', 'CONT', storage.name);
  await refused.getByRole('button', { name: 'Try again' }).click();
  const rows = page.getByRole('table', { name: 'Documents' }).locator('tbody tr[data-document]');
  await rows.first().waitFor({ timeout: TOLD_MS });
  // Whoever watches a log presses nothing.
  await followed.locator('.log-line').first().waitFor({ timeout: TOLD_MS });
  await followed.close();
  await page.goto('/');
  await page
    .getByRole('figure', { name: 'Memory in use by zone' })
    .locator('canvas')
    .waitFor({ timeout: TOLD_MS });
  const lacks = page.getByText('The storage of the platform does not answer');
  await lacks.first().waitFor({ state: 'detached', timeout: TOLD_MS });
  await page.locator('.title-line .mark', { hasText: /^Healthy$/ }).waitFor({ timeout: TOLD_MS });
  await settled(page);
  clean(tab);
});
