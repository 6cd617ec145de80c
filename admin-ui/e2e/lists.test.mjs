import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { clean, enter, eventually, launch, platform, settled } from './browser.mjs';

let browser;
let tab;
let page;
before(async () => {
  browser = await launch();
  tab = await enter(browser);
  page = tab.page;
});
after(() => browser?.close());

async function column(table, number) {
  return page
    .getByRole('table', { name: table })
    .locator(`:scope > tbody > tr[data-row] > td:nth-child(${number})`)
    .allInnerTexts();
}

const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function bytes(text) {
  const [, figure, unit] = /([\d.,]+)\s(B|KiB|MiB|GiB)$/.exec(text.trim()) ?? [];
  assert.ok(unit, `a size is shown: ${text}`);
  return Number(figure.replaceAll(',', '')) * BYTES[unit];
}

test('the overview names the containers that use the most, with deployment, without a press', async () => {
  await page.goto('/');
  await settled(page);
  const rows = page.getByRole('table', { name: 'Most memory' }).locator('tbody tr');
  await rows.first().waitFor();
  assert.ok((await rows.count()) >= 3, 'the platform itself has three containers or more');
  await page.getByRole('table', { name: 'Most CPU' }).locator('tbody tr').first().waitFor();
  await page
    .getByRole('table', { name: 'Most memory' })
    .getByRole('link', { name: 'system' })
    .first()
    .waitFor();
  clean(tab);
});

test('containers come with the one that uses the most memory first', async () => {
  await page.goto('/containers');
  await settled(page);
  await eventually(async () => {
    const shown = (await column('Containers of every host', 2)).map(bytes);
    assert.ok(shown.length >= 5, `the platform has five containers or more: ${shown.length}`);
    const sorted = [...shown].sort((a, b) => b - a);
    assert.deepEqual(shown, sorted, 'the largest comes first');
  });
  clean(tab);
});

test('another order is asked of the server, kept in the URL and there again after a reload', async () => {
  await page.goto('/containers');
  await settled(page);
  const asked = page.waitForRequest((request) => request.url().endsWith('/ListContainers'));
  await page.getByRole('button', { name: 'Container', exact: false }).first().click();
  await asked;
  await page.waitForURL('**sort=name*');
  await page.reload();
  await settled(page);
  await eventually(async () => {
    const names = await column('Containers of every host', 1);
    assert.deepEqual(names, [...names].sort(), 'the order of the URL is the order that is shown');
  });
  clean(tab);
});

test('search and filter are done by the server and kept in the URL', async () => {
  await page.goto('/containers');
  await settled(page);
  await page.getByLabel('Find by name').fill('storage');
  await page.waitForURL('**q=storage*');
  await page.getByLabel('State').selectOption('running');
  await page.waitForURL('**f.state=running*');
  await eventually(async () => {
    const names = await column('Containers of every host', 1);
    assert.ok(
      names.length > 0 && names.every((name) => name.includes('storage')),
      `only what was searched: ${names}`,
    );
  });
  await page.reload();
  await settled(page);
  assert.equal(await page.getByLabel('Find by name').inputValue(), 'storage', 'a reload keeps the search');
  await page.getByLabel('Find by name').fill('no-such-container');
  await page.getByText('Nothing matches').waitFor();
  clean(tab);
});

const GROUPS = 'Groups of containers';

