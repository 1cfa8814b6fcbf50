import { expect, test } from 'vitest';
import { exportName, toMarkdown } from './markdown.ts';
import type { Note } from './note.ts';

const say = (time: Date) => `at ${time.getTime()}`;
const note = (id: string, title: string, text: string, changedAt: number): Note => ({
  id,
  user: 'u',
  title,
  text,
  createdAt: 0,
  changedAt,
});

test('keeps texts as written, and titles as plain text', async () => {
  const notes = [note('b', '', '#1 *new*\nrest', 2), note('a', 'Older', '# mine\n\n* as is\n', 1)];
  expect((await toMarkdown(notes, new Date(9), say)).join('')).toBe(
    [
      '# Fieldbook\n\n2 notes, exported at 9.',
      '## \\#1 \\*new\\*\n\n*Last changed at 2*\n\n#1 *new*\nrest',
      '## Older\n\n*Last changed at 1*\n\n# mine\n\n* as is\n',
    ].join('\n\n---\n\n'),
  );
});

test('an empty note has a name and no text', async () => {
  expect((await toMarkdown([note('a', ' ', '', 1)], new Date(9), say)).join('')).toContain(
    '1 note, exported at 9.\n\n---\n\n## Untitled\n\n*Last changed at 1*\n',
  );
});

test('names the file by the local day', () => {
  expect(exportName(new Date(2026, 0, 2, 23, 59))).toBe('fieldbook-2026-01-02.md');
});
