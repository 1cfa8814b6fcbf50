import type { Account } from './account.ts';
import type { Automatic } from './auto.ts';
import { type Channel, openChannel } from './channel.ts';
import type { Context } from './context.ts';
import { describe } from './describe.ts';
import type { Entitlement } from './entitlement.ts';
import { failingWith } from './failing-with.ts';
import type { Holdfast, LinkOptions, SignInOptions, UnlockOptions } from './holdfast.ts';
import type { LockOptions } from './lock-options.ts';
import { reconcileOnce } from './reconcile-once.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import type { Session } from './session.ts';
import { examine, type Standing } from './standing.ts';
import { stateOf } from './state.ts';
import type { StorageHealth } from './storage-health.ts';
import { nobody } from './store.ts';
import { type Moment, readClocks, type TrustedTime, type Watch } from './trusted-time.ts';
import type { User } from './user.ts';

/** A file that fails to load counts as no contact: the server would not have been reached either. */
const loadSignIn = () => failingWith('no_contact', () => import('./sign-in.ts'));

/**
 * Client implements {@link Holdfast}: it keeps the verified contents of storage in memory and notifies listeners of changes.
 */
export class Client implements Holdfast {
  locked = false;
  lockOptions: LockOptions = {};
  readonly #context: Context;
  readonly #channel: Channel;
  /** Set by {@link Healing}. */
  storage: StorageHealth = 'well';
  reached: boolean | null = null;
  readonly #listeners = new Set<() => void>();
  // Set by the first load, before the client is handed out.
  standing!: Standing;
  #watch: Watch | undefined;
  #entitlement: Entitlement | undefined;
  /** The entitlement that listeners last saw. */
  #told: Entitlement | undefined;
  /** The device that the server last reported as unknown. */
  #unknown: string | null = null;
  #loading: Promise<void> = Promise.resolve();
  /** The run under way. */
  running: Promise<ReconcileResult> | undefined;
  #queued: Promise<ReconcileResult> | undefined;
  #account: Account | undefined;
  /** The automatic work; undefined until its file is loaded. */
  automatic: Automatic | undefined;
  #started = false;
  #closed = false;

  constructor(context: Context) {
    this.#context = context;
    this.#channel = openChannel(context.name, () => void this.load());
    context.server.heard = (reached) => this.#reach(reached);
  }

  get user(): User | null {
    return this.standing.user;
  }

  get device(): string | null {
    return this.standing.device;
  }

  get entitlement(): Entitlement {
    const { document, keyset, device } = this.standing;
    const verdict = stateOf(document, keyset, this.moment());
    const next = describe(this.standing, verdict, device !== null && device === this.#unknown);
    const last = this.#entitlement;
    // For the same standing, only these can change.
    const same =
      last && (['state', 'error', 'signInNeeded', 'clockBehind'] as const).every((name) => last[name] === next[name]);
    this.#entitlement = same ? last : next;
    return this.#entitlement;
  }

  has(feature: string): boolean {
    return Object.hasOwn(this.entitlement.features, feature);
  }

  limit(feature: string): number | undefined {
    return this.entitlement.features[feature]?.limit;
  }

  subscribe(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  reconcile(): Promise<ReconcileResult> {
    if (!this.running) return this.run();
    // The run under way may have sent its request before the caller's reason arose, so the call gets the next run.
    this.#queued ??= this.running.then(() => {
      this.#queued = undefined;
      return this.reconcile();
    });
    return this.#queued;
  }

  /** Starts a run. With `since`, it sends nothing if another document is held by then. */
  run(since?: Standing): Promise<ReconcileResult> {
    this.running = this.#reconcile(since).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  contacted(): void {
    this.automatic?.contacted();
  }

