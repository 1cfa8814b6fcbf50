import { expect, test, vi } from 'vitest';
import type { Note } from './note.ts';
import { prepareSearch, search } from './search.ts';

const note = (title: string, text: string): Note => ({
  id: title,
  user: 'u',
  title,
  text,
  createdAt: 0,
  changedAt: 0,
});

test('a search requires every word, in title or text, ignoring case', () => {
  const notes = [note('Salt marsh', 'spoonbills'), note('Roof', 'slate')];
  expect(search(notes, ' SPOON salt ')).toEqual([notes[0]]);
  expect(search(notes, 'salt slate')).toEqual([]);
  expect(search(notes, '  ')).toBe(notes);
});

test.each([
  ['cafe', 'Café'],
  ['CAFÉ', 'cafe'],
  ['uber', 'Über den Bächen'],
  ['e\u0301te', '\u00e9t\u00e9'],
  ['ёлка', 'Елка'],
])('%s finds %s', (query, text) => {
  expect(search([note('', text)], query)).toHaveLength(1);
});

test('typing narrows and deleting widens the results, whatever was searched before', () => {
  const notes = ['salt', 'salt marsh', 'marsh', 'malt'].map((text) => note(text, text));
  const titles = (query: string) => search(notes, query).map(({ title }) => title);
  expect(titles('s')).toEqual(['salt', 'salt marsh', 'marsh']);
  expect(titles('sa')).toEqual(['salt', 'salt marsh']);
  expect(titles('sa m')).toEqual(['salt marsh']);
  expect(titles('a m')).toEqual(['salt marsh', 'marsh', 'malt']);
  expect(titles('alt')).toEqual(['salt', 'salt marsh', 'malt']);
  expect(search([...notes, note('salty', '')], 'alt')).toHaveLength(4);
});

test('finds a changed note by its new text', () => {
  const before = note('Roof', 'slate');
  expect(search([before], 'slate')).toHaveLength(1);
  const after = { ...before, text: 'thatch' };
  expect(search([after], 'slate')).toHaveLength(0);
  expect(search([after], 'thatch')).toHaveLength(1);
});

test('uses prepared texts again', async () => {
  const notes = [note('Älter', 'x'), note('Neuer', 'ä')];
  await prepareSearch(notes, new AbortController().signal);
  const normalize = vi.spyOn(String.prototype, 'normalize');
  expect(search(notes, 'x')).toEqual([notes[0]]);
  expect(normalize).not.toHaveBeenCalled();
  normalize.mockRestore();
});
