import type { Entitlement } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';
import { describe, expect, test } from 'vitest';
import { dates } from './dates.ts';
import { type Standing, standing, type Told } from './standing.ts';

// Local times throughout: the words follow the reader's time zone.
const now = new Date(2025, 11, 5, 12, 0);
const nothing: Entitlement = {
  state: 'none',
  reason: null,
  signInNeeded: false,
  until: null,
  refreshAfter: null,
  paidThrough: null,
  ending: null,
  plans: [],
  features: {},
  revision: 1,
  error: null,
  clockBehind: null,
  lastContact: null,
};
const premium: Entitlement = {
  ...nothing,
  state: 'active',
  until: new Date(2025, 11, 12, 14, 5),
  refreshAfter: new Date(2025, 11, 6, 14, 5),
  paidThrough: new Date(2025, 11, 4, 9, 0),
  plans: ['premium'],
  features: { export: {}, notes: {} },
};

interface Row {
  name: string;
  entitlement: Entitlement;
  reached?: boolean;
  badge: string;
  headline: string;
  remedy: Standing['remedy'];
  line: string | null;
}

const until = inWords(new Date(2025, 11, 12, 14, 5), now, 'en-GB');
const table: Row[] = [
  {
    name: 'free',
    entitlement: nothing,
    badge: 'Free',
    headline: 'You are on the free plan',
    remedy: 'trial',
    line: null,
  },
  {
    name: 'free, out of reach',
    entitlement: nothing,
    reached: false,
    badge: 'Free',
    headline: 'You are on the free plan',
    remedy: 'trial',
    line: 'The server is out of reach. Your notes are saved here.',
  },
  {
    name: 'signed in, and no document is held',
    entitlement: { ...nothing, revision: null },
    badge: 'Not known',
    headline: 'Connect to see what you have',
    remedy: 'connect',
    line: 'Connect to see what you have.',
  },
  { name: 'active', entitlement: premium, badge: 'Premium', headline: 'Premium is on', remedy: null, line: null },
  {
    name: 'active, out of reach',
    entitlement: premium,
    reached: false,
    badge: 'Premium',
    headline: 'Premium is on',
    remedy: 'connect',
    line: `The server is out of reach. Premium until ${until}, all saved here.`,
  },
  {
    name: 'active, the server no longer knows the device',
    entitlement: { ...premium, signInNeeded: true },
    badge: 'Premium',
    headline: 'Premium is on, but this device is no longer linked',
    remedy: 'sign-in',
    line: `Sign in again to keep premium beyond ${until}.`,
  },
  {
    name: 'grace',
    entitlement: { ...premium, state: 'grace', lastContact: now },
    badge: 'Premium',
    headline: 'Premium is on, but a payment is missing',
    remedy: null,
    line: `A payment is missing. Premium stays until ${until}.`,
  },
  {
    name: 'revoked',
    entitlement: { ...nothing, state: 'revoked', reason: 'revoked' },
    badge: 'Ended',
    headline: 'Support has ended this subscription',
    remedy: 'connect',
    line: 'Premium has ended: support has ended this subscription.',
  },
  {
    name: 'suspended',
    entitlement: { ...nothing, state: 'revoked', reason: 'suspended' },
    badge: 'Paused',
    headline: 'Support has paused this subscription',
    remedy: 'connect',
    line: 'Premium is paused: support has paused this subscription.',
  },
  {
    name: 'disputed',
    entitlement: { ...nothing, state: 'revoked', reason: 'disputed' },
    badge: 'Paused',
    headline: 'A payment is disputed',
    remedy: 'connect',
    line: 'Premium is paused: a payment is disputed.',
  },
  {
    name: 'lapsed',
    entitlement: { ...nothing, state: 'expired', reason: 'lapsed' },
    badge: 'Ended',
    headline: 'Your subscription is over',
    remedy: 'connect',
    line: 'Premium has ended: your subscription is over.',
  },
  {
    name: 'the document ended offline',
    entitlement: { ...premium, state: 'expired', features: {}, until: new Date(2025, 11, 4), error: 'expired' },
    reached: false,
    badge: 'Paused',
    headline: 'Connect to renew premium',
    remedy: 'connect',
    line: 'Premium is paused: connect to renew it.',
  },
  {
    name: 'two copies of the device',
    entitlement: { ...nothing, state: 'revoked', reason: 'device_forked', signInNeeded: true },
    badge: 'Not linked',
    headline: 'This device has to be linked again',
    remedy: 'sign-in',
    line: 'Premium is paused: this device has to be linked again.',
  },
  {
    name: 'removed device',
    entitlement: { ...nothing, reason: 'device_removed', signInNeeded: true },
    badge: 'Not linked',
    headline: 'This device was removed from your account',
    remedy: 'sign-in',
    line: 'Premium is paused: this device was removed from your account.',
  },
  {
    name: 'clock behind',
    entitlement: {
      ...premium,
      state: 'clock_behind',
      features: {},
      error: 'clock_behind',
      clockBehind: 6 * 3_600_000,
    },
    badge: 'Paused',
    headline: "This device's clock is behind by 6 hours or more",
    remedy: 'connect',
    line: "Premium is paused: this device's clock is behind by 6 hours or more. Set it right, or connect.",
  },
  {
    name: 'never linked',
    entitlement: { ...nothing, signInNeeded: true },
    badge: 'Not linked',
    headline: 'This device is not linked to your account',
    remedy: 'sign-in',
    line: 'This device is not linked. Sign in to bring back what you have.',
  },
  {
    name: 'a tampered document',
    entitlement: { ...nothing, error: 'signature_invalid' },
    badge: 'Not known',
    headline: 'Connect to see what you have',
    remedy: 'connect',
    line: 'Connect to see what you have.',
  },
];

