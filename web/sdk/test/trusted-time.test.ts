import { describe, expect, it } from 'vitest';
import { type Clocks, type Moment, readClocks, type TrustedTime, type Watch } from '../src/verify/trusted-time.ts';

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
const life = 7 * day;
const start = 1_767_225_600_000;

/** The rule that a page applies to a reading; tests replace it with weakened ones. */
type Rule = (watch: Watch, skew: number, clocks: Clocks) => { watch: Watch; moment: Moment };

/** The server's measurement of a skew, as in Go (entitlements/skew.go). Seconds. */
const signed = (off: number, cap = 86_400) => Math.max(-cap, Math.min(cap, Math.floor(off / second)));

/** A device and the server, under true time. Milliseconds. */
class World {
  readonly #rule: Rule;
  readonly #cap: number;
  /** The true time, and how far the device's clock is ahead of it. */
  now = start;
  off = 0;
  #monotonic = 0;
  iat = 0;
  skew = 0;
  stored: TrustedTime = { mark: 0 };
  #watch: Watch | null = null;
  /** How long since the last contact a page was open with its estimate ahead of the true time. */
  misled = 0;
  /** How long premium was open since the last contact. */
  used = 0;

  constructor(rule: Rule = readClocks, cap?: number) {
    this.#rule = rule;
    this.#cap = cap ?? 86_400;
  }

  get exp(): number {
    return this.iat + life;
  }

  /** The bound shown to support. */
  get bound(): number {
    return this.exp + Math.abs(signed(this.skew * second)) * second;
  }