test('groups of containers come in the order of their use, each with its sums', async () => {
  await page.goto('/containers?group=deployment');
  await settled(page);
  await eventually(async () => {
    const memory = (await column(GROUPS, 2)).map(bytes);
    assert.ok(memory.length >= 2, `containers of a deployment, and those of none: ${memory.length}`);
    assert.deepEqual(
      memory,
      [...memory].sort((a, b) => b - a),
      'the group with the most memory comes first',
    );
    const containers = (await column(GROUPS, 4)).reduce((sum, text) => sum + Number(text), 0);
    const all = await page.getByRole('region', { name: 'All that match' }).innerText();
    assert.match(all, new RegExp(`/ ${containers}\\b`), `every container is in one group: ${all}`);
  });
  const asked = page.waitForRequest((request) => request.url().endsWith('/ListContainerGroups'));
  await page.getByRole('table', { name: GROUPS }).getByRole('button', { name: 'Containers' }).click();
  await asked;
  await page.waitForURL('**sort=containers+desc*');
  await eventually(async () => {
    const counts = (await column(GROUPS, 4)).map(Number);
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => b - a),
      'the largest group comes first',
    );
  });
  clean(tab);
});

test('a group opens to its containers by a key, ordered as chosen, and the URL keeps it', async () => {
  await page.goto('/containers?group=deployment');
  await settled(page);
  const group = page.getByRole('button', { name: 'system', exact: true });
  await group.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**open=system*');
  const MEMBERS = 'Containers of system';
  const inner = page.getByRole('table', { name: MEMBERS });
  await inner.getByRole('button', { name: 'Container', exact: false }).first().click();
  await page.waitForURL('**c.sort=name*');
  await page.reload();
  await settled(page);
  assert.equal(await group.getAttribute('aria-expanded'), 'true', 'a reload keeps it open');
  await eventually(async () => {
    const names = await column(MEMBERS, 1);
    assert.ok(names.length >= 2 && names.every((name) => name.includes('system')), `its own: ${names}`);
    assert.deepEqual(names, [...names].sort(), 'in the order that was chosen');
  });
  await page.getByLabel('Find by name').fill('system-storage');
  await eventually(async () => assert.equal((await column(MEMBERS, 1)).length, 1, 'those that match alone'));
  await eventually(async () => assert.deepEqual(await column(GROUPS, 4), ['1'], 'summed up alone, too'));
  await page.getByLabel('Group by').selectOption({ label: 'By Zone' });
  await page.waitForURL((url) => url.searchParams.get('group') === 'zone' && !url.searchParams.has('open'));
  assert.equal(await page.getByLabel('Find by name').inputValue(), 'system-storage', 'the search is kept');
  clean(tab);
});

test('pages follow each other by token and their number is in the URL', async () => {
  await page.goto('/settings');
  await settled(page);
  await page.goto('/changes?what=all&from=now-30d&size=50');
  await settled(page);
  const total = Number((await page.locator('.total').innerText()).replace(/\D/g, ''));
  assert.ok(total > 50, `the audit log of a platform that was used has more than a page: ${total}`);
  const firstRow = page.locator('tbody tr').first();
  const newest = await firstRow.getAttribute('data-row');
  await page.getByRole('button', { name: 'Next page' }).click();
  await page.waitForURL('**page=2*');
  await page.getByText('Page 2').waitFor();
  await page.locator(`tbody tr[data-row="${newest}"]`).waitFor({ state: 'detached' });
  assert.ok(
    Number(await firstRow.getAttribute('data-row')) < Number(newest),
    'the next page goes on where the one before it ended',
  );
  await page.getByRole('button', { name: 'First page' }).click();
  await page.getByText('Page 1').waitFor();
  clean(tab);
});

test('directors tell their newest snapshot and what they keep of the log, proxies the age of their table', async () => {
  await page.goto('/control-plane');
  await settled(page);
  const cells = async (table, head) => {
    const heads = await page.getByRole('table', { name: table }).locator('thead th').allInnerTexts();
    const at = heads.findIndex((one) => one.startsWith(head)) + 1;
    assert.ok(at > 0, `there is a column ${head}: ${heads}`);
    return column(table, at);
  };
  await eventually(async () => {
    for (const entries of await cells('Directors', 'Log entries')) {
      assert.match(entries, /^[1-9][\d,]*$/, 'as it told');
    }
    for (const snapshot of await cells('Directors', 'Newest snapshot')) {
      assert.match(snapshot, /^(none yet|[\d,]+ · \d+ (s|min|h|d))$/, 'up to which entry, and how old');
    }
    for (const age of await cells('Proxies', 'Table age')) assert.match(age, /^\d+ (s|min|h|d)$/);
    for (const table of await cells('Proxies', 'Route table'))
      assert.match(table, /^[\d,]+, (newest|behind by)/);
  });
  clean(tab);
});

