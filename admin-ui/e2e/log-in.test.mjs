import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, launch, logIn, open, platform, settled } from './browser.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('a wrong password is refused with a sentence, and nothing is shown', async () => {
  const tab = await open(browser);
  await tab.page.goto('/');
  await tab.page.waitForURL('**/login');
  await logIn(tab.page, platform.username, 'certainly-wrong');
  await tab.page.getByText('User or password is wrong.').waitFor();
  assert.equal(new URL(tab.page.url()).pathname, '/login', 'a wrong password leads nowhere');
  assert.deepEqual(await tab.context.cookies(), [], 'a wrong password makes no cookie');
  clean(tab);
  await tab.context.close();
});

test('a log-in leads to the page that was asked for, by a cookie that no script can read', async () => {
  const tab = await open(browser);
  await tab.page.goto('/containers?sort=name&q=storage');
  await tab.page.waitForURL('**/login?**');
  await logIn(tab.page);
  await tab.page.getByRole('heading', { name: 'Containers', level: 1 }).waitFor();
  const url = new URL(tab.page.url());
  assert.equal(
    url.pathname + url.search,
    '/containers?sort=name&q=storage',
    'what was asked for is kept over the log-in',
  );
  const [cookie, ...others] = await tab.context.cookies();
  assert.deepEqual(others, [], 'one cookie is enough');
  assert.match(cookie.name, /^__Host-wharf-/, 'the cookie is bound to this host');
  assert.ok(
    cookie.httpOnly && cookie.secure,
    'no script reads the cookie, and no plain connection carries it',
  );
  assert.equal(cookie.sameSite, 'Strict', 'no other site sends the cookie');
  assert.equal(await tab.page.evaluate(() => document.cookie), '', 'no script reads the cookie');
  clean(tab);
  await tab.context.close();
});

test('a link cannot lead to another site after the log-in', async () => {
  const tab = await open(browser);
  await tab.page.goto('/login?next=//example.org/');
  await logIn(tab.page);
  await tab.page.getByRole('heading', { name: 'Platform overview' }).waitFor();
  assert.equal(new URL(tab.page.url()).host, new URL(platform.url).host, 'a log-in stays on its own host');
  await tab.context.close();
});

test('a session that is ended elsewhere leads to the log-in page, and back after it', async () => {
  const first = await enter(browser, '/settings?q=plan.', { userAgent: 'the session that is ended' });
  const second = await enter(browser, '/access?tab=sessions');
  const row = second.page.getByRole('row', { name: /the session that is ended/ });
  await row.getByRole('button', { name: /^End the session/ }).click();
  await second.page.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click();
  await row.waitFor({ state: 'detached' });

  await first.page.waitForURL('**/login?**');
  await first.page.getByText('Your session has ended.').waitFor();
  await logIn(first.page);
  await first.page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
  assert.equal(new URL(first.page.url()).search, '?q=plan.', 'what was shown is shown again');
  clean(first);
  clean(second);
  await first.context.close();
  await second.context.close();
});

test('whoever has logged out sees nothing, also not by going back', async () => {
  const tab = await enter(browser, '/hosts');
  await tab.page.getByRole('button', { name: 'Account menu' }).click();
  await tab.page.getByRole('menuitem', { name: 'Log out' }).click();
  await tab.page.waitForURL('**/login');
  await tab.page.goto('/hosts');
  await tab.page.waitForURL('**/login?**');
  assert.deepEqual(await tab.context.cookies(), [], 'a log-out takes the cookie away');
  clean(tab);
  await tab.context.close();
});

test('a call with the cookie but without the header is refused', async () => {
  const tab = await enter(browser);
  const status = await tab.page.evaluate(async () => {
    const answer = await fetch('/wharf.v1.Platform/GetStatus', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc-web+proto' },
      body: new Uint8Array(5),
    });
    return answer.headers.get('grpc-status');
  });
  assert.equal(status, '7', 'PERMISSION_DENIED: another site could have sent the same');
  await tab.context.close();
});

test('a page that was left open is answered again after a reload', async () => {
  const tab = await enter(browser, '/plans');
  await tab.page.reload();
  await settled(tab.page);
  await tab.page.getByRole('heading', { name: 'Plans & activity', level: 1 }).waitFor();
  clean(tab);
  await tab.context.close();
});
