import {
  type Entitlement,
  type ErrorCode,
  type Feature,
  type Holdfast,
  HoldfastError,
  type Session,
  type Snapshot,
  type User,
} from '@holdfast/client';

/** The state that a fake shows, and its answers. */
export interface FakeState<F extends string = string> {
  /** The user who is signed in; null: nobody. */
  readonly user?: User | null;
  /** The features of the user's plan; null: no subscription. */
  readonly plan?: Readonly<Partial<Record<F, Feature>>> | null;
  /** Any part of the entitlement. Its features follow from plan and state. */
  readonly entitlement?: Partial<Omit<Entitlement<F>, 'features'>>;
  readonly device?: string | null;
  readonly storage?: Snapshot['storage'];
  /** false: methods that need the server reject with `no_contact`. */
  readonly reached?: boolean;
  readonly locked?: boolean;
  /** The ledger's status; null: the app has not opened it. */
  readonly ledger?: Snapshot['ledger'];
  /** The result of `session()`. */
  readonly session?: Session | null;
  /** Answers `fetch()`: by default with 204. */
  readonly backEnd?: (request: Request) => Response | Promise<Response>;
}

/** A client whose state the test sets. */
export interface FakeHoldfast<F extends string = string> extends Holdfast<F> {
  /** Changes the state and tells the listeners, as an answer of the server or the passing of time would. */
  set(change: FakeState<F>): void;
  /** Lets the next call of `method` reject. */
  fail(method: Asynchronous, code: ErrorCode): void;
}

type Asynchronous = {
  [K in keyof Holdfast]: Holdfast[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof Holdfast];

const ada: User = Object.freeze({ id: '018f0000-0000-7000-8000-000000000001', name: 'Ada' });
const day = 86_400_000;

/**
 * A {@link Holdfast} for unit tests of an app: no server, no storage, no passkeys, no time limits. Ada is signed in, with
 * the plan given. Sign-in, sign-out, trial and lock change the state at once.
 *
 * @example
 * const hf = fakeHoldfast({ plan: { export: {}, notes: { limit: 10 } } });
 * render(<App holdfast={hf} />);
 * hf.set({ entitlement: { state: 'revoked', reason: 'revoked' } });
 */
export function fakeHoldfast<F extends string = string>(initial: FakeState<F> = {}): FakeHoldfast<F> {
  const listeners = new Set<() => void>();
  const failures = new Map<Asynchronous, ErrorCode>();
  let state: FakeState<F> = { user: ada, ...initial };
  let lockOptions: Snapshot['lockOptions'] = Object.freeze({});
  let shown = show();

  function show(): Snapshot<F> {
    const {
      user = null,
      plan = null,
      entitlement,
      device,
      storage = 'well',
      reached = null,
      locked = false,
      ledger = null,
    } = state;
    const rights = user === null ? describe<F>(null) : describe(plan, entitlement);
    return Object.freeze({
      user,
      device: device === undefined ? user && 'fake-device' : device,
      entitlement: rights,
      storage,
      reached,
      locked: locked && user !== null,
      lockOptions,
      ledger,
    });
  }

  function set(change: FakeState<F>): void {
    state = { ...state, ...change };
    shown = show();
    for (const listener of [...listeners]) listener();
  }

  /** Throws what the test wants `method` to fail with. `offline`: it does not need the server. */
  function attempt(method: Asynchronous, offline = false): void {
    const code = failures.get(method) ?? (state.reached === false && !offline ? 'no_contact' : null);
    failures.delete(method);
    if (code) throw new HoldfastError(code);
  }

  function enter(user: User): User {
    set({ user, locked: false });
    return user;
  }

  const members = {
    set,
    fail: (method: Asynchronous, code: ErrorCode) => void failures.set(method, code),
    has: (feature: F) => shown.entitlement.features[feature] !== undefined,
    limit: (feature: F) => shown.entitlement.features[feature]?.limit,
    snapshot: () => shown,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async reconcile() {
      attempt('reconcile', true);
      if (state.reached === false) return { outcome: 'no_contact' } as const;
      return { outcome: state.user ? 'reconciled' : 'signed_out' } as const;
    },
    start: () => () => {},
    contacted() {},
    async register(name: string) {
      attempt('register');
      return enter(Object.freeze({ ...ada, name }));
    },
    async signIn() {
      attempt('signIn');
      return enter(state.user ?? ada);
    },
    async enrol() {
      attempt('enrol');
      return enter(state.user ?? ada);
    },
    async link() {
      attempt('link');
    },
    async signOut() {
      attempt('signOut', true);
      set({ user: null });
      return state.reached !== false;
    },
    async startTrial() {
      attempt('startTrial');
      set({
        plan: state.plan ?? ({} as Readonly<Partial<Record<F, Feature>>>),
        entitlement: { state: 'active', ending: 'trial' },
      });
      return { outcome: 'reconciled' } as const;
    },
    async fetch(input: string | URL | Request, init?: RequestInit) {
      attempt('fetch');
      return state.backEnd?.(new Request(input, init)) ?? new Response(null, { status: 204 });
    },
    async proof() {
      attempt('proof');
      return { Authorization: 'DPoP fake', DPoP: 'fake' };
    },
    async session() {
      attempt('session');
      return state.session ?? null;
    },
    async lock() {
      attempt('lock', true);
      set({ locked: true });
    },
    async unlock() {
      attempt('unlock', true);
      set({ locked: false });
    },
    async setLock(options: Snapshot['lockOptions']) {
      attempt('setLock', true);
      lockOptions = Object.freeze({ ...options });
      set({});
    },
    close: () => listeners.clear(),
  };
  const parts = Object.fromEntries(
    Object.keys(shown).map((name) => [name, { get: () => shown[name as keyof Snapshot], enumerable: true }]),
  );
  return Object.defineProperties(members, parts) as typeof members & Snapshot<F>;
}

function describe<F extends string>(
  plan: Readonly<Partial<Record<F, Feature>>> | null,
  given?: FakeState<F>['entitlement'],
): Entitlement<F> {
  const state = given?.state ?? (plan ? 'active' : 'none');
  const grants = state === 'active' || state === 'grace';
  const until = grants ? new Date(Date.now() + 7 * day) : null;
  return Object.freeze({
    reason: null,
    signInNeeded: false,
    until,
    refreshAfter: until && new Date(Date.now() + day),
    paidThrough: until,
    ending: null,
    plans: Object.freeze(plan ? ['fake'] : []),
    revision: 1,
    error: null,
    clockBehind: null,
    lastContact: new Date(),
    ...given,
    state,
    features: Object.freeze(grants && plan ? { ...plan } : {}),
  });
}
