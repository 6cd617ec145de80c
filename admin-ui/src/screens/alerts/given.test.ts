import { expect, test } from 'vitest';
import { asDocument, namedForm } from './given';
import { NEW_FORM, specOf } from './watch-form';

test('the document of a trial has the name that is tried out', () => {
  const named = (name: string) =>
    JSON.parse(String(asDocument({ case: 'spec', value: specOf(namedForm({ ...NEW_FORM, name })) }).value));
  expect(named('').name).toBe('unnamed');
  expect(named('slow').name).toBe('slow');
});

test('a document stays as it was written', () => {
  const written = { case: 'document' as const, value: '{ "name": "w" }' };
  expect(asDocument(written)).toBe(written);
});
