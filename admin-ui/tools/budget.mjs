// What the first page costs and what each part that is fetched later adds to it, packed as it is sent,
// against what it may cost. The large libraries have parts of their own, and no page waits for them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const KB = 1000;
const MOST = { js: 300 * KB, css: 115 * KB, route: 60 * KB };
/** A word that only this library has, and how much its part may be. */
const LIBRARIES = [
  { name: 'ECharts', mark: 'treemapRootToNode', most: 250 * KB },
  { name: 'CodeMirror', mark: 'cm-content', most: 140 * KB },
];
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

const scripts = new Map(
  readdirSync(`${dist}assets`)
    .filter((name) => name.endsWith('.js'))
    .map((name) => [name, readFileSync(`${dist}assets/${name}`, 'utf8')]),
);
const named = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name);
/** The script and all that it cannot run without. */
function whole(name, seen = new Set()) {
  if (seen.has(name) || !scripts.has(name)) return seen;
  seen.add(name);
  const needed = named(scripts.get(name), /(?:\bfrom|\bimport)\s*["'`]\.\/([^"'`]+\.js)["'`]/g);
  for (const other of needed) whole(other, seen);
  return seen;
}
const first = new Set();
for (const one of initial) {
  if (one.kind === 'js') whole(one.name.slice('assets/'.length), first);
}
for (const name of first) {
  if (!initial.some((one) => one.name === `assets/${name}`)) {
    faults.push(`the first page needs assets/${name}, but does not name it`);
  }
}
const asked = new Set(
  [...scripts.values()].flatMap((text) => named(text, /\bimport\(\s*["'`]\.\/([^"'`]+\.js)["'`]/g)),
);
const needs = new Map(
  [...asked]
    .filter((name) => !first.has(name))
    .map((name) => [name, [...whole(name)].filter((part) => !first.has(part))]),
);
const size = (parts) => parts.reduce((all, part) => all + packed(`assets/${part}`), 0);
const later = [...needs]
  .map(([name, parts]) => {
    // What several parts need is fetched once, and is nobody's own.
    const own = parts.filter(
      (part) => [...needs.values()].filter((some) => some.includes(part)).length === 1,
    );
    const library = LIBRARIES.find(({ mark }) => own.some((part) => scripts.get(part).includes(mark)));
    return { name, library, own: size(own), whole: size(parts) };
  })
  .sort((x, y) => y.own - x.own);
if (later.length === 0) faults.push('nothing is fetched later: the pages are all in the first one');
const pages = later.filter((one) => !one.library);
if (pages[0]) say(`largest code of a page's own (${pages[0].name})`, pages[0].own, MOST.route);
for (const one of pages.slice(1).filter((page) => page.own > MOST.route)) {
  faults.push(`${one.name} is ${one.own} bytes packed, and may be ${MOST.route}`);
}
const most = pages.toSorted((x, y) => y.whole - x.whole)[0];
if (most) process.stdout.write(`with what pages share: ${(most.whole / KB).toFixed(1)} kB (${most.name})\n`);
for (const library of LIBRARIES) {
  const parts = [...scripts].filter(([, text]) => text.includes(library.mark)).map(([name]) => name);
  if (parts.length > 1) faults.push(`${library.name} is in more than one part: ${parts.join(', ')}`);
  if (parts.some((name) => first.has(name))) faults.push(`${library.name} is in what the first page fetches`);
  for (const one of later.filter((part) => part.library === library)) {
    say(`${library.name} (${one.name})`, one.own, library.most);
  }
}
for (const name of readdirSync(`${dist}assets`)) {
  if (/\.(js|css|svg)$/.test(name)) {
    for (const end of ['br', 'gz']) {
      if (!existsSync(`${dist}assets/${name}.${end}`)) faults.push(`assets/${name}.${end} is missing`);
    }
  }
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
