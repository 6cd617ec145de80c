import type { DescService } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';

/** What a browser alone has a use for: its answer is a cookie. */
const OF_BROWSERS = ['logIn', 'logOut'];
const READS = /^(get|list|count|search|follow|explain|diff|inspect|whoAmI)/;

const sources = Object.entries(
  import.meta.glob<string>(['../**/*.{ts,tsx}', '!../**/*.test.ts', '!../generated/**'], {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
).map(([, text]) => text);

const services = Object.values(
  import.meta.glob<Record<string, unknown>>('../generated/wharf/**/*_pb.ts', { eager: true }),
)
  .flatMap((file) => Object.values(file))
  .filter((one): one is DescService => (one as { kind?: string } | null)?.kind === 'service');

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name);
}

/** Functions of the module level, each by its name. */
const functions = sources.flatMap((text) =>
  text.split(/^(?:export )?(?:default )?function /m).map((part) => ({
    name: /^\w+/.exec(part)?.[0] ?? '',
    text: part,
    // It shows whatever method it is given.
    shows: /<ApiRequest\b[^<>]*\bmethod=\{(?:props\.)?method\}/.test(part),
  })),
);
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

test('every change that the pages ask for is shown as a request somewhere', () => {
  const writes = new Set(
    services
      .flatMap((service) => service.methods)
      .filter((method) => method.methodKind === 'unary' && !READS.test(method.localName))
      .map((method) => method.localName),
  );
  const asked = new Set(
    sources.flatMap((text) => found(text, /\.method\.(\w+)/g)).filter((name) => writes.has(name)),
  );
  expect(asked.size, 'the pages change many things').toBeGreaterThan(30);
  const shown = new Set(functions.flatMap(shownIn));
  expect([...asked].filter((name) => !shown.has(name)).sort()).toEqual(OF_BROWSERS);
});
