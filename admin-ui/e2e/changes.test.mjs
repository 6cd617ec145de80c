// Changes over time and as a list: by kind, over the span of the page, of containers and of instances with the plan
// that was the cause.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasNoFinding } from './axe.mjs';
import { clean, enter, eventually, fresh, launch, settled, shoot } from './browser.mjs';
import { makeDeployment, showDeployment, terminate } from './steps.mjs';

const name = fresh('shop');

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

const chart = () => page.getByRole('figure', { name: 'Changes over time' });
const rows = () => page.getByRole('table', { name: 'What changed' }).locator('tbody tr');

test('an instance that appears is told with its deployment and the plan that made it', async () => {
  await makeDeployment(page, name);
  await page.goto(`/changes?what=instances&from=now-15m&q=${name}`);
  const made = rows()
    .filter({ has: page.getByRole('link', { name: 'storage-0', exact: true }) })
    .filter({ hasText: 'container appeared' })
    .first();
  await made.waitFor({ timeout: 60_000 });
  await made.getByRole('link', { name, exact: true }).waitFor();
  await made.getByRole('link', { name: 'plan Create' }).click();
  await page.waitForURL('**/plans/*');
  await page.getByRole('list', { name: 'Steps' }).waitFor();
  clean(tab);
});

test('changes are counted over time by kind, and a kind that is chosen narrows the list', async () => {
  await page.goto(`/changes?what=instances&from=now-15m&q=${name}`);
  await settled(page);
  await chart().locator('canvas').first().waitFor();
  await shoot(page, 'changes-instances');
  await chart()
    .getByRole('button', { name: /^container appeared/ })
    .click();
  await page.waitForURL('**f.kind=container_appeared*');
  await eventually(async () => {
    const kinds = await rows().locator('td:nth-child(2)').allInnerTexts();
    assert.ok(kinds.length > 0, 'there are some');
    for (const kind of kinds) assert.equal(kind.trim(), 'container appeared');
  });
  const counted = await chart()
    .getByRole('button', { name: /^container appeared/ })
    .locator('strong')
    .innerText();
  assert.equal(Number(counted), await rows().count(), 'the chart counts what the list has');
  await page.reload();
  await settled(page);
  assert.equal(
    await chart()
      .getByRole('button', { name: /^container appeared/ })
      .getAttribute('aria-pressed'),
    'true',
    'a reload keeps the kind',
  );
  await hasNoFinding(page, 'changes of a kind');
  clean(tab);
});

test('a span that is marked by keyboard is that of the list, too, and the values are a table', async () => {
  await page.goto('/changes?what=all&from=now-15m');
  await settled(page);
  const plot = chart().getByRole('group', { name: /^Changes over time\./ });
  await plot.locator('canvas').first().waitFor();
  await plot.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+PageUp');
  await page.keyboard.press('Enter');
  await eventually(async () => assert.match(page.url(), /from=\d{4}-/, 'the span is in the URL'));
  // The URL is there before the page of it: a button that is pressed meanwhile is of the page before.
  await page.getByRole('button', { name: 'Last 15 minutes' }).waitFor({ state: 'detached' });
  await settled(page);
  await page.getByRole('button', { name: 'Show a longer span, or the one before the zoom' }).click();
  await eventually(async () => assert.match(page.url(), /from=now-15m/, 'the span before is back'));
  await settled(page);
  await chart()
    .getByRole('button', { name: /Show as a table/ })
    .click();
  await eventually(async () => {
    assert.ok((await chart().getByRole('table').getByRole('row').count()) > 5, 'the table has the values');
  });
  clean(tab);
});

test('the period before is counted, too', async () => {
  await page.goto('/changes?what=all&from=now-5m&to=now');
  await settled(page);
  await page.getByLabel('Compare', { exact: true }).selectOption({ label: 'Compare: the period before' });
  await page.waitForURL('**compare=period*');
  await settled(page);
  await chart()
    .getByRole('button', { name: /Show as a table/ })
    .click();
  await chart()
    .getByRole('columnheader', { name: / \(before\)$/ })
    .first()
    .waitFor();
  await showDeployment(page, name);
  await terminate(page);
  clean(tab);
});
