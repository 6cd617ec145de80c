// Versions of a dashboard: what was before is compared and restored, also what was deleted. Names are fresh, and what is
// made is deleted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, fresh, launch, platform, settled } from './browser.mjs';
import { removeDashboard } from './steps.mjs';

let browser;
let tab;
let page;

before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

const panel = (title, of = page) => of.getByRole('region', { name: title, exact: true });
const button = (word, of = page) => of.getByRole('button', { name: word, exact: true });

test('a former version is compared and restored, and a deleted dashboard comes back', async () => {
  const versioned = fresh('versions');
  const note = { id: 'note', kind: 'markdown', title: 'Note', at: { x: 0, y: 0, w: 4, h: 4 }, text: 'first' };
  await page.goto('/dashboards');
  await settled(page);
  await button('Import').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Content of the file' }).fill(
    JSON.stringify({
      schema: 1,
      panels: [note, { ...note, id: 'kept', title: 'Kept', at: { x: 4, y: 0, w: 4, h: 4 } }],
    }),
  );
  await dialog.getByLabel('Title').fill('Versioned');
  await dialog.getByLabel('Name').fill(versioned);
  await button('Create', dialog).click();
  await panel('Note').waitFor();
  await button('Edit').click();
  await button('What can be done with Note').click();
  await page.getByRole('menuitem', { name: 'Remove from the dashboard' }).click();
  await button('Save').click();
  await button('Edit').waitFor();

  await button('More actions').click();
  await page.getByRole('menuitem', { name: 'Versions', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Versions of Versioned' }).locator('tbody tr');
  await eventually(async () => {
    assert.equal(await rows.count(), 2, 'the one in force and the one before');
    assert.match(await rows.nth(0).innerText(), /in force/);
    assert.match(await rows.nth(1).innerText(), new RegExp(platform.username), 'who changed it');
  });
  await rows.nth(1).getByRole('link').click();
  const former = page.getByRole('region', { name: 'Version', exact: true });
  await eventually(async () => {
    const told = await former.locator('summary').allInnerTexts();
    assert.deepEqual(
      told.map((one) => one.trim()),
      ['Removed: Note'],
      'what has changed since',
    );
  });
  await former.getByRole('tab', { name: 'As it was' }).click();
  await panel('Note', former).getByText('first').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('tab'), 'drawn', 'the tab is in the URL');
  await button('Restore', former).click();
  const restore = page.getByRole('dialog', { name: 'Restore' });
  await button('Show API request', restore).click();
  const shown = page.getByRole('tabpanel', { name: 'API request' });
  await shown.getByText('wharf.monitor.v1.Dashboards/PutDashboard').waitFor();
  await page.keyboard.press('Escape');
  await shown.waitFor({ state: 'detached' });
  await button('Restore', restore).click();
  await page.waitForURL((url) => url.pathname === `/dashboards/${versioned}`);
  await panel('Note').waitFor();

  await removeDashboard(page);
  await page.getByRole('link', { name: 'Deleted dashboards' }).click();
  await page.getByRole('link', { name: 'Versioned', exact: true }).click();
  await panel('Note', former).waitFor();
  await button('Restore', former).click();
  await button('Restore', page.getByRole('dialog')).click();
  await page.waitForURL((url) => url.pathname === `/dashboards/${versioned}`);
  await panel('Kept').waitFor();
  await removeDashboard(page);
  clean(tab);
});
