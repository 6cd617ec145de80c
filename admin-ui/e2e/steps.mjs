// What several tests do on the way to what they show: deployments, their plans, dashboards, and what happens to
// containers behind the platform's back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { request } from 'node:https';
import { platform, settled } from './browser.mjs';

const PLAN_MS = 120_000;
/** What a host with little room has room for. */
export const SMALL = '256 MiB';

/** The command line of Docker of each host, by the host's name. */
export const ENGINES = JSON.parse(process.env.WHARF_UI_ENGINES ?? '{}');
export const HOSTS = Object.keys(ENGINES);
/** Why a test is skipped that needs so many hosts whose engines may be used. */
export function needsHosts(count) {
  return HOSTS.length >= count
    ? false
    : `WHARF_UI_ENGINES names ${HOSTS.length} hosts with their engines, and ${count} are needed`;
}

/** Asks the engine of that host; what it answers. */
export function docker(host, ...words) {
  return execFileSync('sh', ['-c', `${ENGINES[host]} "$@"`, 'docker', ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** The last lines that a container wrote, to either of its ends. */
export function linesOf(host, name) {
  const logs = `${ENGINES[host]} logs --tail 5000 "$1" 2>&1`;
  const options = { encoding: 'utf8', maxBuffer: 64 << 20 };
  return execFileSync('sh', ['-c', logs, 'logs', name], options).split('\n');
}

/** The host of a running container whose name ends so or is like it, and the whole name. */
export function containerNamed(end, { hosts = HOSTS, none = false } = {}) {
  const like = (name) => (typeof end === 'string' ? name.endsWith(end) : end.test(name));
  for (const host of hosts) {
    const name = docker(host, 'ps', '--format', '{{.Names}}').split('\n').find(like);
    if (name) return { host, name };
  }
  if (none) return undefined;
  throw new assert.AssertionError({ message: `a container whose name ends with ${end} runs on ${hosts}` });
}

/** A container that is not the platform's, of an application. */
export function runApplication(host, project, service, script, more = []) {
  const label = (key, value) => ['--label', `com.docker.compose.${key}=${value}`];
  const name = `${project}-${service}`;
  const labels = [...label('project', project), ...label('service', service)];
  docker(
    host,
    ...['run', '-d', '--name', name, '--network', 'none', ...labels, ...more],
    ...['busybox:test', 'sh', '-c', script],
  );
  return name;
}

/** The plan that is shown has ended, and how. */
export async function planEnds(page, how = 'Done') {
  await page.locator('.title-line .mark', { hasText: /Done|Failed|Cancelled/ }).waitFor({ timeout: PLAN_MS });
  const state = await page.locator('.title-line .mark').innerText();
  const reason = await page.locator('.reason').allInnerTexts();
  assert.equal(state.trim(), how, `the plan ends as it should: ${reason.join(' ')}`);
}

/** Makes a deployment; its page is shown then. */
export async function makeDeployment(page, name) {
  await page.goto('/deployments/create');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Memory of storage').selectOption({ label: SMALL });
  await page.getByRole('button', { name: 'Create deployment' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
}

/** Shows the page of a deployment that is there. */
export async function showDeployment(page, name) {
  await page.goto(`/deployments?q=${encodeURIComponent(name)}`);
  await settled(page);
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  await settled(page);
}

/** Terminates the deployment whose page is shown: its memory is free again. */
export async function terminate(page) {
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Terminate', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Terminate' }).click();
  await page.waitForURL('**/plans/*');
  await planEnds(page);
}

/** Where the proxy serves the deployment whose page is shown. */
export async function endpointOf(page, name) {
  const text = page.getByText(new RegExp(`^https://${name}\\.`)).first();
  return text.innerText();
}

/** The status of an answer of the proxy; the endpoint's name need not be known to this machine. */
export function ask(endpoint, path = '/orders/_search') {
  const { host, hostname, port } = new URL(endpoint);
  const to = { host: new URL(platform.url).hostname, port, servername: hostname, headers: { host } };
  return new Promise((done) => {
    // Who answers is of no matter here: the directors' certificates are what other tests look at.
    const sent = request({ ...to, path, rejectUnauthorized: false, timeout: 5_000 }, (answer) => {
      answer.resume();
      done(answer.statusCode);
    });
    sent.on('error', () => done(0));
    sent.on('timeout', () => sent.destroy());
    sent.end();
  });
}

/** Deletes the dashboard whose page is open. */
export async function removeDashboard(page) {
  await page.getByRole('button', { name: 'More actions', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Delete dashboard' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/^Type .* to confirm$/).fill(new URL(page.url()).pathname.split('/').at(-1));
  await dialog.getByRole('button', { name: 'Delete dashboard', exact: true }).click();
  await page.waitForURL((url) => url.pathname === '/dashboards');
}
