import type { ErrorCode } from './base/error-code.ts';
import { failingWith } from './base/failing-with.ts';
import type { User } from './base/user.ts';
import type { Holdfast } from './holdfast.ts';
import type { Guarded } from './host/guarded.ts';
import type { ProofHeaders, ProofRequest } from './host/proof-request.ts';
import type { UnlockOptions } from './lock/unlock-options.ts';
import type { LinkOptions } from './reconcile/link-options.ts';
import type { ReconcileResult } from './reconcile/reconcile-result.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import type { Account } from './session/account.ts';
import type { Session } from './session/session.ts';
import type { SignInOptions } from './session/sign-in-options.ts';
import type { Context } from './state/context.ts';
import type { Snapshot } from './state/snapshot.ts';
import { State } from './state/state.ts';
import type { LedgerStatus } from './storage/ledger-record.ts';
import type { LockOptions } from './storage/lock-options.ts';
import type { StorageHealth } from './storage/storage-health.ts';
import { type Held, nobody } from './storage/store.ts';
import type { Entitlement } from './verify/entitlement.ts';

/** A file that fails to load counts as no contact: the server would not have been reached either. */
const loadSignIn = () => failingWith('no_contact', () => import('./sign-in.ts'));

/** Client implements {@link Holdfast} over the page's {@link State}. */
export class Client implements Holdfast {
  readonly state: State;
  readonly #reconciler: Reconciler;
  #account: Account | undefined;
  #guarded: Guarded | undefined;

  /** `ended`: nothing will ever work, since there is no browser. */
  constructor(context: Context, ended?: ErrorCode) {
    this.state = new State(context, ended);
    this.state.isLocked = (held) => this.#isLocked(held);
    this.#reconciler = new Reconciler(this.state, loadSignIn);
    this.#bind();
  }

  get user(): User | null {
    return this.state.standing.user;
  }

  get device(): string | null {
    return this.state.standing.device;
  }

  get entitlement(): Entitlement {
    return this.state.entitlement;
  }

  get storage(): StorageHealth {
    return this.state.storage;
  }

  get reached(): boolean | null {
    return this.state.reached;
  }

  get locked(): boolean {
    return this.state.locked;
  }

  get ledger(): LedgerStatus | null {
    return this.state.ledger;
  }

  get lockOptions(): LockOptions {
    return this.state.lockOptions;
  }

  has(feature: string): boolean {
    return Object.hasOwn(this.entitlement.features, feature);
  }

  limit(feature: string): number | undefined {
    return this.entitlement.features[feature]?.limit;
  }

  snapshot(): Snapshot {
    return this.state.snapshot();
  }

  subscribe(listener: () => void): () => void {
    return this.state.subscribe(listener);
  }

  async reconcile(): Promise<ReconcileResult> {
    this.state.demandOpen();
    return this.#reconciler.reconcile();
  }

  contacted(): void {
    this.#reconciler.automatic?.contacted();
  }

  start(): () => void {
    return this.#reconciler.start();
  }

  async register(name: string): Promise<User> {
    return (await this.#signingIn()).create('/v1/registration', { name });
  }

  async enrol(code: string): Promise<User> {
    return (await this.#signingIn()).create('/v1/recovery', { code });
  }

  async signIn(options: SignInOptions = {}): Promise<User> {
    return (await this.#signingIn()).signIn(options);
  }

  async link(options?: LinkOptions): Promise<void> {
    return (await this.#signingIn()).link(options);
  }

  async signOut(): Promise<boolean> {
    this.state.demandOpen();
    await this.state.context.store.update((held) =>
      held.user
        ? { ...nobody, farewell: { user: held.user.id, device: held.device?.id ?? held.farewell?.device ?? null } }
        : null,
    );
    await this.state.changed();
    const account = await this.#signingIn().catch(() => null);
    const said = (await account?.finishSignOut()) === 'said';
    if (!said) void this.#reconciler.goOn({ outcome: 'no_contact' });
    return said;
  }

  async lock(): Promise<void> {
    return (await this.#signingIn()).pageLock.lock();
  }

  async unlock(options?: UnlockOptions): Promise<void> {
    return (await this.#signingIn()).pageLock.unlock(options);
  }

  async setLock(options: LockOptions): Promise<void> {
    return (await this.#signingIn()).pageLock.set(options);
  }

  async startTrial(): Promise<ReconcileResult> {
    return (await this.#signingIn()).startTrial();
  }

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    return (await this.#guarding()).fetch(input, init);
  }

  async proof(request: ProofRequest): Promise<ProofHeaders> {
    return (await this.#guarding()).proof(request);
  }

  async session(): Promise<Session | null> {
    return (await this.#signingIn()).session();
  }

  close(): void {
    this.state.close();
    this.#reconciler.automatic?.close();
    this.#account?.close();
  }

  /** Once a lock has been set or begun, a separate file decides. Until it is loaded, the page is locked. */
  async #isLocked(held: Held): Promise<boolean> {
    if (!this.#account && !held.locked && !held.lock && !this.state.context.lock) return this.locked;
    const account = await this.#signingIn().catch(() => null);
    return account ? account.pageLock.follow(held) : true;
  }

  /** Gives this object its own, bound members: they work destructured, and behind a proxy, where private fields do not. */
  #bind(): void {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(Client.prototype);
    for (const [name, { get, value }] of Object.entries<PropertyDescriptor>(members)) {
      const own = get ? { get: get.bind(this) } : { value: value.bind(this), writable: true };
      Object.defineProperty(this, name, { ...own, configurable: true });
    }
  }

  async #guarding(): Promise<Guarded> {
    this.state.demandOpen();
    const { Guarded } = await failingWith('no_contact', () => import('./host/guarded.ts'));
    this.state.demandOpen();
    this.#guarded ??= new Guarded(this.state, this.#reconciler);
    return this.#guarded;
  }

  async #signingIn(): Promise<Account> {
    this.state.demandOpen();
    const { Account } = await loadSignIn();
    this.state.demandOpen();
    this.#account ??= new Account(this.state, this.#reconciler);
    return this.#account;
  }
}
