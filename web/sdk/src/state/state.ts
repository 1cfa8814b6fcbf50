import type { LockOptions } from '../storage/lock-options.ts';
import type { StorageHealth } from '../storage/storage-health.ts';
import type { Held } from '../storage/store.ts';
import type { Entitlement } from '../verify/entitlement.ts';
import { stateOf } from '../verify/state-of.ts';
import { type Moment, readClocks, type TrustedTime, type Watch } from '../verify/trusted-time.ts';
import { type Channel, openChannel } from './channel.ts';
import type { Context } from './context.ts';
import { describe } from './describe.ts';
import { examine, type Standing } from './standing.ts';

/**
 * State is the state of one page: the verified contents of storage, the time, and whether the page is locked. It notifies
 * listeners of changes. Every part of the client works on it.
 */
export class State {
  readonly context: Context;
  // Set by the first load, before the client is handed out.
  standing!: Standing;
  locked = false;
  /** The lock options in force. */
  lockOptions: LockOptions = {};
  storage: StorageHealth = 'well';
  /** Whether the last request reached the server; null: no request yet. */
  reached: boolean | null = null;
  /** The device that the server last reported as unknown. */
  unknown: string | null = null;
  closed = false;
  /** Decides whether the page is locked, before it shows the contents of storage. Never rejects. */
  isLocked: (held: Held) => Promise<boolean> = async () => false;
  /** Called after every load. */
  loaded: () => void = () => {};
  readonly #channel: Channel;
  readonly #listeners = new Set<() => void>();
  #watch: Watch | undefined;
  #entitlement: Entitlement | undefined;
  /** The entitlement that listeners last saw. */
  #told: Entitlement | undefined;
  #loading: Promise<void> = Promise.resolve();

  constructor(context: Context) {
    this.context = context;
    this.#channel = openChannel(context.name, () => void this.load());
    context.server.heard = (reached) => this.reach(reached);
  }

  get entitlement(): Entitlement {
    const { document, keyset, device } = this.standing;
    const verdict = stateOf(document, keyset, this.moment());
    const next = describe(this.standing, verdict, device !== null && device === this.unknown);
    const last = this.#entitlement;
    // For the same standing, only these can change.
    const same =
      last && (['state', 'error', 'signInNeeded', 'clockBehind'] as const).every((name) => last[name] === next[name]);
    this.#entitlement = same ? last : next;
    return this.#entitlement;
  }

  /** The trusted time. A later reading is remembered. */
  moment(): Moment {
    const { clock, monotonic } = this.context;
    const clocks = { wall: clock(), monotonic: monotonic() };
    const { watch, moment } = readClocks(this.#watch as Watch, this.standing.document?.skew ?? 0, clocks);
    this.#watch = watch;
    return moment;
  }

  /** The known time, as storage keeps it. */
  get time(): TrustedTime {
    const { mark, jump } = this.#watch as Watch;
    return { mark, jump };
  }

  subscribe(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Calls the listeners if the entitlement has changed, or if the caller says that something else has. */
  tell(changed = false): void {
    if (this.entitlement === this.#told && !changed) return;
    this.#told = this.entitlement;
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  /** Takes whether a request reached the server. */
  reach(reached: boolean): void {
    if (this.closed || reached === this.reached) return;
    this.reached = reached;
    this.tell(true);
  }

  /** Verifies the contents of storage and notifies the listeners. Loads run one after the other. Never rejects. */
  load(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  /** Call after writing to storage: loads it and notifies this page's listeners and the other tabs. */
  async changed(): Promise<void> {
    await this.load();
    if (!this.closed) this.#channel.post();
  }

  close(): void {
    this.closed = true;
    this.#listeners.clear();
    this.#channel.close();
    void this.context.store.close();
  }

  async #load(): Promise<void> {
    const held = await this.context.store.read().catch(() => null);
    if (held) this.locked = await this.isLocked(held);
    if (this.closed) return;
    // A passing storage failure revokes nothing: the verified document stays in force until it ends.
    const before = this.standing;
    const standing = held || !before ? await examine(held ?? {}, this.context) : before;
    // This page's time may be later than the one on disk. Only another document may move it back.
    let { time } = standing;
    if (before?.taken === standing.taken && this.#watch) {
      this.moment();
      if (this.time.mark > time.mark) time = this.time;
    }
    this.standing = standing;
    this.#entitlement = undefined;
    this.#watch = { ...time, at: this.context.monotonic(), ahead: this.context.ahead };
    this.tell();
    this.loaded();
  }
}
