/** What an {@link IdleWatch} shares with the other pages, and what it does in the end. None of it rejects. */
export interface IdleSubject {
  /** The device's clock, milliseconds since 1970. */
  readonly clock: () => number;
  /** The clock when a page last noted that somebody was there; undefined: never. */
  readonly lastNoted: () => Promise<number | undefined>;
  /** Notes that somebody was there at this reading of the clock. */
  readonly note: (at: number) => Promise<void>;
  /** Nobody is there. If the page stays as it is, the watch begins anew. */
  readonly idle: () => Promise<void>;
}

/** What shows that somebody is there. Scrolling alone does not: pages scroll by themselves. */
const signs = ['keydown', 'pointerdown', 'pointermove', 'wheel'];

/** Before these, timers may have stood still. */
const returns = ['visibilitychange', 'pageshow', 'focus', 'resume'];

/** The longest that a timer is trusted: it stands still while the machine sleeps. */
const patience = 10_000;

/**
 * Waits for `limit` milliseconds without a sign of somebody in any page. A page in use says so in storage from time to
 * time, and one that finds nobody looks there before it believes it: browsers freeze pages in the background, and a
 * thawed one has missed whatever was sent to it.
 */
export class IdleWatch {
  readonly limit: number;
  readonly #subject: IdleSubject;
  readonly #events = new AbortController();
  /** The last sign, by two clocks: one may be set, the other may stand still. */
  #last = { clock: 0, tick: 0 };
  #noted = Number.NaN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;

  /** Beginning is a sign. */
  constructor(limit: number, subject: IdleSubject) {
    this.limit = limit;
    this.#subject = subject;
    const listen = (names: readonly string[], listener: () => void) => {
      const options = { signal: this.#events.signal, capture: true, passive: true };
      for (const name of names) globalThis.addEventListener?.(name, listener, options);
    };
    listen(signs, () => this.#sign());
    listen(returns, () => this.#check());
    listen(['visibilitychange', 'pagehide'], () => this.#note());
    this.#restart(0);
    this.#note();
  }

  stop(): void {
    this.#events.abort();
    clearTimeout(this.#timer);
  }

  /** One that comes too late is none: it may be another's hand that wakes the machine. */
  #sign(): void {
    if (this.#quiet() >= this.limit) {
      this.#check();
      return;
    }
    this.#restart(0);
    if (Math.abs(this.#last.clock - this.#noted) >= grain(this.limit)) this.#note();
  }

  #note(): void {
    if (this.#noted === this.#last.clock) return;
    this.#noted = this.#last.clock;
    void this.#subject.note(this.#noted);
  }

  #check(): void {
    const left = this.limit - this.#quiet();
    if (left > 0) this.#wait(left);
    else if (!this.#asking) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const noted = await this.#subject.lastNoted();
    this.#asking = false;
    if (this.#events.signal.aborted) return;
    const quiet = noted === undefined ? this.limit : quietSince(noted, this.#subject.clock(), this.limit);
    this.#restart(quiet < this.limit ? quiet : 0);
    if (quiet >= this.limit) await this.#subject.idle();
  }

  #restart(quiet: number): void {
    this.#last = { clock: this.#subject.clock() - quiet, tick: performance.now() - quiet };
    this.#wait(this.limit - quiet);
  }

  #wait(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), Math.min(delay, patience));
  }

  #quiet(): number {
    return Math.max(this.#subject.clock() - this.#last.clock, performance.now() - this.#last.tick);
  }
}

/**
 * For how many milliseconds at least nobody was there, by what was noted; a sign may have come up to a grain later. A
 * note from the future shows a clock that was set, and nobody.
 */
export function quietSince(noted: number, clock: number, limit: number): number {
  return Math.max(0, Math.abs(clock - noted) - grain(limit));
}

/** How far apart notes are made: each is a write to the disk. */
function grain(limit: number): number {
  return limit / 10;
}
