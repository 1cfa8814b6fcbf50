import type { Plan } from '@holdfast/api';
import { expect, test } from 'vitest';
import { planChanges, planWords } from './plan.ts';

const plan: Plan = {
  id: 'premium',
  features: { export: { offline: true }, notes: { offline: true, limit: 500 } },
  window: null,
  grace: 259_200,
  device_limit: 5,
  rank: 10,
  version: 'v',
};

test('describes a change by its effects, losses first', () => {
  expect(planChanges(plan, plan)).toEqual([]);
  expect(planChanges(null, plan)).toEqual([]);
  expect(
    planChanges(plan, {
      ...plan,
      features: { notes: { offline: false }, sync: { offline: true } },
      window: 86_400,
      grace: 604_800,
      device_limit: 3,
    }),
  ).toEqual([
    { text: 'export is taken away', loss: true },
    { text: 'notes works online only', loss: true },
    { text: 'offline at most: as the server allows → 1 day', loss: true },
    { text: 'devices: 5 → 3', loss: true },
    { text: 'notes: 500 → without limit', loss: false },
    { text: 'sync is given', loss: false },
    { text: 'grace: 3 days → 7 days', loss: false },
  ]);
});

test('describes a plan in one line', () => {
  expect(planWords(plan)).toBe(
    'export, notes up to 500. Grace 3 days, offline at most as the server allows, up to 5 devices, rank 10.',
  );
});
