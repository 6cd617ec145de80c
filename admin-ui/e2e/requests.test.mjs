// What the pages ask for is told to those who script it: lists, and every change before it is made. No secret is
// ever in it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, enter, fresh, launch, settled, shoot } from './browser.mjs';

const SECRET = 'told to nobody';
const SHOW = 'Show API request';

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

const request = () => page.getByRole('dialog', { name: 'API request' });
const text = () => request().locator('pre').innerText();
const form = (name) => request().getByRole('tab', { name, exact: true });

async function close() {
  await page.keyboard.press('Escape');
  await request().waitFor({ state: 'detached' });
}

test('a new user is told without the password, and the form is as it was afterwards', async () => {
  const username = fresh('scripted');
  await go('/access');
  await page.getByRole('button', { name: 'Create user' }).click();
  const dialog = page.getByRole('dialog', { name: 'Create user' });
  await dialog.getByLabel('User').fill(username);
  await dialog.getByLabel('New password').fill(SECRET);
  await dialog.getByRole('button', { name: SHOW }).click();
  assert.match(await text(), /^wharf -o json api wharf\.v1\.Users\/CreateUser - <<'END'/);
  for (const name of ['Command line', 'grpcurl']) {
    await form(name).click();
    assert.match(await text(), /"password": "<password>"/);
    assert.match(await text(), new RegExp(`"username": "${username}"`));
  }
  assert.equal(await form('curl').count(), 0, 'nobody puts a password into a request in binary');
  assert.ok(!(await request().innerText()).includes(SECRET), 'the password is nowhere');
  await request().getByText('in place of what stands in angle brackets').waitFor();
  await hasNoFinding(page, 'the request of a new user', { part: '.pf-v6-c-modal-box' });
  await shoot(page, 'request-secret-light');
  await close();
  assert.equal(await dialog.getByLabel('New password').inputValue(), SECRET, 'one key closes one dialog');
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  clean(tab);
});

test('a channel is told without its address', async () => {
  await go('/alerts?tab=channels');
  await page.getByRole('button', { name: 'Create channel' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('ops');
  await dialog.getByLabel('Address').fill(`https://hooks.example/${SECRET.replaceAll(' ', '-')}`);
  await dialog.getByRole('button', { name: SHOW }).click();
  assert.match(await text(), /"url": "<url>"/);
  assert.doesNotMatch(await text(), /hooks\.example/);
  await close();
  clean(tab);
});

test('what is done to a watch has commands of its own, one for each thing', async () => {
  await go('/alerts?tab=watches');
  await page.getByRole('button', { name: 'Actions for disk-full' }).click();
  await page.getByRole('menuitem', { name: SHOW }).click();
  assert.equal(await text(), 'wharf -o json watch run disk-full');
  await request().getByLabel('What it does').selectOption({ label: 'Disable' });
  assert.equal(await text(), 'wharf -o json watch disable disk-full');
  await form('grpcurl').click();
  assert.match(await text(), /wharf\.monitor\.v1\.Watches\/DisableWatch/);
  await hasNoFinding(page, 'the requests of a watch', { part: '.pf-v6-c-modal-box' });
  await shoot(page, 'request-watch-light');
  await close();
  clean(tab);
});

test('a watch as it is written is a document of the command line', async () => {
  await go('/alerts/watches/disk-full');
  await page.getByRole('button', { name: SHOW, exact: true }).click();
  assert.match(
    await text(),
    /^wharf -o json watch create -f - --replace <<'END'\n\{\n {2}"name": "disk-full"/,
  );
  await close();
  clean(tab);
});

test('a dashboard says why the command line is not among its forms', async () => {
  await go('/dashboards');
  await page.getByRole('button', { name: 'New dashboard' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Title').fill('Scripted');
  await dialog.getByRole('button', { name: SHOW }).click();
  await request().getByText('The command line has no command for it').waitFor();
  assert.equal(await form('Command line').count(), 0);
  assert.match(await text(), /wharf\.monitor\.v1\.Dashboards\/PutDashboard/);
  await close();
  clean(tab);
});

test('the maintenance of a host is among the requests of its page', async () => {
  await go('/hosts');
  await page.locator('tbody tr').first().getByRole('link').first().click();
  await page.getByRole('button', { name: 'Begin maintenance' }).waitFor();
  await page.getByRole('button', { name: SHOW, exact: true }).first().click();
  assert.match(await text(), /Allocators\/GetAllocator/);
  await request().getByLabel('What it does').selectOption({ label: 'Begin maintenance' });
  assert.match(await text(), /Allocators\/UpdateAllocator[\s\S]*"maintenance": true/);
  await close();
  clean(tab);
});
