import type { Entitlement, EntitlementState, StorageHealth } from '@holdfast/client';
import { expect, test } from 'vitest';
import { standing } from './standing.ts';
import { storageTrouble } from './storage.ts';

const states: readonly EntitlementState[] = ['none', 'active', 'grace', 'expired', 'revoked', 'clock_behind'];
const healths: readonly StorageHealth[] = ['well', 'full', 'blocked', 'newer', 'unavailable', 'reset'];
const now = new Date(2025, 11, 5, 12, 0);

function entitlement(state: EntitlementState): Entitlement {
  const granting = state === 'active' || state === 'grace';
  return {
    state,
    reason: state === 'revoked' ? 'revoked' : null,
    signInNeeded: false,
    until: new Date(2025, 11, 12),
    refreshAfter: new Date(2025, 11, 6),
    paidThrough: new Date(2025, 11, 10),
    ending: null,
    plans: ['premium'],
    features: granting ? { notes: {}, export: {} } : {},
    revision: 1,
    error: state === 'clock_behind' ? 'clock_behind' : null,
    clockBehind: null,
    lastContact: new Date(2025, 11, 5),
  };
}

test('only healthy storage has no message', () => {
  expect(healths.filter((health) => storageTrouble(health) === null)).toEqual(['well']);
});

// The axes are independent, and so are their words: every combination can appear on one page.
test.each(states.flatMap((state) => healths.map((health) => [state, health] as const)))(
  '%s with storage %s: what works, and what to do, without contradiction',
  (state, health) => {
    const what = standing(entitlement(state), { now, reached: true, locale: 'en-GB' });
    const trouble = storageTrouble(health);
    const said = [what.meaning, what.advice, what.line, trouble?.meaning, trouble?.advice, trouble?.line].join(' ');
    expect(what.meaning).not.toBe('');
    expect(said).not.toMatch(/undefined|null|\[object|invalid date/i);
    if (trouble) {
      expect(trouble.advice).not.toBe('');
      // A storage failure never suggests that paid features are at risk.
      expect(trouble.meaning).not.toMatch(/premium (ends|is locked)/i);
    }
    if (what.tone === 'attention') expect(what.advice).not.toBeNull();
    if (state === 'active' || state === 'grace') expect(what.meaning).toContain('also offline');
    else expect(what.meaning + what.headline).not.toContain('Premium is on');
  },
);