test.each(table)('$name', ({ entitlement, reached, badge, headline, remedy, line }) => {
  const said = standing(entitlement, { now, reached: reached ?? true, locale: 'en-GB' });
  expect(said).toMatchObject({ badge, headline, remedy, line });
});

test('every state without premium says that the notes stay, and what to do', () => {
  for (const { entitlement } of table) {
    const said = standing(entitlement, { now, reached: true });
    if (said.badge === 'Premium' || said.badge === 'Free') continue;
    expect(said.meaning).toContain('notes stay readable');
    expect(said.advice).not.toBeNull();
  }
});

test('only the passkey lock is called a lock', () => {
  for (const { entitlement } of table) {
    for (const reached of [true, false]) {
      expect(JSON.stringify(standing(entitlement, { now, reached }))).not.toMatch(/locked/i);
    }
  }
});

describe('the server’s explanation', () => {
  const told = { since: new Date(2025, 11, 4, 9, 0), help: 'https://help.example.org' };
  const say = (entitlement: Partial<Entitlement>, besides: Told | null = told) =>
    standing({ ...nothing, ...entitlement }, { now, reached: true, told: besides, locale: 'en-GB' });

  test.each([
    ['revoked', { state: 'revoked', reason: 'revoked' }, 'It ended yesterday, 09:00, and premium with it.'],
    ['suspended', { state: 'revoked', reason: 'suspended' }, 'It has been paused since yesterday, 09:00.'],
    ['lapsed', { state: 'expired', reason: 'lapsed' }, 'Premium ended yesterday, 09:00.'],
    [
      'lapsed, after a time of grace',
      { state: 'expired', reason: 'lapsed', paidThrough: new Date(2025, 11, 1, 9, 0) },
      'It ran until Monday 1 December, 09:00, and premium ended yesterday, 09:00.',
    ],
    [
      'lapsed, without one',
      { state: 'expired', reason: 'lapsed', paidThrough: told.since },
      'It ran until yesterday, 09:00. All your notes',
    ],
    ['in grace', { ...premium, state: 'grace', lastContact: now }, 'Without the payment this ends'],
  ] as const)('%s: since when, and the way back', (_, entitlement, words) => {
    const said = say(entitlement);
    expect(said.meaning).toContain(words);
    expect(said.help).toBe(told.help);
    expect(say(entitlement, null)).not.toHaveProperty('help');
    expect(say(entitlement, { since: null, help: null }).meaning).toBe(say(entitlement, null).meaning);
  });

  test('is not shown for another state', () => {
    for (const entitlement of [nothing, premium, { state: 'revoked', reason: 'device_forked' }] as const) {
      expect(say(entitlement)).toEqual(say(entitlement, null));
    }
  });
});