test('changes of containers are told with their cause', async () => {
  await page.goto('/');
  await settled(page);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Changes' }).click();
  await settled(page);
  await page
    .getByText(/^container (appeared|vanished)$/)
    .first()
    .waitFor();
  const causes = await column('What changed', 6);
  assert.ok(
    causes.every((cause) => cause.trim() !== ''),
    'every change of a container has a cause',
  );
  clean(tab);
});

test('keys lead to pages, and ? lists them', async () => {
  await page.goto('/');
  await settled(page);
  await page.locator('#content').focus();
  await page.keyboard.press('g');
  await page.keyboard.press('h');
  await page.waitForURL('**/hosts');
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog');
  await sheet.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
  await sheet.getByText('Single-letter keys').click();
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await page.keyboard.press('?');
  assert.equal(new URL(page.url()).pathname, '/hosts', 'letters that are switched off do nothing');
  await page.evaluate(() => localStorage.removeItem('wharf.shortcuts'));
  clean(tab);
});

test('the palette finds a container by part of its name', async () => {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Search or jump to…' }).fill('system-storage');
  await page.getByRole('option', { name: /system-storage-0.*container/ }).click();
  await page.waitForURL('**/containers/*/*system-storage-0');
  clean(tab);
});

test('every table tells the request behind it, and the command line answers the same', async () => {
  await page.goto('/deployments?sort=name+desc');
  await settled(page);
  await page.getByRole('button', { name: 'Show API request' }).click();
  const dialog = page.getByRole('dialog');
  const text = dialog.locator('pre');
  assert.match(await text.innerText(), /wharf -o json api wharf\.v1\.Deployments\/ListDeployments/);
  assert.match(
    await text.innerText(),
    /"order_by": "name desc"/,
    'the request is the one that filled the table',
  );
  await dialog.getByRole('tab', { name: 'grpcurl' }).click();
  assert.match(await text.innerText(), /grpcurl -cacert ca\.pem/);
  await dialog.getByRole('tab', { name: 'curl', exact: true }).click();
  assert.match(await text.innerText(), /application\/grpc-web\+proto/);
  await page.keyboard.press('Escape');
  clean(tab);
});

test('addresses and certificates are read in the settings', async () => {
  await page.goto('/settings');
  await settled(page);
  const card = page.locator('.card').filter({ hasText: 'Addresses and certificates' });
  await card.getByText(/^[0-9a-f]{64}$/).waitFor();
  await card.getByText(new URL(platform.url).host, { exact: false }).first().waitFor();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    card.getByRole('link', { name: 'Download the certificates that are trusted' }).click(),
  ]);
  assert.match(readFileSync(await file.path(), 'utf8'), /^-----BEGIN CERTIFICATE-----/);
  clean(tab);
});

test('third-party components are found by name, by licence and by where it is', async () => {
  await page.goto('/about');
  const parts = page.getByRole('table', { name: 'Third-party components' });
  const total = async () => {
    const text = await page.getByRole('status').filter({ hasText: 'Total' }).innerText();
    return Number(text.replace(/\D/g, ''));
  };
  await parts.locator('tbody tr[data-row]').first().waitFor();
  const all = await total();
  assert.ok(all > 200, `crates and packages are listed: ${all}`);
  assert.ok((await parts.locator('tbody tr').count()) < all, 'only those in sight are drawn');
  await page.getByRole('button', { name: 'In the binary', exact: true }).click();
  const search = page.getByLabel('Search by name or licence');
  await search.fill('tokio mit');
  const tokio = parts.locator('tr', { has: page.getByRole('cell', { name: 'tokio', exact: true }) });
  assert.match(await tokio.innerText(), /tokio\s+\d+\.\d+\.\d+\s+MIT\s+In the binary\s+https:/);
  await page.reload();
  await tokio.waitFor();
  assert.equal(await search.inputValue(), 'tokio mit', 'what is looked for is in the URL');
  await page.getByRole('button', { name: 'In these pages', exact: true }).click();
  await page.getByText('Nothing matches').waitFor();
  await search.fill('react-dom');
  await parts.getByRole('cell', { name: 'react-dom', exact: true }).waitFor();
  assert.equal(await total(), 1, 'there is one of that name');
  clean(tab);
});

