import { describe, expect, it } from 'vitest';
import type { Document, DocumentState } from '../src/verify/document.ts';
import { stateOf } from '../src/verify/state-of.ts';
import { readClocks, type Watch } from '../src/verify/trusted-time.ts';

const day = 86_400;
const taken = 1_767_225_600;
const at = (seconds: number) => ({ now: (taken + seconds) * 1000, behind: 0 });

function document(state: DocumentState, claims: Partial<Document> = {}): Document {
  const granted = state === 'active' || state === 'grace';
  return {
    jti: 'jti',
    sub: 'user',
    iat: taken,
    exp: taken + 7 * day,
    refreshAfter: taken + day,
    skew: 0,
    rev: 1,
    state,
    reason: null,
    ending: null,
    paidThrough: taken + 5 * day,
    plans: granted ? ['premium'] : [],
    features: granted ? { export: {} } : {},
    device: 'device',
    jkt: 'jkt',
    proof: 'proof',
    ...claims,
  };
}

const [millisecond, keyset] = [0.001, { exp: taken + 400 * day }];

describe('the state of a document at a moment', () => {
  const ends = { exp: taken + 3 * day };
  it.each([
    // A document that grants features, over its life.
    ['active', {}, keyset, 0, 'active', null],
    ['active', {}, keyset, 5 * day - millisecond, 'active', null],
    ['active', {}, keyset, 5 * day, 'grace', null],
    ['active', {}, keyset, 7 * day - millisecond, 'grace', null],
    ['active', {}, keyset, 7 * day, 'expired', 'expired'],
    ['active', {}, keyset, 400 * day, 'expired', 'keyset_expired'],
    ['active', { paidThrough: taken + 7 * day }, keyset, 7 * day, 'expired', 'expired'],
    ['active', { paidThrough: null }, keyset, 7 * day - millisecond, 'active', null],
    ['active', {}, ends, 3 * day - millisecond, 'active', null],
    ['active', {}, ends, 3 * day, 'expired', 'keyset_expired'],
    ['active', {}, null, 7 * day - millisecond, 'grace', null],
    ['grace', {}, keyset, 0, 'grace', null],
    ['grace', { paidThrough: null }, keyset, 6 * day, 'grace', null],
    ['grace', {}, keyset, 7 * day, 'expired', 'expired'],
    // A document that grants nothing has no end.
    ...(['none', 'expired', 'revoked'] as const).flatMap((state) =>
      [0, day, 7 * day, 401 * day].map((moment) => [state, {}, keyset, moment, state, null] as const),
    ),
  ] as const)('%s %j, keyset %j, after %d s: %s', (state, claims, under, moment, expected, error) => {
    expect(stateOf(document(state, claims), under, at(moment))).toEqual({ state: expected, error });
  });

  it('refresh_after ends nothing', () => {
    expect(stateOf(document('active'), keyset, at(day))).toEqual(stateOf(document('active'), keyset, at(day - 1)));
  });

  it.each(['active', 'grace'] as const)('waits while the clock is behind: %s', (state) => {
    for (const moment of [0, 5 * day, 7 * day - millisecond]) {
      const behind = { ...at(moment), behind: 601_000 };
      const waiting = { state: 'clock_behind', error: 'clock_behind', behind: 601_000 };
      expect(stateOf(document(state), keyset, behind)).toEqual(waiting);
    }
  });

  it.each(['active', 'grace'] as const)('a clock that is behind does not revive an ended document: %s', (state) => {
    expect(stateOf(document(state), keyset, { ...at(7 * day), behind: 601_000 }).state).toBe('expired');
    expect(stateOf(document(state), keyset, { ...at(400 * day), behind: 601_000 }).error).toBe('keyset_expired');
  });

  it.each(['none', 'expired', 'revoked'] as const)('does not change a state without features: %s', (state) => {
    expect(stateOf(document(state), keyset, { ...at(0), behind: 601_000 })).toEqual({ state, error: null });
  });

  it('is none without a document, whatever the time', () => {
    for (const behind of [0, 601_000]) {
      expect(stateOf(null, keyset, { now: 0, behind })).toEqual({ state: 'none', error: null });
    }
  });
});

/** A device as the pure functions see it, and its events. Seconds. */
class World {
  document: Document | null = null;
  watch: Watch = { mark: 0, at: 0, ahead: null };
  /** Real time, and how far this device's clock is off. */
  now = taken;
  off = 0;

