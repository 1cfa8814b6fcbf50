import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { same } from '../base/same.ts';
import type { LedgerStatus } from '../storage/ledger-record.ts';
import type { LockOptions } from '../storage/lock-options.ts';
import type { StorageHealth } from '../storage/storage-health.ts';
import type { Held } from '../storage/store.ts';
import type { Entitlement } from '../verify/entitlement.ts';
import { stateOf } from '../verify/state-of.ts';
import { type Moment, readClocks, type TrustedTime, type Watch } from '../verify/trusted-time.ts';
import { type Channel, openChannel } from './channel.ts';
import type { Context } from './context.ts';
import { describe } from './describe.ts';
import type { Snapshot } from './snapshot.ts';
import { examine, type Standing, unknownStanding } from './standing.ts';

/**
 * State is the state of one page: the verified contents of storage, the time, and whether the page is locked. It notifies
 * listeners of changes. Every part of the client works on it.
 */
export class State {
  readonly context: Context;
  standing: Standing = unknownStanding;
  locked = false;
  /** The lock options in force. */
  lockOptions: LockOptions = Object.freeze({});
  storage: StorageHealth = 'well';
  /** The ledger's status; null: not opened. */
  ledger: LedgerStatus | null = null;
  /** Whether the last request reached the server; null: no request yet. */
  reached: boolean | null = null;
  /** The device that the server last reported as unknown. */
  unknown: string | null = null;
  /** Why nothing works any more, or never did: after close, or outside a browser. */
  ended: ErrorCode | undefined;
  /** Decides whether the page is locked, before it shows the contents of storage. Never rejects. */
  isLocked: (held: Held) => Promise<boolean> = async () => false;
  /** Called after every load. */
  loaded: () => void = () => {};
  /** Asks for a run soon, once the page reconciles automatically. */
  want: () => void = () => {};
  readonly #channel: Channel | undefined;
  readonly #listeners = new Set<() => void>();
  #watch: Watch;
  #loaded = false;
  #entitlement: Entitlement | undefined;
  /** The standing that the entitlement describes. */
  #described: Standing | undefined;
  #snapshot: Snapshot | undefined;
  /** The snapshot that listeners last saw. */
  #told: Snapshot | undefined;
  #loading: Promise<void> = Promise.resolve();

  constructor(context: Context, ended?: ErrorCode) {
    this.context = context;
    this.ended = ended;
    this.#watch = this.#watchFrom(this.standing.time);
    if (!ended) this.#channel = openChannel(context.name, () => void this.load());
    context.server.heard = (reached) => this.reach(reached);
  }

  get entitlement(): Entitlement {
    const { document, keyset, device } = this.standing;
    const verdict = stateOf(document, keyset, this.moment());
    const next = describe(this.standing, verdict, device !== null && device === this.unknown);
    const last = this.#entitlement;
    // For the same standing, only these can change.
    const unchanged =
      last &&
      this.#described === this.standing &&
      (['state', 'error', 'signInNeeded', 'clockBehind'] as const).every((name) => last[name] === next[name]);
    this.#entitlement = unchanged ? last : last ? same(last, next) : next;
    this.#described = this.standing;
    return this.#entitlement;
  }

  snapshot(): Snapshot {
    const { standing, entitlement, storage, reached, locked, lockOptions, ledger } = this;
    const { user, device } = standing;
    const next = Object.freeze({ user, device, entitlement, storage, reached, locked, lockOptions, ledger });
    const last = this.#snapshot;
    const names = Object.keys(next) as (keyof Snapshot)[];
    if (!last || names.some((name) => last[name] !== next[name])) this.#snapshot = next;
    return this.#snapshot ?? next;
  }

  /** Throws if nothing works any more. */
  demandOpen(): void {
    if (this.ended) throw new HoldfastError(this.ended);
  }

  /** The trusted time. A later reading is remembered. */
  moment(): Moment {
    const { clock, monotonic } = this.context;
    const clocks = { wall: clock(), monotonic: monotonic() };
    const { watch, moment } = readClocks(this.#watch, this.standing.document?.skew ?? 0, clocks);
    this.#watch = watch;
    return moment;
  }

  /** The known time, as storage keeps it. */
  get time(): TrustedTime {
    const { mark, jump } = this.#watch;
    return { mark, jump };
  }

  subscribe(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Calls the listeners if the snapshot has changed. */
  tell(): void {
    const snapshot = this.snapshot();
    if (snapshot === this.#told) return;
    this.#told = snapshot;
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  /** Takes whether a request reached the server. */
  reach(reached: boolean): void {
    if (this.ended) return;
    this.reached = reached;
    this.tell();
  }

  /** Verifies the contents of storage and notifies the listeners. Loads run one after the other. Never rejects. */
  load(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  /** Call after writing to storage: loads it and notifies this page's listeners and the other tabs. */
  async changed(): Promise<void> {
    await this.load();
    if (!this.ended) this.#channel?.post();
  }

  close(): void {
    this.ended ??= 'closed';
    this.#listeners.clear();
    this.#channel?.close();
    this.context.ledger?.close();
    void this.context.store.close();
  }

  async #load(): Promise<void> {
    const held = await this.context.store.read().catch(() => null);
    const locked = held ? await this.isLocked(held) : this.locked;
    if (this.ended) return;
    this.locked = locked;
    // A passing storage failure revokes nothing: the verified document stays in force until it ends.
    const before = this.standing;
    const standing = held || !this.#loaded ? await examine(held ?? {}, this.context) : before;
    // This page's time may be later than the one on disk. Only another document may move it back.
    let { time } = standing;
    if (before.taken === standing.taken && this.#loaded) {
      this.moment();
      if (this.time.mark > time.mark) time = this.time;
    }
    this.#loaded = true;
    this.standing = { ...standing, user: same(before.user, standing.user) };
    this.#watch = this.#watchFrom(time);
    this.tell();
    this.loaded();
  }

  #watchFrom(time: TrustedTime): Watch {
    return { ...time, at: this.context.monotonic(), ahead: this.context.ahead };
  }
}
