// The browser that the tests drive: Debian's Chromium, which trusts the platform's own authority and
// no other unknown one, and what every page of it must never do.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { chromium } from 'playwright-core';

function required(name) {
  const value = process.env[name];
  assert.ok(value, `the environment variable ${name} says which platform is tested`);
  return value;
}

export const platform = {
  url: required('WHARF_UI_URL'),
  username: process.env.WHARF_UI_USERNAME ?? process.env.WHARF_UI_USER ?? 'admin',
  password: required('WHARF_UI_PASSWORD'),
  caFile: process.env.WHARF_UI_CA_FILE,
};

const EXECUTABLE = process.env.WHARF_UI_CHROMIUM ?? '/usr/bin/chromium';
const SHOTS = process.env.WHARF_SCREENSHOTS;
const NAMES = process.env.WHARF_UI_NAMES;

/** Chromium takes no authority for one run, but keys that it is to believe. */
function trusted(caFile) {
  const certificate = new X509Certificate(readFileSync(caFile));
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

export async function launch() {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      ...(platform.caFile ? [`--ignore-certificate-errors-spki-list=${trusted(platform.caFile)}`] : []),
      ...(NAMES ? [`--host-resolver-rules=${NAMES}`] : []),
    ],
  });
}

/** How long a page may take to show what it should, on a machine that does something else, too. */
const PATIENCE_MS = 20_000;

// On the machine of the engine itself: bridges come and go with containers, the browser then drops its
// connections, and pages have to live on over it.
const FORGIVEN = 'net::ERR_NETWORK_CHANGED';

/** Those that are open. */
const tabs = new Set();

// What somebody would have seen when a test failed says more than what it waited for.
afterEach(async ({ passed }) => {
  for (const { page, faults } of passed ? [] : tabs) {
    if (page.isClosed()) continue;
    const shown = await page
      .locator('body')
      .innerText({ timeout: 1_000 })
      .catch((error) => error.message);
    process.stdout.write(`at ${page.url()}, faults ${JSON.stringify(faults)}:\n${shown.slice(0, 2_000)}\n`);
  }
});

/** A page of its own, as another person's browser has it; its faults are gathered. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({
    baseURL: platform.url,
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on('pageerror', (error) => faults.push(`an error nobody caught: ${error.message}`));
  page.on('console', (message) => {
    const told = ['error', 'warning'].includes(message.type()) && !message.text().includes(FORGIVEN);
    if (told) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} for ${response.url()}`);
  });
  const tab = { context, page, faults };
  tabs.add(tab);
  page.on('close', () => tabs.delete(tab));
  return tab;
}

/** Nothing was written to the console: an error, a warning, a breach of the content security policy. */
export function clean(tab) {
  assert.deepEqual(tab.faults, [], 'a page writes no error, warning or CSP breach to the console');
}

export async function logIn(page, username = platform.username, password = platform.password) {
  await page.getByLabel('User', { exact: true }).fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Until everything that was asked for is there. */
export async function settled(page) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const waits = await page.evaluate(framesUntilSettled, end - Date.now());
      assert.deepEqual(waits, [], 'a page has everything that it asked for');
      return;
    } catch (error) {
      // It went on to another page meanwhile.
      if (!/context was destroyed|navigat/i.test(error.message) || Date.now() > end) throw error;
    }
  }
}

/**
 * What the page waits for still, at most so long; run in it. It looks at every frame: waiting from outside looks
 * twice a second.
 */
async function framesUntilSettled(patienceMs) {
  const waits = () => {
    // A page that is not drawn yet waits for nothing.
    if (!document.querySelector('h1')) return ['its heading'];
    return [...document.querySelectorAll('[aria-busy="true"]')].map((one) => one.outerHTML.slice(0, 200));
  };
  const end = performance.now() + patienceMs;
  let found = waits();
  while (found.length > 0 && performance.now() < end) {
    await new Promise(requestAnimationFrame);
    found = waits();
  }
  return found;
}

/** Opens a page as that user. */
export async function enter(browser, path = '/', options = {}, username = undefined, password = undefined) {
  const tab = await open(browser, options);
  await tab.page.goto(path);
  await logIn(tab.page, username, password);
  await tab.page.locator('.shell').waitFor();
  await settled(tab.page);
  return tab;
}

/**
 * Counts what a user has to press: clicks, and keys that write no text. A choice from a list is two, one
 * that opens it and one that takes.
 */
export function presses(page) {
  let count = 0;
  return {
    async on(locator) {
      count += 1;
      await locator.click();
    },
    async key(keys) {
      count += 1;
      await page.keyboard.press(keys);
    },
    async select(locator, label) {
      count += 2;
      await locator.selectOption({ label });
    },
    get count() {
      return count;
    },
  };
}

/** A name that no earlier run has left behind. */
export function fresh(word) {
  return `${word}-${Date.now().toString(36).slice(-5)}`;
}

/** Looks again until it is as it should be: pages are live, and what they show comes when it comes. */
export async function eventually(look, patienceMs = 20_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}

/** Waits for what fades in or changes its colours: until then they are of neither state. */
export async function still(page) {
  await page.evaluate(async () => {
    const moves = () =>
      document.getAnimations().some((one) => {
        const ends = one.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY;
        return ends && one.playState === 'running';
      });
    const fades = () =>
      [...document.querySelectorAll('[style*="opacity"]')].some(
        (one) => getComputedStyle(one).opacity !== '1',
      );
    const end = performance.now() + 10_000;
    do {
      await new Promise(requestAnimationFrame);
    } while ((moves() || fades()) && performance.now() < end);
  });
}

/** `contrast` is light as these browsers are. */
export async function theme(page, name) {
  await page.evaluate((chosen) => {
    localStorage.setItem('wharf.theme', chosen);
    document.documentElement.classList.toggle('pf-v6-theme-dark', chosen === 'dark');
    document.documentElement.classList.toggle('pf-v6-theme-high-contrast', chosen === 'contrast');
  }, name);
  await still(page);
}

export async function shoot(page, name) {
  if (!SHOTS) return;
  const folder = SHOTS === '1' ? join(import.meta.dirname, '../../docs/screenshots') : SHOTS;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path });
  // They are kept in the repository: with few colours they are a third as large. Without it they are right, too.
  spawnSync('pngquant', ['--force', '--ext', '.png', '--skip-if-larger', '--quality', '70-98', path]);
}
