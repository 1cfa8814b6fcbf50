import { expect, test } from 'vitest';
import { byChange, excerptOf, type Note, nameOf, neighbour } from './note.ts';

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

test('newest change first', () => {
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
])('what stands in the place of %s when it is gone: %s', (id, next) => {
  expect(neighbour([note('a', ''), note('b', ''), note('c', '')], id)?.id ?? null).toBe(next);
});

test('nothing stands in the place of the last one', () => {
  expect(neighbour([note('a', '')], 'a')).toBeNull();
});
