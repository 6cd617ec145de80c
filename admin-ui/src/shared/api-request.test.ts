import type { DescService } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';

/** What a browser alone has a use for: its answer is a cookie. */
const OF_BROWSERS = ['logIn', 'logOut'];
const READS = /^(get|list|count|search|follow|explain|diff|inspect|whoAmI)/;

const files = Object.entries(
  import.meta.glob<string>(['../**/*.{ts,tsx}', '!../**/*.test.ts', '!../generated/**'], {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
).map(([path, text]) => ({ path: path.replace(/^\.\.\/|^\.\//, ''), text }));
const sources = files.map((file) => file.text);

const services = Object.values(
  import.meta.glob<Record<string, unknown>>('../generated/wharf/**/*_pb.ts', { eager: true }),
)
  .flatMap((file) => Object.values(file))
  .filter((one): one is DescService => (one as { kind?: string } | null)?.kind === 'service');

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name);
}

/** Writes whose request stands elsewhere, or nowhere: why. */
const ELSEWHERE: Record<string, string> = {
  'api/login.ts logIn': 'of browsers alone',
  'api/login.ts logOut': 'of browsers alone',
  'screens/alerts/AlertList.tsx acknowledgeAlert':
    "in the alert's flyout, which a row opens: a row has no room",
  'screens/placement/WhatIf.tsx vacateAllocator':
    "a dry run: nothing is written; the host's own dialog shows it",
};
/** How the command line asks for what others ask: it asks for nothing itself. */
const NO_PAGE = 'api/as-command.ts';

/** Functions of the module level, each by its name. */
function functionsOf(text: string) {
  return text.split(/^(?:export )?(?:default )?(?:async )?function /m).map((part) => ({
    name: /^\w+/.exec(part)?.[0] ?? '',
    text: part,
    // It shows whatever method it is given.
    shows: /<ApiRequest\b[^<>]*\bmethod=\{(?:props\.)?method\}/.test(part),
  }));
}

const functions = sources.flatMap(functionsOf);
const showing = new Set(functions.filter((one) => one.shows).map((one) => one.name));

function shownIn({ text, shows }: (typeof functions)[number]): string[] {
  const given = [...text.matchAll(/<(\w+)\b[^<>]*?\bmethod=\{\w+\.method\.(\w+)\}/g)]
    .filter(([, component = '']) => component === 'ApiRequest' || showing.has(component))
    .map(([, , name = '']) => name);
  return [
    ...given,
    ...found(text, /\bshownCall\([^{]*\{\s*method: \w+\.method\.(\w+)/g),
    ...(shows ? found(text, /\bconst method = \w+\.method\.(\w+)/g) : []),
  ];
}

const writes = new Set(
  services
    .flatMap((service) => service.methods)
    .filter((method) => method.methodKind === 'unary' && !READS.test(method.localName))
    .map((method) => method.localName),
);

function askedIn(text: string): string[] {
  return found(text, /\.method\.(\w+)/g).filter((name) => writes.has(name));
}

const isHook = (name: string) => /^use[A-Z]/.test(name);
/** What hooks write: shown by whoever uses them. */
const hooks = new Map(
  functions.filter((one) => isHook(one.name)).map((one) => [one.name, askedIn(one.text)] as const),
);

test('every change that the pages ask for is shown as a request somewhere', () => {
  const asked = new Set(sources.flatMap(askedIn));
  expect(asked.size, 'the pages change many things').toBeGreaterThan(30);
  const shown = new Set(functions.flatMap(shownIn));
  expect([...asked].filter((name) => !shown.has(name)).sort()).toEqual(OF_BROWSERS);
});

test('a file that makes a change shows its request itself, or it is known why not', () => {
  const pages = files.filter((file) => file.path !== NO_PAGE);
  const hidden = pages.flatMap(({ path, text }) => {
    const parts = functionsOf(text).filter((one) => !isHook(one.name));
    const used = parts.flatMap((one) => found(one.text, /\b(use[A-Z]\w*)\(/g));
    const asked = new Set([
      ...parts.flatMap((one) => askedIn(one.text)),
      ...used.flatMap((name) => hooks.get(name) ?? []),
    ]);
    const shown = new Set(parts.flatMap(shownIn));
    return [...asked].filter((name) => !shown.has(name)).map((name) => `${path} ${name}`);
  });
  expect(hidden.sort()).toEqual(Object.keys(ELSEWHERE).sort());
});
