import shared from '@holdfast/kit/locales/de.ts';
import { expect, test } from 'vitest';
import { expectPlaceholders, expectTranslated, textsOf } from '../../kit/catalogue.ts';
import { own } from './locales/de.ts';

const sources = import.meta.glob<string>(['./**/*.{ts,tsx}', '!./**/*.test.ts', '!./locales/*'], {
  query: '?raw',
  import: 'default',
  eager: true,
});

const texts = textsOf(sources, ['not asked', 'out of reach', '.toast button', 'danger solid', 'holdfast keys renew']);

test('every text that people read goes through t', () => {
  expect(texts.loose).toEqual([]);
});

test('every text has a German translation, and no translation is left over', () => {
  expectTranslated(texts, own, shared);
});

test('translations use the placeholders of their texts', () => {
  expectPlaceholders(own);
});