test('how long the data of a deployment is kept is read in the settings', async () => {
  await page.goto('/settings');
  await settled(page);
  await page.getByRole('tab', { name: 'Retention' }).click();
  await page.waitForURL('**tab=retention*');
  const table = page.getByRole('table', { name: 'How long the data of system is kept' });
  const row = table.getByRole('row').filter({ hasText: 'logs-docker.container-default' });
  await row.getByText('7 d', { exact: true }).waitFor();
  await row.getByText('Default of the storage').waitFor();
  await row.getByText('1 d or 2 GiB').waitFor();
  await page.getByLabel('Decided by', { exact: true }).selectOption('policy');
  await page.waitForURL('**f.rule=policy*');
  await page.getByText('Nothing matches').waitFor();
  await page.getByRole('button', { name: 'Clear search and filters' }).click();
  await row.waitFor();
  clean(tab);
});

test('diagnostics are one file with every list, and without passwords', async () => {
  await page.goto('/about');
  await settled(page);
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download diagnostics' }).click(),
  ]);
  assert.match(file.suggestedFilename(), /^wharf-diagnostics-.+\.json$/);
  const text = readFileSync(await file.path(), 'utf8');
  const { parts, missing } = JSON.parse(text);
  assert.equal(typeof parts.GetStatus.healthy, 'boolean', 'the status is in it');
  for (const list of ['ListAllocators', 'ListDeployments', 'ListPlans', 'ListContainers', 'ListEvents']) {
    assert.ok(parts[list]?.length > 0, `${list} has rows`);
  }
  const refused = missing.filter(({ why }) => !why.startsWith('only the first'));
  assert.deepEqual(refused, [], 'nothing is refused to an admin');
  for (const secret of [platform.password, process.env.WHARF_UI_DEPLOYMENT_PASSWORD]) {
    assert.ok(!secret || !text.includes(secret), 'no password is in it');
  }
  clean(tab);
});

test('a browser that speaks Korean is spoken to in Korean', async () => {
  const korean = await enterKorean();
  await korean.page.getByRole('heading', { name: '플랫폼 개요' }).waitFor();
  assert.equal(await korean.page.locator('html').getAttribute('lang'), 'ko', 'the page says its language');
  await korean.page.goto('/plans?f.kind=create');
  await korean.page.getByRole('table', { name: '계획' }).getByRole('link').first().click();
  const start = korean.page.getByRole('listitem').filter({ hasText: '컨테이너 시작' }).first();
  await start.getByTitle('start', { exact: true }).waitFor();
  assert.match(await start.innerText(), /\d(ms|초|분)/, 'how long a step took is told in Korean, too');
  await korean.page.getByRole('row', { name: /^스토리지 메모리 – \d/ }).waitFor();
  clean(korean);
  await korean.context.close();
});

async function enterKorean() {
  const { open, platform } = await import('./browser.mjs');
  const other = await open(browser, { locale: 'ko-KR' });
  await other.page.goto('/');
  await other.page.getByLabel('사용자').fill(platform.username);
  await other.page.getByLabel('비밀번호').fill(platform.password);
  await other.page.getByRole('button', { name: '로그인' }).click();
  return other;
}
