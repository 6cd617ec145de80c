import { expect, test } from 'vitest';
import { degreesOf, locationText, pairOf } from './degrees';

test('degrees are a number within the range, and nothing else', () => {
  expect(degreesOf(' -33.8688 ', 90)).toBe(-33.8688);
  expect(degreesOf('0', 90)).toBe(0);
  expect(degreesOf('+90', 90)).toBe(90);
  for (const text of ['', ' ', '90.1', '-91', '1e1', '37,5', 'north', '0x10', 'Infinity']) {
    expect(degreesOf(text, 90), text).toBeUndefined();
  }
});

test('both are taken from one text, with a comma, a semicolon or a space between them', () => {
  for (const text of ['37.5665, 126.978', '37.5665;126.978', ' 37.5665 126.978 ']) {
    expect(pairOf(text), text).toEqual(['37.5665', '126.978']);
  }
  expect(pairOf('-33.8688,-151')).toEqual(['-33.8688', '-151']);
  for (const text of ['37.5665', '37.5665,', '37,5', '1, 2, 3', 'a, b'])
    expect(pairOf(text), text).toBeUndefined();
});

test('a location is its place with its degrees, or its degrees alone', () => {
  const seoul = { latitudeDegrees: 37.5665, longitudeDegrees: 126.978 };
  expect(locationText({ ...seoul, place: 'Seoul' })).toBe('Seoul (37.5665, 126.978)');
  expect(locationText({ ...seoul, place: '' })).toBe('37.5665, 126.978');
  expect(locationText(undefined)).toBeUndefined();
});
