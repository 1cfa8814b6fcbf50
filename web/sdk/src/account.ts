import {
  type Answer,
  addPasskey,
  enter,
  enterPasskey,
  isRefusal,
  makePasskey,
  type SignedIn,
  showPasskey,
  usePasskey,
} from './ceremony.ts';
import type { Context } from './context.ts';
import type { Entitlement } from './entitlement.ts';
import { HoldfastError } from './error.ts';
import { type FarewellOutcome, sayFarewell } from './farewell.ts';
import type { LinkOptions, SignInOptions } from './holdfast.ts';
import { linkDevice } from './link.ts';
import type { Keeper } from './live-session.ts';
import { withLock } from './lock.ts';
import type { LockOptions } from './lock-options.ts';
import { keepOffering } from './offer.ts';
import { PageLock } from './page-lock.ts';
import { readSession } from './read-session.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import type { Session } from './session.ts';
import type { Standing } from './standing.ts';
import { nobody } from './store.ts';
import type { User } from './user.ts';

/** The part of Client that accounts use. */
export interface Subject {
  readonly standing: Standing;
  readonly entitlement: Entitlement;
  /** Call after writing to storage: loads it and notifies this page's listeners and the other tabs. */
  changed(): Promise<void>;
  readonly automatic: { signedIn(): void } | undefined;
  /** Call after the server has answered. */
  contacted(): void;
  reconcile(): Promise<ReconcileResult>;
  locked: boolean;
  lockOptions: LockOptions;
}

/** Account signs users in, links their device, and locks its pages. */
export class Account implements Keeper {
  readonly pageLock: PageLock;
  readonly #context: Context;
  readonly #client: Subject;
  #prompt: AbortController | undefined;
  /**
   * The passkey made for a request of the user's, kept until its outcome is known so that the same request does not make
   * another.
   */
  #made: { readonly wish: string; readonly passkey: Answer } | undefined;

  constructor(context: Context, client: Subject) {
    this.#context = context;
    this.#client = client;
    this.pageLock = new PageLock(context, client, (signal) => this.#replacePrompt(signal));
  }

  async create(path: string, request: { name: string } | { code: string }): Promise<User> {
    const ended = this.#replacePrompt();
    const farewell = await this.#finishKnownSignOut();
    // Under the session of the user who left, the new passkey would be added to their account.
    if (farewell === 'unheard') throw new HoldfastError('no_contact', 'the server has not heard of the last sign-out');
    const wish = JSON.stringify([path, request]);
    if (this.#made?.wish !== wish) {
      this.#made = { wish, passkey: await makePasskey(this.#context, path, request, ended) };
    }
    const { passkey } = this.#made;
    const signedIn = await enterPasskey(this.#context, path, passkey, ended).catch((error: HoldfastError) => {
      if (isRefusal(error) || error.code === 'ceremony_invalid') this.#made = undefined;
      throw error;
    });
    this.#made = undefined;
    // A live session may have added the passkey, which verifies nobody: it does not open a locked page.
    return this.#adopt(signedIn, 'code' in request);
  }

  async signIn({ mediation, signal }: SignInOptions): Promise<User> {
    const ended = this.#replacePrompt(signal);
    if (mediation) {
      const shown = await keepOffering(ended, async () => {
        // A pending autofill is no decision by the user to give up stored data.
        await this.finishSignOut();
        return showPasskey(this.#context, ended, { mediation });
      });
      return this.#adopt(await enter(this.#context, shown), true);
    }
    await this.#finishKnownSignOut();
    return this.#adopt(await usePasskey(this.#context, ended), true);
  }

  async confirm(user: User): Promise<void> {
    const ended = this.#replacePrompt();
    await this.#finishKnownSignOut();
    const confirmed = await usePasskey(this.#context, ended, { only: user });
    await this.#adopt(confirmed, true).catch((error: unknown) => {
      // The user is signed in even if the account has no room for this device.
      if (!(error instanceof HoldfastError) || error.code !== 'device_limit') throw error;
    });
  }

  async link(options?: LinkOptions): Promise<void> {
    await withLock(this.#context.name, () => linkDevice(this.#context, options));
    await this.#client.changed();
    await this.#client.reconcile();
  }

  async startTrial(): Promise<ReconcileResult> {
    await this.#context.server.request('POST', '/v1/trial');
    return this.#client.reconcile();
  }

  async session(): Promise<Session | null> {
    const session = await readSession(this.#context, this);
    this.#client.contacted();
    return session;
  }

  async addPasskey(): Promise<void> {
    const made = await addPasskey(this.#context, this.#replacePrompt());
    await this.#adopt(made, false);
  }

  async forget({ id }: User): Promise<void> {
    await this.#context.store.update((held) =>
      held.user?.id === id || held.farewell?.user === id ? { ...nobody, farewell: undefined } : null,
    );
    await this.#client.changed();
  }

  /** An earlier session's pending sign-out must not end the session about to begin. */
  finishSignOut(): Promise<FarewellOutcome> {
    return withLock(this.#context.name, () => sayFarewell(this.#context));
  }

  /** Unreadable storage counts as no pending sign-out. It is discarded only after the user has used a passkey. */
  #finishKnownSignOut(): Promise<FarewellOutcome> {
    return this.finishSignOut().catch((error) => {
      const unreadable = error instanceof HoldfastError && error.code === 'storage_unavailable';
      if (!unreadable || this.#context.store.blocked) throw error;
      return 'said';
    });
  }

  close(): void {
    this.#prompt?.abort();
    this.pageLock.close();
  }

  /** Browsers run one prompt at a time, so a pending autofill is aborted before the next prompt. */
  #replacePrompt(signal?: AbortSignal): AbortSignal {
    this.#prompt?.abort();
    this.#prompt = new AbortController();
    return signal ? AbortSignal.any([this.#prompt.signal, signal]) : this.#prompt.signal;
  }

  /** Completes a sign-in once the user is stored on this device. `proven`: the user has just been verified. */
  async #adopt({ user, tellAuthenticators }: SignedIn, proven: boolean): Promise<User> {
    await (proven && this.#client.locked ? this.pageLock.open(user.id) : this.#client.changed());
    this.#client.automatic?.signedIn();
    void tellAuthenticators();
    await this.finishSignOut();
    await this.#ensureLinked();
    return user;
  }

  /** Keeps a device that the server still knows and links any other again. */
  async #ensureLinked(): Promise<void> {
    const { device, key } = this.#client.standing;
    if (device && key) {
      await this.#client.reconcile();
      if (!this.#client.entitlement.signInNeeded) return;
    }
    await this.link();
  }
}
