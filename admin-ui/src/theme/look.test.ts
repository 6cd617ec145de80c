import { expect, test } from 'vitest';
import { lookOf, themeOf } from './look';

const nothing = { dark: false, more: false, forced: false };

test('what is kept is a theme, and anything else follows the system', () => {
  expect(themeOf('contrast')).toBe('contrast');
  expect(themeOf(null)).toBe('system');
  expect(themeOf('sepia')).toBe('system');
});

test('high contrast is light or dark as the system is', () => {
  expect(lookOf('contrast', nothing)).toEqual({ dark: false, contrast: true });
  expect(lookOf('contrast', { ...nothing, dark: true })).toEqual({ dark: true, contrast: true });
});

test('who asks the system for more contrast has it in every theme', () => {
  const wishes = { ...nothing, more: true };
  expect(lookOf('system', wishes)).toEqual({ dark: false, contrast: true });
  expect(lookOf('dark', wishes)).toEqual({ dark: true, contrast: true });
});

test('where the system forces its colours ours are as dark as they are', () => {
  expect(lookOf('light', { dark: true, more: false, forced: true })).toEqual({ dark: true, contrast: true });
  expect(lookOf('dark', { dark: false, more: false, forced: true })).toEqual({ dark: false, contrast: true });
});
