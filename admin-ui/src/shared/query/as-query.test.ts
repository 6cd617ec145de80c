import { expect, test } from 'vitest';
import { asConsole, asCurl } from './as-query';

test('a query shows its method, its path and its body', () => {
  expect(asConsole(['logs-a', 'logs-b*'], { size: 0 })).toBe(
    'POST /logs-a,logs-b*/_search\n{\n  "size": 0\n}',
  );
});

test('curl goes to the address of the deployment, and a quote does not end a word of the shell', () => {
  const text = asCurl(['logs-a'], { query: { term: { name: "it's" } } }, 'https://a.example:9443/');
  expect(text).toContain("'https://a.example:9443/logs-a/_search'");
  expect(text).toContain(`"it'\\''s"`);
});
