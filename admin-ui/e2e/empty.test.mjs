// A platform that is just born: a director and nothing else. Every page says what it would show, and how
// one comes to it. Run by `node run.mjs empty` against a director without hosts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, enter, launch, settled, shoot } from './browser.mjs';

/** Without a host there is no monitoring node: what it would answer is refused with the reason. */
const NO_NODE = /DIR008[67]/;
/** A call is tried again before a page says so. */
const TOLD_MS = 60_000;

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

async function sound(name) {
  const text = await page.locator('#content').innerText();
  assert.doesNotMatch(text, /\b(NaN|undefined|null|Infinity)\b/, `${name} shows no figure that is none`);
  await hasNoFinding(page, name);
  await shoot(page, `empty-${name}`);
  clean(tab);
}

test('the overview says that nothing runs yet, and what the platform lacks', async () => {
  await page.goto('/');
  await page.locator('.title-line .mark', { hasText: 'Not healthy' }).waitFor({ timeout: TOLD_MS });
  await page
    .locator('.findings li')
    .first()
    .getByText(/^What to do: /)
    .waitFor();
  await page.getByText('The storage of the platform does not answer').first().waitFor({ timeout: TOLD_MS });
  await sound('overview');
});

for (const [name, path, words] of [
  ['hosts', '/hosts', 'No host has joined'],
  ['containers', '/containers', 'No containers are known'],
  ['placement', '/placement', 'No containers are known'],
]) {
  test(`${name} says that there is none, and how one comes to some`, async () => {
    await page.goto(path);
    await settled(page);
    await page.getByText(words).first().waitFor();
    await sound(name);
  });
}

for (const [name, path] of [
  ['control-plane', '/control-plane'],
  ['changes', '/changes?what=all&from=now-30d'],
  ['deployments', '/deployments'],
  ['plans', '/plans'],
  ['access', '/access'],
  ['settings', '/settings'],
  ['about', '/about'],
]) {
  test(`${name} comes from the director alone`, async () => {
    await page.goto(path);
    await settled(page);
    assert.equal(await page.locator('.refused').count(), 0, 'nothing of it is refused');
    await sound(name);
  });
}

for (const [name, path] of [
  ['discover', '/discover?index=logs-*'],
  ['services', '/services'],
  ['alerts', '/alerts'],
  ['dashboards', '/dashboards'],
]) {
  test(`${name} says that there is no monitoring node yet`, async () => {
    await page.goto(path);
    await page.locator('.refused').getByText(NO_NODE).first().waitFor({ timeout: TOLD_MS });
    await sound(name);
  });
}

test('a deployment is refused beforehand: no host has room', async () => {
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill('orders');
  await page.getByText('It would be refused').waitFor();
  await page
    .getByText(/no allocator has room for/)
    .first()
    .waitFor();
  await sound('deployment-new');
});
