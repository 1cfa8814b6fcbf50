import { encodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { same } from '../base/same.ts';
import { canPrompt } from '../passkey/can-prompt.ts';
import type { Context } from '../state/context.ts';
import type { State } from '../state/state.ts';
import { type LockOptions, readLockOptions } from '../storage/lock-options.ts';
import type { Held, Lock } from '../storage/store.ts';
import { IdleWatch, quietSince } from './idle-watch.ts';
import { readOfflinePasskeys } from './offline-passkeys.ts';
import { showPasskey } from './unlock.ts';
import type { UnlockOptions } from './unlock-options.ts';

/** Temporary reasons why the passkeys document cannot be verified. */
const passing: readonly ErrorCode[] = ['roots_unavailable', 'storage_unavailable'];

/**
 * PageLock decides when this page locks and when it opens.
 *
 * - A lock that is begun is recorded in storage and holds for all pages and across reloads. A page that starts locked, by
 *   option or after long inactivity, needs no record.
 * - A locked page opens with a passkey of the signed-in user, used in that page, or by signing in as that user online. No
 *   message, no other page and no change in storage opens it. Sign-out ends the lock with the user.
 * - Nobody is locked out permanently: no lock begins, manually or automatically, unless the passkeys document has just been
 *   verified and names a key that this browser can use. If it is lost later, signing in online still opens the page. A page
 *   that would start locked stays locked while that is unknown.
 */
export class PageLock {
  readonly #context: Context;
  readonly #state: State;
  readonly #replacePrompt: (signal?: AbortSignal) => AbortSignal;
  /** The page's user when it locked. */
  #user: string | undefined;
  /** The last lock read from storage. Each is applied once, so that a lock opened here does not return. */
  #taken: string | undefined;
  #watch: IdleWatch | undefined;
  #closed = false;

  constructor(state: State, replacePrompt: (signal?: AbortSignal) => AbortSignal) {
    this.#context = state.context;
    this.#state = state;
    this.#replacePrompt = replacePrompt;
  }

  /** Applies the contents of storage before the page shows them, and returns whether the page is locked. Never rejects. */
  async follow(held: Held): Promise<boolean> {
    const { user, locked } = held;
    const active = readActive(held);
    const options = readLockOptions(held.lock ?? this.#context.lock);
    const { onStart, idle } = options;
    this.#state.lockOptions = same(this.#state.lockOptions, options);
    // Sign-out ends the lock: the next user begins without it.
    if (!user) this.#user = undefined;
    if (locked && locked.id !== this.#taken) this.#take(locked);
    // A sign-in does not lock the page at once: there is no passkeys document yet.
    const starting = !this.#state.standing.user || this.#late;
    const long = idle !== undefined && active !== undefined && quietSince(active, this.#context.clock(), idle) >= idle;
    const begins = user && starting && (onStart || long) ? await this.#canOpen() : false;
    if (begins) this.#user = user?.id;
    const isLocked = begins === undefined || (user !== undefined && user.id === this.#user);
    this.#watchFor(user && !isLocked && !this.#closed ? idle : undefined);
    return isLocked;
  }

  /** Locks all pages, unless `stillThere` finds recent activity. */
  async lock(stillThere: (active: number | undefined) => boolean = () => false): Promise<void> {
    const user = await this.#requireOpener();
    const locked = { id: encodeBase64url(crypto.getRandomValues(new Uint8Array(16))), user };
    const { store } = this.#context;
    const done = await store.update((held) =>
      held.user?.id === user && !stillThere(readActive(held)) ? { locked } : null,
    );
    if (!done) return;
    this.#take(locked);
    this.#state.locked = true;
    await this.#state.changed();
  }

  /** Prompts for a passkey and opens this page. */
  async unlock({ signal }: UnlockOptions = {}): Promise<void> {
    if (this.#state.locked) await this.open(await showPasskey(this.#context, this.#replacePrompt(signal)));
  }

  /** Opens this page to `user`, who has just been verified. Failing storage does not keep them out. */
  async open(user: string): Promise<void> {
    const late = this.#late;
    if (late || this.#user === user) {
      this.#user = undefined;
      this.#state.locked = false;
    }
    const change = (held: Held) => {
      if (held.user?.id !== user) return null;
      const active = this.#context.clock();
      return late || held.locked?.id === this.#taken ? { active, locked: undefined } : { active };
    };
    await this.#context.store.update(change).catch(() => {});
    await this.#state.changed();
  }

  async set(options: LockOptions): Promise<void> {
    const lock = readLockOptions(options);
    if (lock.onStart || lock.idle) await this.#requireOpener();
    const set = await this.#context.store.update((held) => (held.user ? { lock } : null));
    if (!set) throw new HoldfastError('signed_out');
    await this.#state.changed();
  }

  close(): void {
    this.#closed = true;
    this.#watchFor(undefined);
  }

  /** Whether the page was locked before the decision was possible: this file, the roots or storage was missing. */
  get #late(): boolean {
    return this.#state.locked && this.#user === undefined;
  }

  #take({ id, user }: Lock): void {
    this.#taken = id;
    this.#user = user;
  }

  /** Resolves with the user's id, or rejects with the reason why this device could not open a locked page. */
  async #requireOpener(): Promise<string> {
    if (!canPrompt()) throw new HoldfastError('not_supported');
    return (await readOfflinePasskeys(this.#context)).user;
  }

  /** Undefined: not known yet. Somebody who picks up the device can keep it that way. */
  #canOpen(): Promise<boolean | undefined> {
    return this.#requireOpener().then(
      () => true,
      ({ code }: HoldfastError) => (passing.includes(code) ? undefined : false),
    );
  }

  /** Watches nothing while the page is locked, so that input to a locked page does not count as activity. */
  #watchFor(idle: number | undefined): void {
    if (this.#watch?.limit === idle) return;
    this.#watch?.stop();
    this.#watch = idle === undefined ? undefined : new IdleWatch(idle, this.#idleSubject(idle));
  }

  #idleSubject(limit: number) {
    const { clock, store } = this.#context;
    const isQuiet = (active: number | undefined) => active === undefined || quietSince(active, clock(), limit) >= limit;
    return {
      clock,
      lastNoted: async () => readActive(await store.read().catch(() => ({}))),
      note: async (at: number) => {
        const change = (held: Held) => {
          const active = readActive(held);
          const ago = (time: number) => Math.abs(clock() - time);
          return held.user && (active === undefined || ago(at) < ago(active)) ? { active: at } : null;
        };
        await store.update(change).catch(() => {});
      },
      idle: () => this.lock((active) => !isQuiet(active)).catch(() => {}),
    };
  }
}

function readActive({ active }: Held): number | undefined {
  return Number.isFinite(active) ? active : undefined;
}
