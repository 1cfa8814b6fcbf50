import type { SignedIn } from './ceremony.ts';
import type { Context } from './context.ts';
import { describe, type Phase, phaseOf } from './describe.ts';
import type { Entitlement } from './entitlement.ts';
import { HoldfastError } from './error.ts';
import { failedReconcile } from './failed-reconcile.ts';
import type { FarewellOutcome } from './farewell.ts';
import type { Holdfast, LinkOptions, SignInOptions } from './holdfast.ts';
import { loadSignIn } from './load-sign-in.ts';
import { withLock } from './lock.ts';
import { reconcileDevice } from './reconcile.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import { Retry } from './retry.ts';
import type { Session } from './session.ts';
import { examine, type Standing } from './standing.ts';
import { nobody } from './store.ts';
import { estimateTime, type TrustedTime } from './trusted-time.ts';
import type { User } from './user.ts';

/** How often the time seen is noted, and at the latest noticed: a sleeping machine's timers stand still. */
const tickInterval = 60_000;

/** The one implementation of {@link Holdfast}: keeps what storage holds in memory, verified, and tells about changes. */
export class Client implements Holdfast {
  readonly #context: Context;
  readonly #name: string;
  readonly #channel: BroadcastChannel;
  readonly #listeners = new Set<() => void>();
  readonly #retry = new Retry();
  #standing: Standing = emptyStanding;
  #time: TrustedTime = emptyStanding.time;
  #view: { standing: Standing; phase: Phase; deviceUnknown: boolean; entitlement: Entitlement } | undefined;
  /** What listeners were last told of. */
  #told: Entitlement | undefined;
  /** The server does not know this device any more. */
  #deviceUnknown = false;
  #loading: Promise<void> = Promise.resolve();
  #running: Promise<ReconcileResult> | undefined;
  #queued: Promise<ReconcileResult> | undefined;
  #prompt: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopTriggers: (() => void) | undefined;
  #closed = false;

  constructor(context: Context, name: string) {
    this.#context = context;
    this.#name = name;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = () => void this.load();
  }

  get user(): User | null {
    return this.#standing.user;
  }

  get device(): string | null {
    return this.#standing.device;
  }

  get entitlement(): Entitlement {
    const [standing, deviceUnknown] = [this.#standing, this.#deviceUnknown];
    const phase = this.#phase();
    const view = this.#view;
    if (view?.standing === standing && view.phase === phase && view.deviceUnknown === deviceUnknown) {
      return view.entitlement;
    }
    const entitlement = describe(standing, phase, deviceUnknown);
    this.#view = { standing, phase, deviceUnknown, entitlement };
    return entitlement;
  }

  has(feature: string): boolean {
    return Object.hasOwn(this.entitlement.features, feature);
  }

  limit(feature: string): number | undefined {
    return this.has(feature) ? this.entitlement.features[feature]?.limit : undefined;
  }

  subscribe(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  reconcile(): Promise<ReconcileResult> {
    if (this.#running) {
      // The run under way may have asked before whatever made the caller ask: the next one is for it.
      this.#queued ??= this.#running.then(() => {
        this.#queued = undefined;
        return this.reconcile();
      });
      return this.#queued;
    }
    this.#running = this.#reconcile().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  start(): () => void {
    this.#stopTriggers ??= this.#listenForTriggers();
    void this.#trigger();
    return () => this.#stop();
  }

  register(name: string): Promise<User> {
    return this.#create('/v1/registration', { name });
  }

  enrol(code: string): Promise<User> {
    return this.#create('/v1/recovery', { code });
  }

  async signIn({ mediation, signal }: SignInOptions = {}): Promise<User> {
    const ended = this.#replacePrompt(signal);
    await this.#finishSignOut();
    const { usePasskey } = await loadSignIn();
    return this.#adopt(await usePasskey(this.#context, ended, mediation));
  }