test('the dates show the end and the next renewal', () => {
  expect(dates(premium, now, 'en-GB')).toEqual([
    { event: 'end', term: 'Works offline until', value: until },
    { event: 'refresh', term: 'Next check due', value: 'tomorrow, 14:05' },
    { event: 'paid', term: 'Runs until', value: 'yesterday, 09:00' },
  ]);
  const due = dates(premium, new Date(2025, 11, 8), 'en-GB')[1];
  expect(due?.value).toBe('as soon as it can be reached');
});

test('a possible trial is not called paid', () => {
  for (const state of ['active', 'grace', 'expired'] as const) {
    const entitlement = { ...premium, state };
    const said = standing(entitlement, { now, reached: true });
    const terms = dates(entitlement, now).map(({ term }) => term);
    expect([said.meaning, said.advice, said.line, ...terms].join(' ')).not.toMatch(/paid/i);
  }
});

describe('each end has its own words', () => {
  const say = (entitlement: Partial<Entitlement>) =>
    standing({ ...premium, ...entitlement }, { now, reached: true, locale: 'en-GB' });
  const before = new Date(2025, 11, 3, 9, 0);
  const over = { state: 'expired', reason: 'lapsed', features: {}, lastContact: now } as const;
  const offline = {
    state: 'expired',
    error: 'expired',
    features: {},
    until: premium.paidThrough,
    lastContact: before,
  } as const;

  test.each([
    ['trial', 'Your trial has ended'],
    ['granted', 'The time that support gave you has ended'],
    ['cancelled', 'Your subscription has ended'],
  ] as const)('%s', (ending, headline) => {
    expect(say({ ...over, ending })).toMatchObject({ badge: 'Ended', headline });
    expect(say({ ...offline, ending }).headline).toBe(`${headline}, as far as this device knows`);
    expect(say({ state: 'grace', ending, lastContact: before }).headline).toBe(
      `${headline}; premium stays on a little longer`,
    );
    for (const entitlement of [over, offline, { state: 'grace', lastContact: now } as const]) {
      const { headline, meaning, advice, line } = say({ ...entitlement, ending });
      expect([headline, meaning, advice, line].join(' ')).not.toMatch(
        /payment is missing|renew (your payment|the sub)/i,
      );
    }
  });

  test('a possibly missed renewal is only suspected', () => {
    const said = say({ state: 'grace', lastContact: before });
    expect(said).toMatchObject({ headline: 'Premium is on; its renewal is not confirmed here yet', remedy: 'connect' });
    expect(said.meaning).toContain('has not heard from the server since');
    expect(say({ ...offline, until: new Date(2025, 11, 4, 12) }).meaning).toContain(
      'was to be renewed yesterday, 09:00',
    );
  });

  test('an unknown device may belong to an unknown account', () => {
    expect(say({ state: 'active', signInNeeded: true }).advice).toContain('may have been deleted');
  });

  test('a restored backup leads to no accusation', () => {
    const said = standing({ ...nothing, state: 'revoked', reason: 'device_forked' }, { now, reached: true });
    expect(said.meaning).toContain('backup');
    expect([said.headline, said.meaning, said.advice, said.line].join(' ')).not.toContain('used in two places');
  });
});

test('offers no trial if there is none', () => {
  const said = standing(nothing, { now, reached: true, trial: false });
  expect(said).toMatchObject({ headline: 'You are on the free plan', remedy: null });
  expect(said.advice).toContain('support');
});

test.each([
  [{ notes: {}, export: {} }, 'You have unlimited notes and export, also offline.'],
  [{ notes: { limit: 500 } }, 'You have up to 500 notes, also offline.'],
  [{ export: {} }, 'You have export, also offline.'],
  [{}, 'You have what your plan grants, also offline.'],
])('the list of working features matches the grant: %o', (features, words) => {
  const said = standing({ ...premium, features }, { now, reached: true });
  expect(said.meaning).toContain(words);
});
