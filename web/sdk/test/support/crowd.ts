import { Retry } from '../../src/reconcile/retry.ts';
import { Schedule } from '../../src/reconcile/schedule.ts';

/** Random numbers from 0 to 1 that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Simulated time in milliseconds, in steps of a hundred, with the events of each step. */
class Agenda {
  now = 0;
  readonly #steps = new Map<number, (() => void)[]>();

  in(wait: number, work: () => void): void {
    const step = Math.ceil((this.now + wait) / 100);
    const works = this.#steps.get(step);
    if (works) works.push(work);
    else this.#steps.set(step, [work]);
  }

  /** Advances time to `end`. Events may add events to the current step. */
  run(end: number): void {
    for (let step = this.now / 100; step <= end / 100; step++) {
      this.now = step * 100;
      for (const work of this.#steps.get(step) ?? []) work();
      this.#steps.delete(step);
    }
  }
}

/** Requests by the second in which they arrive. */
export class Arrivals {
  readonly seconds: number[] = [];

  add(now: number): void {
    const second = Math.floor(now / 1000);
    this.seconds[second] = (this.seconds[second] ?? 0) + 1;
  }

  total(from = 0, to = this.seconds.length): number {
    return this.#slice(from, to).reduce((sum, count) => sum + count, 0);
  }

  peak(from = 0, to = this.seconds.length): number {
    return this.#slice(from, to).reduce((highest, count) => Math.max(highest, count), 0);
  }

  /** A chart with one line for every `step` seconds; its length is the busiest second's count. */
  draw(title: string, from: number, to: number, step: number): string {
    const highest = this.peak(from, to);
    const lines = Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => {
      const start = from + index * step;
      const peak = this.peak(start, start + step);
      const bar = '█'.repeat(Math.ceil((peak / (highest || 1)) * 60));
      return `${String(start).padStart(6)} s ${String(peak).padStart(6)}/s ${bar}`;
    });
    return `${title}\n${lines.join('\n')}`;
  }

  #slice(from: number, to: number): number[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, index) => this.seconds[from + index] ?? 0);
  }
}

export interface Weather {
  /** Whether the server is up, by the simulated clock. */
  readonly up?: (now: number) => boolean;
  /** The reconciles per second; more get 503 with the server's Retry-After. */
  readonly capacity?: number;
}

/** As in api/problem.go. */
const retryAfter = 2;

/**
 * Devices with a page open, each with the schedule of {@link Automatic} and the stream retries of {@link EventStream}, and
 * one server.
 */
export class Crowd {
  readonly agenda = new Agenda();
  readonly reconciles = new Arrivals();
  readonly streams = new Arrivals();
  readonly members: Member[];
  readonly random: () => number;
  readonly #weather: Weather;
  readonly #answered = new Arrivals();

  constructor(size: number, weather: Weather = {}) {
    this.#weather = weather;
    this.random = seeded(size);
    this.members = Array.from({ length: size }, () => new Member(this));
  }

  /** The number of devices with an answer. */
  get served(): number {
    return this.members.filter(({ served }) => served).length;
  }

  get up(): boolean {
    return this.#weather.up?.(this.agenda.now) ?? true;
  }

  answer(): 'reconciled' | 'no_contact' | 'unavailable' {
    const { now } = this.agenda;
    this.reconciles.add(now);
    if (!this.up) return 'no_contact';
    const busy = this.#answered.seconds[Math.floor(now / 1000)] ?? 0;
    if (busy >= (this.#weather.capacity ?? Number.POSITIVE_INFINITY)) return 'unavailable';
    this.#answered.add(now);
    return 'reconciled';
  }
}

class Member {
  served = false;
  readonly schedule: Schedule;
  readonly #crowd: Crowd;
  readonly #stream: Retry;
  #streamOpen = true;
  #plan = 0;
  #streamPlan = 0;
  #due = Number.POSITIVE_INFINITY;

  constructor(crowd: Crowd) {
    const chance = { now: () => crowd.agenda.now, random: crowd.random };
    this.#crowd = crowd;
    this.schedule = new Schedule(chance);
    this.#stream = new Retry(30_000, chance);
  }

  /** Applies `event` to the schedule. */
  hear(event: (schedule: Schedule) => void): void {
    event(this.schedule);
    this.#next();
  }

  /** Takes a document with its `refresh_after` at `due`, by the simulated clock. */
  holds(due: number): void {
    this.#due = due;
    this.#next();
  }

  streamBreaks(): void {
    this.#streamOpen = false;
    this.#stream.failed();
    const plan = ++this.#streamPlan;
    this.#crowd.agenda.in(this.#stream.wait, () => plan === this.#streamPlan && this.#openStream());
  }

  #openStream(): void {
    this.#streamPlan += 1;
    this.#crowd.streams.add(this.#crowd.agenda.now);
    if (!this.#crowd.up) {
      this.streamBreaks();
      return;
    }
    this.#streamOpen = true;
    this.#stream.succeeded();
    this.hear((schedule) => schedule.contacted(false));
  }

  #next(): void {
    const plan = ++this.#plan;
    const wait = this.schedule.wait(Math.max(0, this.#due - this.#crowd.agenda.now));
    if (Number.isFinite(wait)) this.#crowd.agenda.in(wait, () => plan === this.#plan && this.#reconcile());
  }

  #reconcile(): void {
    const answer = this.#crowd.answer();
    if (answer === 'reconciled') {
      this.served = true;
      this.#due = Number.POSITIVE_INFINITY;
      this.schedule.taken();
      this.schedule.settled({ outcome: 'reconciled' });
      if (!this.#streamOpen) this.#openStream();
    } else {
      // A failed run stays due until it succeeds.
      this.#due = Math.min(this.#due, this.#crowd.agenda.now);
      this.schedule.settled({ outcome: 'no_contact', ...(answer === 'unavailable' && { retryAfter }) });
    }
    this.#next();
  }
}