  async link(options: LinkOptions = {}): Promise<void> {
    const { linkDevice } = await loadSignIn();
    await withLock(this.#name, () => linkDevice(this.#context, options));
    this.#deviceUnknown = false;
    await this.#changed();
    await this.reconcile();
  }

  async signOut(): Promise<boolean> {
    await this.#context.store.update((held) =>
      held.user
        ? { ...nobody, farewell: { user: held.user.id, device: held.device?.id ?? held.farewell?.device ?? null } }
        : null,
    );
    this.#deviceUnknown = false;
    await this.#changed();
    return (await this.#finishSignOut()) === 'said';
  }

  async startTrial(): Promise<ReconcileResult> {
    await this.#context.server.request('POST', '/v1/trial');
    return this.reconcile();
  }

  async session(): Promise<Session | null> {
    const { readSession } = await loadSignIn();
    return readSession(this.#context.server);
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    clearTimeout(this.#timer);
    this.#prompt?.abort();
    this.#listeners.clear();
    this.#channel.close();
    void this.#context.store.close();
  }

  /** Verifies what storage holds now and tells the listeners, one load after the other. Never rejects. */
  load(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  async #load(): Promise<void> {
    const { roots: loadRoots, store, origin } = this.#context;
    const roots = await orError(loadRoots());
    const held = await orError(store.read());
    if (this.#closed) return;
    const [trusted, failedRoots] = roots instanceof HoldfastError ? [[], roots.code] : [roots, null];
    // Storage that fails for a moment takes nothing away: what was verified before stays until its end.
    const [examined, failed] =
      held instanceof HoldfastError ? [this.#standing, held.code] : [await examine(held, trusted, origin), failedRoots];
    const standing = { ...examined, error: failed ?? examined.error };
    // A tick seen here may be later than the one on disk; only another document may take it back.
    const seen = standing.taken === this.#standing.taken ? this.#time.mark : 0;
    this.#standing = standing;
    this.#time = { ...standing.time, mark: Math.max(standing.time.mark, seen) };
    this.#tell();
    this.#tick();
  }

  async #changed(): Promise<void> {
    await this.load();
    if (!this.#closed) this.#channel.postMessage(null);
  }

  #phase(): Phase {
    const clock = this.#context.clock();
    const { now, behind } = estimateTime(this.#time, clock);
    if (!behind) this.#time = { ...this.#time, mark: now };
    return phaseOf(this.#standing, this.#time, clock);
  }

  #tell(): void {
    if (this.entitlement === this.#told) return;
    this.#told = this.entitlement;
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  async #reconcile(): Promise<ReconcileResult> {
    const result = await withLock(this.#name, () => this.#ask()).catch(failedReconcile);
    const { outcome } = result;
    // A document for somebody else: the device was linked under a session that had changed hands.
    const foreign = outcome === 'refused' && result.code === 'subject_mismatch';
    if (outcome === 'sign_in_needed' || foreign) this.#deviceUnknown = this.#standing.device !== null;
    if (outcome === 'reconciled' || outcome === 'forked') this.#deviceUnknown = false;
    this.#retry.settled(result);
    if (outcome === 'reconciled' || outcome === 'forked' || outcome === 'superseded') await this.#changed();
    else this.#tell();
    this.#tick();
    return result;
  }

  async #ask(): Promise<ReconcileResult> {
    await this.#sayFarewell();
    const { user, device, pending } = await this.#context.store.read();
    if (!user) return { outcome: 'signed_out' };
    if (!device) {
      // A linking whose answer was lost is finished with the same key; a first one needs the user.
      if (!pending) return { outcome: 'sign_in_needed' };
      const { linkDevice } = await loadSignIn();
      await linkDevice(this.#context);
    }
    return reconcileDevice(this.#context);
  }

  async #create(path: string, request: { name: string } | { code: string }): Promise<User> {
    const ended = this.#replacePrompt();
    const farewell = await this.#finishSignOut();
    const { makePasskey } = await loadSignIn();
    return this.#adopt(await makePasskey(this.#context, path, request, farewell, ended));
  }

  /** Browsers run one prompt at a time: a waiting autofill is ended before the next begins. */
  #replacePrompt(signal?: AbortSignal): AbortSignal {
    this.#prompt?.abort();
    this.#prompt = new AbortController();
    return signal ? AbortSignal.any([this.#prompt.signal, signal]) : this.#prompt.signal;
  }

  /** What follows a sign-in, once the user is this device's. */
  async #adopt({ user, tellAuthenticators }: SignedIn): Promise<User> {
    await this.#changed();
    void tellAuthenticators();
    await this.#finishSignOut();
    await this.#ensureLinked();
    return user;
  }

  /** A device that the server still knows stays; every other one is linked anew. */
  async #ensureLinked(): Promise<void> {
    if (this.#standing.device && this.#standing.key) {
      await this.reconcile();
      if (!this.entitlement.signInNeeded) return;
    }
    await this.link();
  }

  /** What an earlier session still has to say must not end the one that is about to begin. */
  #finishSignOut(): Promise<FarewellOutcome> {
    return withLock(this.#name, () => this.#sayFarewell());
  }

  /** While nobody is signed in, the cookie's session is still the one to be ended; later, only its device is left. */
  async #sayFarewell(): Promise<FarewellOutcome> {
    const { farewell, user } = await this.#context.store.read();
    if (!farewell) return 'said';
    const use = await loadSignIn().catch(() => null);
    return (await use?.sayFarewell(this.#context, farewell, user)) ?? (user ? 'later' : 'unheard');
  }

  /** Notes the time, notices what has ended, reconciles when it is due, and comes back when the next thing is. */
  #tick(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#tell();
    const { now } = estimateTime(this.#time, this.#context.clock());
    const wait = this.#stopTriggers ? this.#retry.wait(this.#due(now)) : Number.POSITIVE_INFINITY;
    if (wait === 0 && !this.#running) return void this.#trigger();

    const ends = [this.#standing.document?.exp, this.#standing.keyset?.exp].map((exp) => (exp ?? 0) * 1000 - now);
    const delay = Math.min(tickInterval, wait || tickInterval, ...ends.filter((end) => end > 0));
    this.#timer = setTimeout(() => {
      void this.#noteTime();
      this.#tick();
    }, delay);
  }

  /** Milliseconds until the server is wanted. */
  #due(now: number): number {
    if (!this.#standing.user || this.entitlement.signInNeeded) return Number.POSITIVE_INFINITY;
    const { refreshAfter, error } = this.entitlement;
    return refreshAfter && !error ? Math.max(0, refreshAfter.getTime() - now) : 0;
  }

  /** The mark on disk only rises, unless another document was taken meanwhile. */
  async #noteTime(): Promise<void> {
    const { taken } = this.#standing;
    if (taken === undefined) return;
    await this.#context.store
      .update((held) => {
        const known = held.time ?? { mark: 0, skew: 0 };
        return held.document === taken && known.mark < this.#time.mark
          ? { time: { ...known, mark: this.#time.mark } }
          : null;
      })
      .catch(() => {});
  }

  #listenForTriggers(): () => void {
    const events = new AbortController();
    const trigger = () => void this.#trigger();
    const seen = () => {
      if (document.visibilityState === 'visible') trigger();
      else void this.#noteTime();
    };
    globalThis.addEventListener?.('online', trigger, { signal: events.signal });
    globalThis.document?.addEventListener('visibilitychange', seen, { signal: events.signal });
    return () => events.abort();
  }

  async #trigger(): Promise<void> {
    this.#tell();
    if (this.#closed || this.#running || this.#retry.barred) return;
    await this.reconcile();
  }

  #stop(): void {
    this.#stopTriggers?.();
    this.#stopTriggers = undefined;
  }
}

const emptyStanding: Standing = {
  user: null,
  device: null,
  key: null,
  keyset: null,
  document: null,
  time: { mark: 0, skew: 0 },
  error: null,
  taken: undefined,
};

/** A failure as a value. */
function orError<T>(work: Promise<T>): Promise<T | HoldfastError> {
  return work.catch((error: unknown) => {
    if (error instanceof HoldfastError) return error;
    throw error;
  });
}