  start(): () => void {
    this.#started = true;
    this.automatic?.start();
    return () => {
      this.#started = false;
      this.automatic?.stop();
    };
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
    await this.#context.store.update((held) =>
      held.user
        ? { ...nobody, farewell: { user: held.user.id, device: held.device?.id ?? held.farewell?.device ?? null } }
        : null,
    );
    await this.changed();
    const account = await this.#signingIn().catch(() => null);
    const said = (await account?.finishSignOut()) === 'said';
    if (!said) void this.#goOn({ outcome: 'no_contact' });
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

  async session(): Promise<Session | null> {
    return (await this.#signingIn()).session();
  }

  close(): void {
    this.#closed = true;
    this.automatic?.close();
    this.#account?.close();
    this.#listeners.clear();
    this.#channel.close();
    void this.#context.store.close();
  }

  /** Verifies the contents of storage and notifies the listeners. Loads run one after the other. Never rejects. */
  load(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  async changed(): Promise<void> {
    await this.load();
    if (!this.#closed) this.#channel.post();
  }

  moment(): Moment {
    const { clock, monotonic } = this.#context;
    const clocks = { wall: clock(), monotonic: monotonic() };
    const { watch, moment } = readClocks(this.#watch as Watch, this.standing.document?.skew ?? 0, clocks);
    this.#watch = watch;
    return moment;
  }

  get time(): TrustedTime {
    const { mark, jump } = this.#watch as Watch;
    return { mark, jump };
  }

  /** Calls the listeners if the entitlement has changed, or if the caller says that something else has. */
  tell(changed = false): void {
    if (this.entitlement === this.#told && !changed) return;
    this.#told = this.entitlement;
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  #reach(reached: boolean): void {
    if (this.#closed || reached === this.reached) return;
    this.reached = reached;
    this.tell(true);
  }

  async #load(): Promise<void> {
    const held = await this.#context.store.read().catch(() => null);
    // Once a lock has been set or begun, a separate file decides whether this page is locked. Until it is loaded, the page
    // is locked.
    if (held && (this.#account || held.locked || held.lock || this.#context.lock)) {
      const account = await this.#signingIn().catch(() => null);
      this.locked = account ? await account.pageLock.follow(held) : true;
    }
    if (this.#closed) return;
    // A passing storage failure revokes nothing: the verified document stays in force until it ends.
    const before = this.standing;
    const standing = held || !before ? await examine(held ?? {}, this.#context) : before;
    // This page's time may be later than the one on disk. Only another document may move it back.
    let { time } = standing;
    if (before?.taken === standing.taken && this.#watch) {
      this.moment();
      if (this.time.mark > time.mark) time = this.time;
    }
    this.standing = standing;
    this.#entitlement = undefined;
    this.#watch = { ...time, at: this.#context.monotonic(), ahead: this.#context.ahead };
    this.tell();
    void this.#goOn();
  }

  async #reconcile(since?: Standing): Promise<ReconcileResult> {
    const result = await reconcileOnce(this.#context, loadSignIn, since);
    const { outcome } = result;
    const taken = outcome === 'reconciled' || outcome === 'forked';
    // The document is for another user: the device was linked under a session that had changed hands.
    const foreign = outcome === 'refused' && result.code === 'subject_mismatch';
    // An answer to another request does not come from the server.
    if (outcome === 'no_contact') this.#reach(false);
    if (taken) this.#unknown = null;
    else if (outcome === 'sign_in_needed' || foreign) this.#unknown = this.device;
    if (taken || outcome === 'superseded') await this.changed();
    else this.tell();
    void this.#goOn(result);
    return result;
  }

  async #signingIn(): Promise<Account> {
    const { Account } = await loadSignIn();
    this.#account ??= new Account(this.#context, this);
    return this.#account;
  }

  /** Loads the automatic work on first use. If its file does not arrive, the next use tries again. */
  async #goOn(result?: ReconcileResult): Promise<void> {
    if (!this.automatic) {
      const parts = await import('./auto.ts').catch(() => null);
      if (!parts || this.#closed) return;
      this.automatic ??= new parts.Automatic(this.#context, this);
      if (this.#started) this.automatic.start();
    }
    this.automatic.next(result);
  }
}