  look(): Moment & { granted: boolean } {
    this.#watch ??= { ...this.stored, at: this.#monotonic, ahead: null };
    const clocks = { wall: this.now + this.off, monotonic: this.#monotonic };
    const { watch, moment } = this.#rule(this.#watch, this.skew, clocks);
    this.#watch = watch;
    return { ...moment, granted: !moment.behind && moment.now < this.exp };
  }

  /** An open page stores the time at each tick. */
  open(time: number, ticks = 1): this {
    for (let tick = 0; tick < ticks; tick++) {
      const before = this.look();
      this.now += time / ticks;
      this.#monotonic += time / ticks;
      if (before.now > this.now - time / ticks + 2 * second) this.misled += time / ticks;
      if (this.look().granted && before.granted) this.used += time / ticks;
      this.#note();
    }
    return this;
  }

  sleep(time: number): this {
    this.now += time;
    return this;
  }

  close(time = 0): this {
    this.#note();
    this.#watch = null;
    this.#monotonic = 0;
    this.now += time;
    return this;
  }

  set(off: number): this {
    this.off = off;
    return this;
  }

  /** `way`: the travel time of the request and of the answer. */
  reconcile(way = 0): this {
    const ahead = this.off;
    this.now += way / 2;
    this.#monotonic += way / 2;
    this.iat = Math.floor(this.now / second) * second;
    this.skew = signed(this.off - way / 2, this.#cap);
    this.now += way / 2;
    this.#monotonic += way / 2;
    this.stored = { mark: this.iat };
    const sent = this.now - way + ahead;
    this.#watch = { mark: this.iat, at: this.#monotonic, ahead: sent - this.iat };
    [this.misled, this.used] = [0, 0];
    return this;
  }

  #note(): void {
    if (!this.#watch) return;
    const { mark, jump } = this.#watch;
    if (mark > this.stored.mark) this.stored = { mark, jump };
  }
}

const world = () => new World();
const granted = (is: World) => is.look().granted;

describe('premium after clock changes', () => {
  it.each<[string, boolean, () => World]>([
    [
      'right, to the last millisecond',
      true,
      () =>
        world()
          .reconcile()
          .close(life - 1),
    ],
    ['right, at the end', false, () => world().reconcile().close(life)],
    [
      'always an hour ahead, before the end',
      true,
      () =>
        world()
          .set(hour)
          .reconcile()
          .close(life - second),
    ],
    ['always an hour ahead, at the end', false, () => world().set(hour).reconcile().close(life)],
    ['always an hour behind, just after contact', true, () => world().set(-hour).reconcile().close(minute)],
    [
      'an hour ahead, put right',
      true,
      () =>
        world()
          .set(hour)
          .reconcile()
          .set(0)
          .close(life - second),
    ],
    [
      'an hour ahead, put right, at the bound',
      false,
      () =>
        world()
          .set(hour)
          .reconcile()
          .set(0)
          .close(life + hour),
    ],
    [
      'an hour behind, at the bound',
      false,
      () =>
        world()
          .set(-hour)
          .reconcile()
          .close(life + hour),
    ],
    [
      'eight days ahead, with a page open since',
      true,
      () =>
        world()
          .set(8 * day)
          .reconcile()
          .open(3 * day),
    ],
    [
      'eight days ahead, asleep since',
      false,
      () =>
        world()
          .set(8 * day)
          .reconcile()
          .sleep(3 * day),
    ],
    [
      'eight days ahead, after a reload',
      false,
      () =>
        world()
          .set(8 * day)
          .reconcile()
          .open(hour)
          .close(),
    ],
    [
      'eight days ahead, put right',
      true,
      () =>
        world()
          .set(8 * day)
          .reconcile()
          .set(0)
          .close(3 * day),
    ],
    [
      'the same, after hours of looking',
      true,
      () =>
        world()
          .set(8 * day)
          .reconcile()
          .close()
          .open(5 * hour, 300)
          .set(0),
    ],
    [
      'eight days ahead, put right, day 8.5',
      false,
      () =>
        world()
          .set(8 * day)
          .reconcile()
          .set(0)
          .close(8.5 * day),
    ],
    [
      'a year behind, after a reload',
      false,
      () =>
        world()
          .set(-365 * day)
          .reconcile()
          .close(hour),
    ],
    [
      'a year behind, put right',
      true,
      () =>
        world()
          .set(-365 * day)
          .reconcile()
          .set(0)
          .close(hour),
    ],
    [
      'a year behind, put right while open',
      true,
      () =>
        world()
          .set(-365 * day)
          .reconcile()
          .open(hour, 60)
          .set(0),
    ],
    [
      'two hours ahead for a minute',
      true,
      () =>
        world()
          .reconcile()
          .open(hour, 60)
          .set(2 * hour)
          .open(minute)
          .set(0),
    ],
    [
      'the same, over a restart',
      true,
      () =>
        world()
          .reconcile()
          .set(2 * hour)
          .open(minute)
          .close()
          .set(0),
    ],
    [
      'two hours ahead for ten minutes',
      false,
      () =>
        world()
          .reconcile()
          .set(2 * hour)
          .open(10 * minute, 10)
          .set(0),
    ],
    [
      'ten minutes over restarts',
      false,
      () =>
        world()
          .reconcile()
          .set(2 * hour)
          .open(5 * minute, 5)
          .close(day)
          .open(6 * minute, 6)
          .set(-2 * day),
    ],
    [
      'six hours back by hand',
      false,
      () =>
        world()
          .reconcile()
          .open(day, 1_440)
          .set(-6 * hour),
    ],
    [
      'six hours back and right again',
      true,
      () =>
        world()
          .reconcile()
          .open(day, 1_440)
          .set(-6 * hour)
          .open(hour, 60)
          .set(0),
    ],
    [
      'nine minutes back',
      true,
      () =>
        world()
          .reconcile()
          .open(day, 1_440)
          .set(-9 * minute),
    ],
  ])('%s: %s', (_, expected, happen) => {
    expect(granted(happen())).toBe(expected);
  });

  it('reports how far the clock is behind, beyond the leeway only', () => {
    const traveller = world().reconcile().open(day, 1_440);
    expect(traveller.set(-6 * hour).look().behind).toBe(6 * hour);
    expect(traveller.open(hour, 60).look().behind).toBe(6 * hour);
    expect(traveller.set(-11 * minute).look().behind).toBe(11 * minute);
    expect(traveller.set(-10 * minute).look().behind).toBe(0);
  });

  it('estimates the time to the second with a constant clock error', () => {
    for (const off of [-day, -hour, 0, hour, day, 400 * day, -400 * day]) {
      const device = world()
        .set(off)
        .reconcile(3 * second)
        .open(minute);
      expect(Math.abs(device.look().now - device.now)).toBeLessThanOrEqual(4 * second);
    }
  });
});

/** Mulberry32: the same seed gives the same numbers. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Simulates some weeks of a device, and returns the first broken promise; null: none. */
function live(seed: number, rule?: Rule, cap?: number): string | null {
  const next = random(seed);
  const pick = <T>(...items: T[]) => items[Math.floor(next() * items.length)] as T;
  const span = () => pick(minute, hour, day, 4 * day) * (0.1 + 1.5 * next());
  const device = new World(rule, cap);
  const history: string[] = [];
  const broken = (promise: string) => `${promise}: ${history.join(', ')}`;
  const error = () =>
    pick(0, 0, 1, -1) * pick(10 * second, 20 * minute, 3 * hour, day, 3 * day, 365 * day) * (0.2 + next());
  device.set(error()).reconcile(next() * 2 * second);
  for (let step = 0; step < 20; step++) {
    const time = span();
    const events: Record<string, () => unknown> = {
      open: () => device.open(time, 1 + Math.ceil(time / (12 * hour))),
      'open for long': () => device.open(time, 40),
      sleep: () => device.sleep(time),
      close: () => device.close(time),
      reload: () => device.close(),
      'put right': () => device.set(0),
      set: () => device.set(error()),
      reconcile: () => device.reconcile(next() * 2 * second),
    };
    const kind = pick(
      'open',
      'open for long',
      'sleep',
      'close',
      'close',
      'reload',
      'put right',
      'set',
      'set',
      'reconcile',
    );
    events[kind]?.();
    const { granted, now } = device.look();
    history.push(
      `${kind} ${Math.round(time / minute)} min: ${Math.round((device.now - device.iat) / minute)} since contact, off ${Math.round(device.off / minute)}`,
    );
    // The server counts the signed skew; the clock may be wrong by that, but no further behind.
    const honest = device.off >= Math.min(0, device.skew * second) - second;
    if (granted && honest && device.now >= device.bound + 2 * second) return broken('premium after the bound');
    const misled = Math.abs(device.skew) < 86_400 && device.misled >= 10 * minute;
    if (!granted && device.off === 0 && !misled && device.now < device.exp) {
      return broken('locked out with a clock that is right');
    }
    if (device.used > life + 2 * second) return broken('open for longer than the document lasts');
    if (now < device.iat) return broken('time before the last contact');
  }
  return null;
}

describe('random clock changes', () => {
  const lives = 2_000;

  it('give no premium after the bound, and lock out no correct clock', () => {
    let broken: string | null = null;
    for (let seed = 0; seed < lives && !broken; seed++) broken = live(seed);
    expect(broken).toBeNull();
  });

  const counting = (watch: Watch, { wall, monotonic }: Clocks, candidates: number[]): ReturnType<Rule> => {
    const floor = watch.mark + Math.max(0, monotonic - watch.at);
    const reading = candidates.find((candidate) => candidate >= floor - 10 * minute);
    const now = Math.max(floor, reading ?? 0);
    return {
      watch: { ...watch, mark: now, at: monotonic },
      moment: { now, behind: reading === undefined ? floor - wall : 0 },
    };
  };
  const weakened: Record<string, [Rule, string, number?]> = {
    'the corrected reading first': [
      (watch, skew, clocks) => counting(watch, clocks, [clocks.wall - skew * second, clocks.wall]),
      'locked out',
    ],
    'the larger reading': [
      (watch, skew, clocks) =>
        counting(
          watch,
          clocks,
          [clocks.wall, clocks.wall - skew * second].sort((a, b) => b - a),
        ),
      'locked out',
    ],
    'a jump counts at once': [
      (watch, skew, clocks) => {
        const { watch: after, moment } = readClocks(watch, skew, clocks);
        return { watch: { ...after, mark: moment.now, jump: undefined }, moment };
      },
      'locked out',
    ],
    'a mark that does not rise with the monotonic clock': [
      (watch, skew, clocks) => readClocks({ ...watch, at: clocks.monotonic }, skew, clocks),
      'open for longer',
    ],
    'a clock that is far off raises the mark too': [
      (watch, skew, clocks) => readClocks(watch, Math.max(-86_399, Math.min(86_399, skew)), clocks),
      'locked out',
    ],
    'a correction without a cap': [
      (watch, skew, clocks) => readClocks({ ...watch, ahead: null }, skew, clocks),
      'after the bound',
      1e9,
    ],
    'a last contact that is believed after sleep': [
      (watch, skew, clocks) =>
        watch.ahead === null ? readClocks(watch, skew, clocks) : { watch, moment: { now: watch.mark, behind: 0 } },
      'after the bound',
    ],
  };
  it.each(Object.entries(weakened))('finds %s', (_, [rule, promise, cap]) => {
    let found = false;
    for (let seed = 0; seed < lives && !found; seed++) found = live(seed, rule, cap)?.includes(promise) ?? false;
    expect(found).toBe(true);
  });
});
