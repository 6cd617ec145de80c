import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, fresh, launch, logIn, open, settled } from './browser.mjs';

const username = fresh('viewer');
const password = 'a password for a viewer';

let browser;
let viewer;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('an admin makes a user with a role', async () => {
  const admin = await enter(browser, '/access');
  await admin.page.getByRole('button', { name: 'Create user' }).click();
  const dialog = admin.page.getByRole('dialog');
  await dialog.getByLabel('User').fill(username);
  await dialog.getByLabel('New password').fill(password);
  await dialog.getByLabel('Deployments viewer').uncheck();
  await dialog.getByLabel('Platform viewer').check();
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await admin.page
    .getByRole('row', { name: new RegExp(username) })
    .getByText('platform_viewer')
    .waitFor();
  clean(admin);
  await admin.context.close();
});

test('a viewer sees everything, and buttons say why they cannot be pressed', async () => {
  viewer = await enter(browser, '/', {}, username, password);
  const create = viewer.page.getByRole('button', { name: 'Create deployment' });
  assert.equal(await create.getAttribute('aria-disabled'), 'true', 'a viewer makes nothing');
  await create.focus();
  await viewer.page.getByRole('tooltip').getByText('Needs the role').waitFor();
  await viewer.page.goto('/deployments');
  await viewer.page.getByRole('link', { name: 'system', exact: true }).click();
  await settled(viewer.page);
  for (const name of ['Resize', 'Restart', 'Show credentials']) {
    assert.equal(
      await viewer.page.getByRole('button', { name }).getAttribute('aria-disabled'),
      'true',
      `${name} is not for viewers`,
    );
  }
  clean(viewer);
});

test('a viewer is refused by the server, not only by the buttons', async () => {
  const refused = await viewer.page.evaluate(async () => {
    const text = new TextEncoder();
    // Field 1 a mutation with a request id, field 2 a name, as the contracts of these calls have it.
    const field = (number, bytes) => [(number << 3) | 2, bytes.length, ...bytes];
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, '0'),
    );
    const body = [...field(1, field(1, text.encode(id.join('')))), ...field(2, text.encode('system'))];
    const frame = new Uint8Array([0, 0, 0, 0, body.length, ...body]);
    const answers = {};
    for (const call of [
      'Deployments/CreateDeployment',
      'Deployments/RestartDeployment',
      'Deployments/TerminateDeployment',
      'Deployments/DeleteDeployment',
      'Deployments/GetCredentials',
      'Allocators/UpdateAllocator',
      'Allocators/VacateAllocator',
      'Settings/SetSetting',
      'Users/CreateUser',
      'Users/DeleteUser',
    ]) {
      const answer = await fetch(`/wharf.v1.${call}`, {
        method: 'POST',
        headers: { 'content-type': 'application/grpc-web+proto', 'x-wharf-session': '1' },
        body: frame,
      });
      answers[call] = answer.headers.get('grpc-status');
    }
    return answers;
  });
  for (const [call, status] of Object.entries(refused)) {
    assert.equal(status, '7', `${call} by a viewer is PERMISSION_DENIED`);
  }
});

test('a user whose account is disabled is logged out, and cannot log in', async () => {
  const admin = await enter(browser, '/access');
  await admin.page.getByRole('button', { name: `Disable ${username}` }).click();
  await admin.page
    .getByRole('row', { name: new RegExp(username) })
    .getByText('Disabled')
    .waitFor();
  await viewer.page.waitForURL('**/login**');
  await viewer.context.close();
  const again = await open(browser);
  await again.page.goto('/login');
  await logIn(again.page, username, password);
  await again.page.getByText('User or password is wrong.').waitFor();
  await again.context.close();
  await admin.page.getByRole('button', { name: `Delete ${username}` }).click();
  await admin.page.getByLabel(/Type .* to confirm/).fill(username);
  await admin.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await admin.page.getByRole('row', { name: new RegExp(username) }).waitFor({ state: 'detached' });
  clean(admin);
  await admin.context.close();
});
