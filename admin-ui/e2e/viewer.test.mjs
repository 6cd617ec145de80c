// What people may do by their roles: said on the buttons, and refused by the server whatever a page shows.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, fresh, launch, logIn, open, settled } from './browser.mjs';
import { planEnds, SMALL } from './steps.mjs';

const password = 'a password for a viewer';
const BOXES = {
  platform_viewer: 'Platform viewer',
  deployments_manager: 'Deployments manager',
  deployments_viewer: 'Deployments viewer',
};
const OK = '0';
const DENIED = '7';

let browser;
let admin;
const made = [];
before(async () => {
  browser = await launch();
  admin = await enter(browser, '/access');
});
after(() => browser?.close());

const rowOf = (username) => admin.page.getByRole('row', { name: new RegExp(username) });

async function makeUser(role) {
  const username = fresh(role.split('_')[0]);
  await admin.page.getByRole('button', { name: 'Create user' }).click();
  const dialog = admin.page.getByRole('dialog');
  await dialog.getByLabel('User').fill(username);
  await dialog.getByLabel('New password').fill(password);
  for (const [one, box] of Object.entries(BOXES)) {
    await dialog.getByLabel(box).setChecked(one === role);
  }
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await rowOf(username).getByText(BOXES[role]).waitFor();
  made.push(username);
  return username;
}

/** The status of gRPC of each call, sent with the page's own cookie about a deployment. */
function statuses(page, calls, about) {
  return page.evaluate(
    async ({ calls, about }) => {
      const text = new TextEncoder();
      // Field 1 a mutation with a request id, field 2 a name, as the contracts of changes have it.
      const field = (number, bytes) => [(number << 3) | 2, bytes.length, ...bytes];
      const answers = {};
      for (const call of calls) {
        const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
          byte.toString(16).padStart(2, '0'),
        );
        const changes = !/\/(List|Get)(?!Credentials)/.test(call);
        const body = changes
          ? [...field(1, field(1, text.encode(id.join('')))), ...field(2, text.encode(about))]
          : [];
        const answer = await fetch(`/wharf.v1.${call}`, {
          method: 'POST',
          headers: { 'content-type': 'application/grpc-web+proto', 'x-wharf-session': '1' },
          body: new Uint8Array([0, 0, 0, 0, body.length, ...body]),
        });
        const status = answer.headers.get('grpc-status');
        const bytes = new Uint8Array(await answer.arrayBuffer());
        // What comes in a body ends with its status.
        answers[call] = status ?? /grpc-status: ?(\d+)/.exec(new TextDecoder().decode(bytes))?.[1];
      }
      return answers;
    },
    { calls, about },
  );
}

async function refused(page, calls, role, about = 'system') {
  for (const [call, status] of Object.entries(await statuses(page, calls, about))) {
    assert.equal(status, DENIED, `${call} by a ${role} is PERMISSION_DENIED`);
  }
}

const CHANGES = [
  'Deployments/CreateDeployment',
  'Deployments/RestartDeployment',
  'Deployments/TerminateDeployment',
  'Deployments/DeleteDeployment',
  'Deployments/GetCredentials',
];
const OF_ADMINS = [
  'Allocators/UpdateAllocator',
  'Allocators/VacateAllocator',
  'Allocators/SetZoneLocation',
  'Allocators/ClearZoneLocation',
  'Settings/SetSetting',
  'Users/CreateUser',
  'Users/DeleteUser',
];
const OF_PLATFORM = [
  'Allocators/ListAllocators',
  'Containers/ListContainers',
  'Events/ListEvents',
  'Settings/ListSettings',
];
const PAGES_OF_PLATFORM = ['Hosts', 'Placement', 'Containers', 'Control plane', 'Changes', 'Settings'];

const whyNot = (page, name) => page.getByRole('button', { name }).getAttribute('data-why-not');

