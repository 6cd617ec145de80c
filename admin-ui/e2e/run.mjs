// Runs the tests against the platform that the environment names:
//   WHARF_UI_URL        https://HOST:PORT of a director
//   WHARF_UI_USERNAME   a platform admin; `admin` when not given
//   WHARF_UI_PASSWORD   that user's password
//   WHARF_UI_CA_FILE    the platform's CA certificate, PEM
//   WHARF_UI_CHROMIUM   the browser; /usr/bin/chromium when not given
//   WHARF_UI_RESTART    a command that restarts the director; not given: what needs it is skipped
//   WHARF_UI_NAMES      rules by which the browser finds addresses of names: `MAP *.example.org 10.0.0.5`
//   WHARF_UI_WRITE      a program that makes a container write its arguments into its log, a line each; not given:
//                       what needs it is skipped
//   WHARF_UI_WRITER     that container: HOST/NAME
//   WHARF_UI_ENGINES    JSON: by name of each host the command that is `docker` there; not given: what needs it
//                       is skipped
//   WHARF_UI_DEPLOYMENT_URL, _NAME, _USERNAME, _PASSWORD
//                       a deployment's monitoring address through the proxy, and its credentials; not given: what
//                       needs them is skipped
//   WHARF_SCREENSHOTS   1: into docs/screenshots, else the folder to write them to; not given: none
// Arguments: names of files to run instead of all, one after the other. Not among all are `many`, which wants a
// platform with thousands of hosts (`scripts/many-hosts --serve SECONDS`), and `cost`, which is for its figures and
// lasts for WHARF_UI_COST_MINUTES. Ends with 0 when all passed.
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

// Files that run at a time share the platform, and wait for it and the browser most of their time. Who holds up all of
// it, if only for a moment, or looks for what uses the most of all, runs alone. What is terminated keeps its data where
// it lies, and a host with such data is not emptied: who terminates comes after `vacate`. A restart of the director, in
// `live`, forgets which containers came before. The last one shows every screen with what the others have made.
const ALL = [
  [['log-in', 'deployments', 'instances', 'vacate']],
  [
    // What runs where: containers come and go, and one host tells nothing for a while.
    ['lists', 'containers', 'hosts', 'changes', 'viewer', 'services', 'placement'],
    // What was written.
    ['discover', 'alerts', 'dashboards', 'versions', 'requests', 'deployment', 'zones'],
  ],
  [['live', 'clicks', 'away', 'screens']],
];

/** Runs these files one after the other. */
function inTurn(names) {
  const files = names.map((name) => join(import.meta.dirname, `${name}.test.mjs`));
  const tests = run({ files, concurrency: 1 }).on('test:fail', () => {
    process.exitCode = 1;
  });
  const told = tests.compose(new spec());
  told.pipe(process.stdout, { end: false });
  return finished(told);
}

const chosen = process.argv.slice(2);
for (const atATime of chosen.length > 0 ? [[chosen]] : ALL) await Promise.all(atATime.map(inTurn));
