import { expect, test } from 'vitest';
import { byChange, excerptOf, mended, type Note, nameOf, neighbour } from './note.ts';

const note = (title: string, text: string, changedAt = 0): Note => ({
  id: title || text,
  user: 'u',
  title,
  text,
  createdAt: 0,
  changedAt,
});

test.each([
  [note('Title', 'First\nsecond'), 'Title', 'First'],
  [note('', '\n First\n\nsecond'), 'First', 'second'],
  [note('', ''), 'Untitled', ''],
])('%o', (subject, name, excerpt) => {
  expect(nameOf(subject)).toBe(name);
  expect(excerptOf(subject)).toBe(excerpt);
});

test('repairs only the damaged parts of a note', () => {
  const whole = note('Title', 'Text', 5);
  expect(mended(whole)).toEqual(whole);
  const left = { id: 'a', user: 'u', title: '', text: '', createdAt: 0, changedAt: 0 };
  expect(mended({ id: 'a', user: 'u' })).toEqual(left);
  expect(mended({ ...left, title: 42, text: null, createdAt: 'x', changedAt: Number.NaN })).toEqual(left);
  expect(mended({ ...left, text: 'Half', changedAt: 1e300 })).toEqual({ ...left, text: 'Half' });
});

test('sorts the most recent change first', () => {
  expect([note('a', '', 1), note('b', '', 2), note('c', '', 1)].sort(byChange).map(({ id }) => id)).toEqual([
    'b',
    'a',
    'c',
  ]);
});

test.each([
  ['a', 'b'],
  ['b', 'c'],
  ['c', 'b'],
  ['elsewhere', null],
])('the neighbour of a deleted %s is %s', (id, next) => {
  expect(neighbour([note('a', ''), note('b', ''), note('c', '')], id)?.id ?? null).toBe(next);
});

test('nothing takes the place of the last note', () => {
  expect(neighbour([note('a', '')], 'a')).toBeNull();
});