test('a platform viewer sees everything, and buttons say why they cannot be pressed', async () => {
  const username = await makeUser('platform_viewer');
  const { context, page, ...tab } = await enter(browser, '/', {}, username, password);
  const create = page.getByRole('button', { name: 'Create deployment' });
  assert.equal(await create.getAttribute('aria-disabled'), 'true', 'a viewer makes nothing');
  await create.focus();
  await page.getByRole('tooltip').getByText('Needs the role').waitFor();
  await page.goto('/deployments');
  await page.getByRole('link', { name: 'system', exact: true }).click();
  await settled(page);
  for (const name of ['Resize', 'Restart', 'Show credentials']) {
    assert.match((await whyNot(page, name)) ?? '', /Needs the role/, `${name} is not for viewers`);
  }
  await page.goto('/deployments/system?do=restart');
  await page.waitForURL((url) => url.pathname === '/deployments/system' && url.search === '');
  assert.equal(await page.getByRole('dialog').count(), 0, 'a link opens no dialog that is not for viewers');
  await page.goto('/hosts');
  await page.getByRole('table', { name: 'Hosts of the platform' }).getByRole('link').first().click();
  await settled(page);
  for (const name of ['Begin maintenance', 'Vacate']) {
    assert.match((await whyNot(page, name)) ?? '', /Needs the role/, `${name} is not for viewers`);
  }
  await refused(page, [...CHANGES, ...OF_ADMINS], 'platform_viewer');
  for (const [call, status] of Object.entries(await statuses(page, OF_PLATFORM, ''))) {
    assert.equal(status, OK, `${call} is for a platform_viewer`);
  }
  clean(tab);
  await context.close();
});

test('a deployments viewer sees deployments and plans, and nothing of the platform under them', async () => {
  const username = await makeUser('deployments_viewer');
  const { context, page, ...tab } = await enter(browser, '/', {}, username, password);
  const pages = page.getByRole('navigation', { name: 'Pages' });
  for (const name of PAGES_OF_PLATFORM) {
    assert.equal(await pages.getByRole('link', { name, exact: true }).count(), 0, `${name} is not offered`);
  }
  assert.equal(await page.getByRole('table', { name: 'Most memory' }).count(), 0, 'no container is shown');
  assert.match((await whyNot(page, 'Create deployment')) ?? '', /Needs the role/);
  await pages.getByRole('link', { name: 'Deployments', exact: true }).click();
  await page.getByRole('table', { name: 'Deployments' }).locator('tbody tr').first().waitFor();
  clean(tab);
  // Whoever writes the address is told why nothing is there.
  await page.goto('/hosts');
  await page.locator('.refused').getByText('DIR').first().waitFor();
  await refused(page, [...OF_PLATFORM, ...CHANGES, ...OF_ADMINS], 'deployments_viewer');
  await context.close();
});

test('a deployments manager makes and ends deployments, and changes nothing of the platform', async () => {
  const username = await makeUser('deployments_manager');
  const { context, page, ...tab } = await enter(browser, '/', {}, username, password);
  const name = fresh('team');
  await page.getByRole('button', { name: 'Create deployment' }).click();
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Memory of storage').selectOption({ label: SMALL });
  await page.getByTestId('preview').getByText('storage-0', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Create deployment' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  await settled(page);
  assert.equal(await whyNot(page, 'Resize'), null, 'it is theirs to resize');
  assert.equal(await page.getByRole('figure').count(), 0, 'no chart of the platform is asked for');
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByLabel(/Type .* to confirm/).fill(name);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  clean(tab);
  await refused(page, [...OF_PLATFORM, ...OF_ADMINS], 'deployments_manager');
  await context.close();
});

test('a user whose account is disabled is logged out, and cannot log in', async () => {
  const [username] = made;
  const viewer = await enter(browser, '/', {}, username, password);
  await admin.page.getByRole('button', { name: `Disable ${username}`, exact: true }).click();
  await rowOf(username).getByText('Disabled').waitFor();
  await viewer.page.waitForURL('**/login**');
  await viewer.context.close();
  const again = await open(browser);
  await again.page.goto('/login');
  await logIn(again.page, username, password);
  await again.page.getByText('User or password is wrong.').waitFor();
  await again.context.close();
});

test('users are deleted by their names', async () => {
  for (const username of made) {
    await admin.page.getByRole('button', { name: `Delete ${username}` }).click();
    await admin.page.getByLabel(/Type .* to confirm/).fill(username);
    await admin.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await rowOf(username).waitFor({ state: 'detached' });
  }
  clean(admin);
});
