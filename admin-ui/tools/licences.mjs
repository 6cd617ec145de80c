// Writes the list of packages that end up in the pages, with their licences and where their sources are, and refuses
// other licences than those that are allowed.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ALLOWED = new Set([
  'MIT',
  'Apache-2.0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'OFL-1.1',
  'Unlicense',
  '(Apache-2.0 AND BSD-3-Clause)',
  '(MIT OR CC0-1.0)',
]);
const root = fileURLToPath(new URL('..', import.meta.url));
const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8'));

/** Where its sources are, as a page of them: packages name that in several ways. */
function repositoryOf(path) {
  const { repository } = JSON.parse(readFileSync(`${root}${path}/package.json`, 'utf8'));
  const named = (typeof repository === 'string' ? repository : repository?.url) ?? '';
  const url = named
    .replace(/^git\+/, '')
    .replace(/^(?:git|ssh):\/\/(?:git@)?/, 'https://')
    .replace(/\.git$/, '');
  const short = /^(?:github:)?([\w.-]+\/[\w.-]+)$/.exec(url);
  return short ? `https://github.com/${short[1]}` : url;
}

const used = [];
const wrong = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === '' || entry.link) continue;
  const name = path.split('node_modules/').pop();
  if (entry.resolved && !entry.resolved.startsWith('https://'))
    wrong.push(`${name}: comes from ${entry.resolved}, which is no registry`);
  if (/git(\+|:|hub\.com)/.test(entry.resolved ?? ''))
    wrong.push(`${name}: comes from ${entry.resolved}, which is no registry`);
  if (!entry.integrity) wrong.push(`${name}: has no hash in package-lock.json`);
  if (entry.dev || entry.devOptional) continue;
  const licence = entry.license ?? 'unknown';
  if (!ALLOWED.has(licence))
    wrong.push(`${name}: its licence ${licence} is not allowed (tools/licences.mjs lists those that are)`);
  if (used.some((one) => one.name === name && one.version === entry.version)) continue;
  used.push({ name, version: entry.version, licence, repository: repositoryOf(path) });
}
if (wrong.length > 0) {
  for (const line of wrong) process.stderr.write(`${line}\n`);
  process.exit(1);
}
used.sort((a, b) => a.name.localeCompare(b.name, 'en'));
mkdirSync(`${root}src/generated`, { recursive: true });
writeFileSync(`${root}src/generated/licences.json`, `${JSON.stringify(used, null, 1)}\n`);
