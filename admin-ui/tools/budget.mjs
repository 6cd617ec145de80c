// What the first page costs, packed as it is sent, against what it may cost.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const KB = 1000;
const MOST = { js: 300 * KB, css: 115 * KB, route: 60 * KB };
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
if (!existsSync(`${dist}index.html`)) {
  process.stderr.write('there is no dist: run `npm run build` first\n');
  process.exit(1);
}
const html = readFileSync(`${dist}index.html`, 'utf8');
const packed = (name) => gzipSync(readFileSync(dist + name), { level: 9 }).length;
const initial = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(js|css))"/g)].map(([, name, kind]) => ({
  name,
  kind,
}));
const sum = (kind) =>
  initial.filter((one) => one.kind === kind).reduce((all, one) => all + packed(one.name), 0);

const faults = [];
const say = (what, size, most) => {
  process.stdout.write(`${what}: ${(size / KB).toFixed(1)} of ${most / KB} kB\n`);
  if (size > most) faults.push(`${what} is ${size} bytes packed, and may be ${most}`);
};
if (initial.length === 0) faults.push('dist/index.html names no script and no style sheet');
say('initial JS', sum('js'), MOST.js);
say('initial CSS', sum('css'), MOST.css);
const first = new Set(initial.map((one) => one.name));
const later = readdirSync(`${dist}assets`)
  .filter((name) => /\.(js|css)$/.test(name) && !first.has(`assets/${name}`))
  .map((name) => ({ name, size: packed(`assets/${name}`) }))
  .sort((a, b) => b.size - a.size);
if (later[0]) say(`largest part that is fetched later (${later[0].name})`, later[0].size, MOST.route);
for (const name of readdirSync(`${dist}assets`)) {
  if (/\.(js|css|svg)$/.test(name)) {
    for (const end of ['br', 'gz']) {
      if (!existsSync(`${dist}assets/${name}.${end}`)) faults.push(`assets/${name}.${end} is missing`);
    }
  }
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
