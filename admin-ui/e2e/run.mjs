// Runs the tests one file after the other against the platform that the environment names:
//   WHARF_UI_URL        https://HOST:PORT of a director
//   WHARF_UI_USERNAME   a platform admin; `admin` when not given
//   WHARF_UI_PASSWORD   that user's password
//   WHARF_UI_CA_FILE    the platform's CA certificate, PEM
//   WHARF_UI_CHROMIUM   the browser; /usr/bin/chromium when not given
//   WHARF_UI_RESTART    a command that restarts the director; not given: what needs it is skipped
//   WHARF_UI_WRITE      a program that makes a container write its argument as one line of its log; not given:
//                       what needs it is skipped
//   WHARF_UI_WRITER     that container: HOST/NAME
//   WHARF_SCREENSHOTS   1: into docs/screenshots, else the folder to write them to; not given: none
// Arguments: names of files to run instead of all: `many` is not among them, it wants a platform with
// thousands of hosts (`scripts/many-hosts --serve SECONDS`). Ends with 0 when all passed.
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

// The last one shows every screen with what the others have made.
const ALL = [
  'log-in',
  'deployments',
  'lists',
  'containers',
  'hosts',
  'instances',
  'live',
  'viewer',
  'services',
  'discover',
  'alerts',
  'placement',
  'dashboards',
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
