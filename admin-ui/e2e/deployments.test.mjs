import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, enter, fresh, launch, presses, settled, shoot } from './browser.mjs';
import { planEnds, SMALL } from './steps.mjs';

const name = fresh('orders');
// Written as YAML, and deleted by the test after that.
const doomed = fresh('doomed');

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

test('a name that is taken is refused before anything is made', async () => {
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill('system');
  await page.getByText('It would be refused').waitFor();
  clean(tab);
});

test('creating a deployment takes at most four presses from the overview to the end of its plan', async () => {
  await page.goto('/');
  await settled(page);
  const press = presses(page);
  await press.on(page.getByRole('button', { name: 'Create deployment' }));
  await page.getByLabel('Name').fill(name);
  await press.select(page.getByLabel('Memory of storage'), SMALL);
  const preview = page.getByTestId('preview');
  await preview.getByText('storage-0', { exact: true }).waitFor();
  await preview.getByText('goes to').first().waitFor();
  await shoot(page, 'deployment-create');
  await press.on(page.getByRole('button', { name: 'Create deployment' }));
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  assert.ok(press.count <= 4, `${press.count} presses, and there are to be four at most`);
  const steps = page.getByRole('list', { name: 'Steps' }).getByRole('listitem');
  const words = await steps.allInnerTexts();
  assert.ok(words.length >= 6, `a creation has steps for each instance: ${words.join(' | ')}`);
  for (const word of words) assert.match(word, /Done/, 'every step of a plan that is done is done');
  const start = steps.filter({ hasText: 'Start the container' }).first();
  await start.getByTitle('start', { exact: true }).waitFor();
  await page.getByRole('row', { name: /^Memory of storage/ }).waitFor();
  clean(tab);
});