  get clock(): number {
    return (this.now + this.off) * 1000;
  }

  get state(): string {
    const clocks = { wall: this.clock, monotonic: this.now * 1000 };
    const { watch, moment } = readClocks(this.watch, this.document?.skew ?? 0, clocks);
    this.watch = watch;
    return stateOf(this.document, keyset, moment).state;
  }

  pass(seconds: number): this {
    this.now += seconds;
    return this;
  }

  turnClock(seconds: number): this {
    this.off += seconds;
    return this;
  }

  reconcile(state: DocumentState): this {
    const exp = this.now + 7 * day;
    const skew = Math.max(-day, Math.min(day, this.off));
    this.document = document(state, { iat: this.now, exp, skew, paidThrough: this.now + 5 * day });
    this.watch = { mark: this.now * 1000, at: this.now * 1000, ahead: this.off * 1000 };
    return this;
  }

  forget(): this {
    this.document = null;
    return this;
  }
}

describe('every transition', () => {
  const from: Record<string, () => World> = {
    none: () => new World(),
    'none, signed': () => new World().reconcile('none'),
    active: () => new World().reconcile('active'),
    grace: () => new World().reconcile('active').pass(6 * day),
    expired: () => new World().reconcile('expired'),
    'expired offline': () => new World().reconcile('active').pass(8 * day),
    revoked: () => new World().reconcile('revoked'),
    clock_behind: () => {
      const world = new World().reconcile('active').pass(2 * day);
      // Observed, and so stored.
      expect(world.state).toBe('active');
      return world.turnClock(-2 * day);
    },
  };
  const events: Record<string, (world: World) => World> = {
    'an hour passes': (world) => world.pass(3_600),
    'to the paid end': (world) => world.pass(5 * day),
    'to the end': (world) => world.pass(9 * day),
    'clock two days back': (world) => world.turnClock(-2 * day),
    'clock 9 minutes back': (world) => world.turnClock(-9 * 60),
    'clock three years ahead': (world) => world.turnClock(3 * 365 * day),
    'clock put right': (world) => world.turnClock(-world.off),
    'reconcile: active': (world) => world.reconcile('active'),
    'reconcile: grace': (world) => world.reconcile('grace'),
    'reconcile: expired': (world) => world.reconcile('expired'),
    'reconcile: revoked': (world) => world.reconcile('revoked'),
    'reconcile: none': (world) => world.reconcile('none'),
    'storage lost, or signed out': (world) => world.forget(),
  };
  /** By the columns of `events`; a dash: unchanged. */
  const table: Record<string, string> = {
    none: '- - - - - - - active grace expired revoked none none',
    'none, signed': '- - - - - - - active grace expired revoked none none',
    active: '- grace expired clock_behind - expired - active grace expired revoked none none',
    grace: '- expired expired clock_behind - expired - active grace expired revoked none none',
    expired: '- - - - - - - active grace expired revoked none none',
    'expired offline': '- - - - - - - active grace expired revoked none none',
    revoked: '- - - - - - - active grace expired revoked none none',
    clock_behind: '- expired expired - - expired active active grace expired revoked none none',
  };

  const rows = Object.entries(table).flatMap(([state, line]) =>
    line.split(' ').map((next, column) => [state, Object.keys(events)[column] ?? '', next] as const),
  );
  it.each(rows)('%s, %s: %s', (state, event, next) => {
    const world = (from[state] as () => World)();
    const before = world.state;
    expect((events[event] as (world: World) => World)(world).state).toBe(next === '-' ? before : next);
  });

  it('the table is complete', () => {
    expect(Object.keys(table)).toEqual(Object.keys(from));
    expect(rows).toHaveLength(Object.keys(from).length * Object.keys(events).length);
  });
});

describe('a clock that is years off', () => {
  it.each([3 * 365 * day, -3 * 365 * day])('by %d s is corrected, and may be set right', (off) => {
    const world = new World().turnClock(off).reconcile('active');
    expect(world.pass(4 * day).state).toBe('active');
    expect(world.pass(day).state).toBe('grace');
    expect(world.turnClock(-off).reconcile('active').state).toBe('active');
    expect(world.pass(7 * day).state).toBe('expired');
  });

  it('ahead, and set right without contact, does not lock out', () => {
    const world = new World()
      .turnClock(3 * 365 * day)
      .reconcile('active')
      .turnClock(-3 * 365 * day);
    expect(world.pass(day).state).toBe('active');
  });
});
