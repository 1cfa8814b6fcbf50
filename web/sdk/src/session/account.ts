import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import type { User } from '../base/user.ts';
import { PageLock } from '../lock/page-lock.ts';
import { keepOffering } from '../passkey/offer.ts';
import { type FarewellOutcome, sayFarewell } from '../reconcile/farewell.ts';
import { linkDevice } from '../reconcile/link.ts';
import type { LinkOptions } from '../reconcile/link-options.ts';
import type { ReconcileResult } from '../reconcile/reconcile-result.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { withLock } from '../reconcile/with-lock.ts';
import type { Context } from '../state/context.ts';
import type { State } from '../state/state.ts';
import { nobody } from '../storage/store.ts';
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
import type { Keeper } from './live-session.ts';
import { readSession } from './read-session.ts';
import type { Session } from './session.ts';
import type { SignInOptions } from './sign-in-options.ts';

/** Why an answer was refused that will be refused again until the set-up is changed. */
const lasting: readonly ErrorCode[] = [
  'roots_unavailable',
  'root_unknown',
  'issuer_mismatch',
  'audience_mismatch',
  'claims_invalid',
];

/** Account signs users in, links their device, and locks its pages. */
export class Account implements Keeper {
  readonly pageLock: PageLock;
  readonly #context: Context;
  readonly #state: State;
  readonly #reconciler: Reconciler;
  #prompt: AbortController | undefined;
  /**
   * The passkey made for a request of the user's, kept until its outcome is known so that the same request does not make
   * another.
   */
  #made: { readonly wish: string; readonly passkey: Answer } | undefined;

  constructor(state: State, reconciler: Reconciler) {
    this.#context = state.context;
    this.#state = state;
    this.#reconciler = reconciler;
    this.pageLock = new PageLock(state, (signal) => this.#replacePrompt(signal));
  }

  create(path: string, request: { name: string } | { code: string }): Promise<User> {
    return this.#explained(() => this.#create(path, request));
  }

  async #create(path: string, request: { name: string } | { code: string }): Promise<User> {
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

  signIn(options: SignInOptions): Promise<User> {
    return this.#explained(() => this.#signIn(options));
  }

  async #signIn({ mediation, signal }: SignInOptions): Promise<User> {
    const ended = this.#replacePrompt(signal);
    if (mediation) {
      const offer = async () => {
        // A pending autofill is no decision by the user to give up stored data.
        await this.finishSignOut();
        return showPasskey(this.#context, ended, { mediation });
      };
      const shown = await keepOffering(ended, () => this.#explained(offer));
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
    await this.#state.changed();
    await this.#reconcile();
  }

  async startTrial(): Promise<ReconcileResult> {
    await this.#context.server.request('POST', '/v1/trial');
    return this.#reconciler.reconcile();
  }

  async session(): Promise<Session | null> {
    const session = await readSession(this.#context, this);
    this.#reconciler.automatic?.contacted();
    return session;
  }

  async addPasskey(): Promise<void> {
    const made = await addPasskey(this.#context, this.#replacePrompt());
    await this.#adopt(made, false);
  }

  async forget({ id }: User): Promise<void> {
    await this.#context.store.update(
      (held, transaction) => {
        // Their failure fails the transaction.
        transaction
          .objectStore('ledger')
          .delete(IDBKeyRange.bound([id], [id, []]))
          .catch(() => {});
        return held.user?.id === id || held.farewell?.user === id ? { ...nobody, farewell: undefined } : null;
      },
      ['state', 'ledger'],
    );
    await this.#state.changed();
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

  /** Rejects with the mistake in the set-up that `work` failed for, if there is one. */
  async #explained<T>(work: () => Promise<T>): Promise<T> {
    return work().catch(async (error: unknown) => {
      const parts = await import('../debug/snag.ts').catch(() => null);
      throw parts ? await parts.explainFailure(this.#context, error) : error;
    });
  }

  /** Browsers run one prompt at a time, so a pending autofill is aborted before the next prompt. */
  #replacePrompt(signal?: AbortSignal): AbortSignal {
    this.#prompt?.abort();
    this.#prompt = new AbortController();
    return signal ? AbortSignal.any([this.#prompt.signal, signal]) : this.#prompt.signal;
  }

  /** Completes a sign-in once the user is stored on this device. `proven`: the user has just been verified. */
  async #adopt({ user, tellAuthenticators }: SignedIn, proven: boolean): Promise<User> {
    await (proven && this.#state.locked ? this.pageLock.open(user.id) : this.#state.changed());
    this.#reconciler.automatic?.signedIn();
    void tellAuthenticators();
    await this.finishSignOut();
    await this.#ensureLinked();
    return user;
  }

  /** Rejects if every answer will be refused until the set-up is changed. */
  async #reconcile(): Promise<void> {
    const result = await this.#reconciler.reconcile();
    if (result.outcome === 'refused' && lasting.includes(result.code)) throw new HoldfastError(result.code);
  }

  /** Keeps a device that the server still knows and links any other again. */
  async #ensureLinked(): Promise<void> {
    const { device, key } = this.#state.standing;
    if (device && key) {
      await this.#reconcile();
      if (!this.#state.entitlement.signInNeeded) return;
    }
    await this.link();
  }
}
