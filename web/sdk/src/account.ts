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
  /** Storage was written to: takes it in, and tells this page's listeners and the other tabs. */
  changed(): Promise<void>;
  readonly automatic: { signedIn(): void } | undefined;
  /** The server has answered. */
  contacted(): void;
  reconcile(): Promise<ReconcileResult>;
  locked: boolean;
  lockOptions: LockOptions;
}

/** Signing in, linking the device that somebody has signed in on, and locking its pages. */
export class Account implements Keeper {
  readonly pageLock: PageLock;
  readonly #context: Context;
  readonly #client: Subject;
  #prompt: AbortController | undefined;
  /** The passkey that was made for a wish, until it is known what has become of it: the same wish must not make another one. */
  #made: { readonly wish: string; readonly passkey: Answer } | undefined;

  constructor(context: Context, client: Subject) {
    this.#context = context;
    this.#client = client;
    this.pageLock = new PageLock(context, client, (signal) => this.#replacePrompt(signal));
  }

  async create(path: string, request: { name: string } | { code: string }): Promise<User> {
    const ended = this.#replacePrompt();
    const farewell = await this.#finishKnownSignOut();
    // Under the session of somebody who has left, the new passkey would become one of their account's.
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
    // A passkey that a session may have added shows nobody: it opens no locked page.
    return this.#adopt(signedIn, 'code' in request);
  }

  async signIn({ mediation, signal }: SignInOptions): Promise<User> {
    const ended = this.#replacePrompt(signal);
    if (mediation) {
      const shown = await keepOffering(ended, async () => {
        // An autofill that waits is nobody's wish to give up what is stored.
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
      // They are who they are, whether or not there is room for this device.
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

  /** What an earlier session still has to say must not end the one that is about to begin. */
  finishSignOut(): Promise<FarewellOutcome> {
    return withLock(this.#context.name, () => sayFarewell(this.#context));
  }

  /** Storage that cannot be read tells of no sign-out. It is given up only once somebody has shown a passkey. */
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

  /** Browsers run one prompt at a time: a waiting autofill is ended before the next begins. */
  #replacePrompt(signal?: AbortSignal): AbortSignal {
    this.#prompt?.abort();
    this.#prompt = new AbortController();
    return signal ? AbortSignal.any([this.#prompt.signal, signal]) : this.#prompt.signal;
  }

  /** What follows a sign-in, once the user is this device's. `proven`: they have just shown that it is them. */
  async #adopt({ user, tellAuthenticators }: SignedIn, proven: boolean): Promise<User> {
    await (proven && this.#client.locked ? this.pageLock.open(user.id) : this.#client.changed());
    this.#client.automatic?.signedIn();
    void tellAuthenticators();
    await this.finishSignOut();
    await this.#ensureLinked();
    return user;
  }

  /** A device that the server still knows stays; every other one is linked again. */
  async #ensureLinked(): Promise<void> {
    const { device, key } = this.#client.standing;
    if (device && key) {
      await this.#client.reconcile();
      if (!this.#client.entitlement.signInNeeded) return;
    }
    await this.link();
  }
}