test('a deployment is resized, and its plan says by what', async () => {
  await page.goto('/deployments');
  await settled(page);
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByText('Healthy').first().waitFor();
  await page.getByRole('button', { name: 'Resize' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Memory of storage').selectOption({ label: '512 MiB' });
  await dialog.getByTestId('preview').getByText('storage-0', { exact: true }).waitFor();
  await dialog.getByRole('button', { name: 'Resize' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  const change = page.getByRole('row', { name: /^Memory of storage/ });
  assert.match(await change.innerText(), /256 MiB\s+512 MiB/, 'the plan says what was and what is to be');
  clean(tab);
});

test('a plan can be compared with another one and be made again', async () => {
  await page.getByLabel('Compare with').selectOption({ index: 1 });
  await page.waitForURL('**against=*');
  await page.getByRole('row', { name: /^Memory of storage/ }).waitFor();
  await page.getByRole('button', { name: 'Reapply' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('A new plan to what this one wanted').waitFor();
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  await dialog.waitFor({ state: 'detached' });
});

test('a restart is a plan that is followed', async () => {
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  clean(tab);
});

test('credentials are shown to a platform admin who asks for them', async () => {
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('button', { name: 'Show credentials' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('This look was written into the audit log.').waitFor();
  await dialog.getByText(`https://${name}.`).waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  clean(tab);
});

test('a size that no host has room for is refused with what each host lacks', async () => {
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill(fresh('archive'));
  await page.getByLabel('Memory of storage').selectOption({ label: '64 GiB' });
  await page.getByText('It would be refused').waitFor();
  await page.getByText(/no allocator has room for storage-0/).waitFor();
  await page.getByText('DIR0020').waitFor();
  await shoot(page, 'deployment-refused');
  await page.getByRole('button', { name: 'Create deployment' }).click();
  await page.getByText('It was refused').waitFor();
  assert.equal(
    new URL(page.url()).pathname,
    '/deployments/create',
    'what was written stays where it can be changed',
  );
  clean(tab);
});

test('a disk follows its memory until one is chosen, and one that no host has is refused', async () => {
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill(fresh('archive'));
  await page.getByLabel('Memory of storage').selectOption({ label: SMALL });
  const disk = page.getByLabel('Disk of storage');
  assert.equal(await disk.locator('option:checked').innerText(), 'Usual: 5 GiB');
  await disk.selectOption({ label: '1.3 TiB' });
  await page.getByText('It would be refused').waitFor();
  await page.getByText(/no allocator has room for storage-0/).waitFor();
  await disk.selectOption({ label: '5 GiB' });
  await page.getByTestId('preview').getByText('storage-0', { exact: true }).waitFor();
  clean(tab);
});

test('a terminated deployment keeps its data and can be restored', async () => {
  await page.goto('/deployments');
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Terminate', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Terminate' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.locator('.title-line .mark', { hasText: 'Terminated' }).waitFor();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Restore', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  clean(tab);
});

test('a deployment is written as YAML, judged while it is, and made', async () => {
  await page.goto('/deployments/create');
  await page.getByLabel('Memory of storage').selectOption({ label: SMALL });
  await page.getByRole('button', { name: 'YAML' }).click();
  const text = page.getByRole('textbox', { name: 'The request as YAML' });
  assert.match(await text.inputValue(), /memory_bytes: 268435456/, 'what the fields say is in it');
  assert.equal(new URL(page.url()).search, '?as=yaml', 'the way of writing is in the URL');
  const create = page.getByRole('button', { name: 'Create deployment' });
  await text.fill('name: books\nmemory: 256 MiB\n');
  await page.getByText('key "memory" is unknown').waitFor();
  assert.equal(await create.getAttribute('aria-disabled'), 'true', 'what cannot be read is not asked for');
  await text.fill('name: books\nsizes: {storage: {memory_bytes: 68719476736}}\n');
  await page.getByText(/no allocator has room for storage-0/).waitFor();
  await text.fill(`name: ${doomed}\nsizes: {storage: {memory_bytes: 268435456, cpu_millis: 500}}\n`);
  await page.getByText('It has more than there are fields for').waitFor();
  await text.fill(`name: ${doomed}\nsizes:\n  storage: {memory_bytes: 268435456, disk_bytes: 5368709120}\n`);
  await page.getByTestId('preview').getByText('storage-0', { exact: true }).waitFor();
  await shoot(page, 'deployment-yaml');
  await page.getByRole('button', { name: 'Fields' }).click();
  assert.equal(await page.getByLabel('Name').inputValue(), doomed, 'the fields have what was written');
  const disk = page.getByLabel('Disk of storage');
  assert.equal(await disk.inputValue(), '5368709120', 'the disk, too');
  await page.getByRole('button', { name: 'YAML' }).click();
  await create.click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  clean(tab);
});

test('a deployment is deleted only after its name is typed', async () => {
  await page.goto(`/deployments?q=${doomed}`);
  await page.getByRole('link', { name: doomed, exact: true }).first().click();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  const dialog = page.getByRole('dialog');
  const button = dialog.getByRole('button', { name: 'Delete' });
  assert.equal(
    await button.getAttribute('aria-disabled'),
    'true',
    'nothing is deleted before the name is typed',
  );
  await dialog.getByLabel(/Type .* to confirm/).fill(doomed);
  await button.click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  await page.goto('/deployments');
  await settled(page);
  assert.equal(
    await page.getByRole('link', { name: doomed, exact: true }).count(),
    0,
    'what is deleted is gone',
  );
  clean(tab);
});

test('creating a deployment needs no mouse', async () => {
  await page.goto('/');
  await settled(page);
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Search or jump to…' }).pressSequentially('create');
  await page.getByRole('option', { name: /Create deployment/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/deployments/create');
  const byKeys = fresh('billing');
  await page.getByLabel('Name').waitFor();
  assert.equal(
    await page.getByLabel('Name').evaluate((box) => box === document.activeElement),
    true,
    'the name can be written at once',
  );
  await page.keyboard.type(byKeys);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Home');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  clean(tab);
});
