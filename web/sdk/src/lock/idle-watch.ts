/** The state that an {@link IdleWatch} shares with the other pages, and its effect. No method rejects. */
export interface IdleSubject {
  /** The device's clock, milliseconds since 1970. */
  readonly clock: () => number;
  /** The clock at the last activity that any page stored; undefined: none. */
  readonly lastNoted: () => Promise<number | undefined>;
  /** Stores activity at this reading of the clock. */
  readonly note: (at: number) => Promise<void>;
  /** Called when nobody has been active for the limit. If the page stays unlocked, the watch starts again. */
  readonly idle: () => Promise<void>;
}

/** Events that count as activity. Scrolling alone does not: pages scroll by themselves. */
const signs = ['keydown', 'pointerdown', 'pointermove', 'wheel'];

/** Events before which timers may have been suspended. */
const returns = ['visibilitychange', 'pageshow', 'focus', 'resume'];

/** The longest timer: timers stop while the machine sleeps. */
const patience = 10_000;

/**
 * IdleWatch waits for `limit` milliseconds without activity in any page. A page in use stores its activity from time to
 * time, and an idle page reads that before it acts: browsers freeze background pages, and a thawed page has missed all
 * messages.
 */
export class IdleWatch {
  readonly limit: number;
  readonly #subject: IdleSubject;
  readonly #events = new AbortController();
  /** The last activity by two clocks: one can be set, the other can stop. */
  #last = { clock: 0, tick: 0 };
  #noted = Number.NaN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;

  /** The start counts as activity. */
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

  /** Activity after the limit does not count: somebody else may have woken the machine. */
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
 * The least number of milliseconds without activity, according to the stored time; activity up to a grain later may be
 * unrecorded. A stored time in the future means that the clock was set, not that somebody is there.
 */
export function quietSince(noted: number, clock: number, limit: number): number {
  return Math.max(0, Math.abs(clock - noted) - grain(limit));
}

/** The interval between stored activity times, since each is a write to disk. */
function grain(limit: number): number {
  return limit / 10;
}
