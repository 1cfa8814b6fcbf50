import { readFileSync } from 'node:fs';
import type { Action } from '@holdfast/api';
import { expect, test } from 'vitest';
import { verdictWords } from './act.ts';

const act = {
  position: null,
  id: 'x',
  device: '7f1e9b6e-6f0e-4a52-8f0f-3b9d0c1a2b3c',
  seq: 1,
  at: 0,
  feature: 'notes',
  action: 'note.save',
  payload: null,
  received_at: '2026-01-01T00:00:00Z',
} as const;

test('every code of a refusal has words', () => {
  const description = readFileSync(new URL('../../../../api/openapi.yaml', import.meta.url), 'utf8');
  const codes = /RejectionCode:\n(?:.*\n)*?\s+enum: \[(.*)\]/.exec(description)?.[1]?.split(', ') ?? [];
  expect(codes.length).toBeGreaterThan(6);
  for (const code of codes) {
    const words = verdictWords({ ...act, verdict: 'rejected', code: code as NonNullable<Action['code']> });
    expect(words, code).toMatch(/^Refused: (?!the server’s reason)/);
  }
});

test('the other verdicts have words', () => {
  expect(verdictWords({ ...act, verdict: 'accepted', code: null })).toBe('Accepted.');
  expect(verdictWords({ ...act, verdict: 'superseded', code: null })).toMatch(/^Taken back/);
});
