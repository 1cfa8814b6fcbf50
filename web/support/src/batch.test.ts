import { expect, test } from 'vitest';
import { idsOf } from './batch.ts';

test('ids are separated by lines, spaces, commas or semicolons, and count once', () => {
  expect(idsOf(' a\nb, c;d\r\n\n a\tb ')).toEqual(['a', 'b', 'c', 'd']);
  expect(idsOf(' \n ')).toEqual([]);
});
