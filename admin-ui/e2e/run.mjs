// Runs the tests one file after the other against the platform that the environment names:
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
// Arguments: names of files to run instead of all. Not among all are `many`, which wants a platform with
// thousands of hosts (`scripts/many-hosts --serve SECONDS`), and `cost`, which is for its figures and lasts for
// WHARF_UI_COST_MINUTES. Ends with 0 when all passed.
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

// The last one shows every screen with what the others have made. What is terminated keeps its data where it lies, and a
// host with such data is not emptied: who terminates comes after `vacate`.
const ALL = [
  'log-in',
  'deployments',
  'lists',
  'containers',
  'hosts',
  'instances',
  'vacate',
  'changes',
  'live',
  'viewer',
  'services',
  'discover',
  'alerts',
  'placement',
  'dashboards',
  'versions',
  'requests',
  'deployment',
  'zones',
  'clicks',
  'away',
  'screens',
];
const chosen = process.argv.slice(2);
const files = (chosen.length > 0 ? chosen : ALL).map((name) => join(import.meta.dirname, `${name}.test.mjs`));

run({ files, concurrency: 1 })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
