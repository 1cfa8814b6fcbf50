import {
  type Entitlement,
  type ErrorCode,
  type Holdfast,
  HoldfastError,
  type LinkedDevice,
  type LockOptions,
  openHoldfast,
  type PasskeySupport,
  passkeySupport,
  type Session,
  type SignInOptions,
  type StorageHealth,
  type User,
} from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { batch, computed, effect, signal } from '@preact/signals';
import { askNotices, recallNotices } from './notices.ts';
import { reached } from './reached.ts';
import { go } from './route.ts';
import type { Action } from './words/failure.ts';

/** The user signed in on this device, also offline. */
export const user = signal<User | null>(null);

/** The user's id, or null. State about one user must be dropped when it changes. */
export const userId = computed(() => user.value?.id ?? null);

/** The user's current rights. Set before the app is shown. */
export const entitlement = signal<Entitlement>(undefined as never);

/** The server's UUID of this installation; null: not linked. */
export const device = signal<string | null>(null);

/** Whether the app is locked and must show none of the user's data. Set before the app is shown. */
export const locked = signal(false);

/** When this app locks by itself. */
export const lockOptions = signal<LockOptions>({});

/** The health of this device's storage. */
export const storage = signal<StorageHealth>('well');

/** The browser's passkey support; null: not known yet. */
export const support = signal<PasskeySupport | null>(null);

/** The pending callback that waits for the user to confirm with a passkey, called with whether to go on; null: none. */
export const confirming = signal<((go: boolean) => void) | null>(null);

/** The time that the page's texts refer to; it moves while the page is open. */
export const now = signal(new Date());

/** The user's action in progress, or null. */
export const busy = signal<Action | null>(null);

/** The same, once it has taken so long that silence would look like a hang. */
export const waiting = signal<Action | null>(null);

/** Milliseconds before an action in progress is shown, so that quick ones do not flicker. */
export const noticeable = 100;

/** The outcome of the user's action, in words. */
export interface Outcome {
  readonly action: Action;
  /** Nothing failed, or the user cancelled. */
  readonly good: boolean;
  readonly text: string;
  /** A passkey tap is required. */
  readonly signIn?: boolean;
}

export const outcome = signal<Outcome | null>(null);

/** The devices to choose from when the plan's limit is reached; empty: no choice to make. */
export const replaceable = signal<readonly LinkedDevice[]>([]);

const mendedBySigningIn: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthenticated',
  'reauthentication_required',
  'passkey_unknown',
  'passkeys_unavailable',
]);

const entering: ReadonlySet<Action> = new Set<Action>(['register', 'enrol', 'recover', 'sign-in']);

/** Actions whose outcome describes the user's rights and is only valid until those change. */
const ofTheState: ReadonlySet<Action> = new Set<Action>(['trial', 'check']);

/** Codes that end an autofill permanently and without a message, since the user did not ask for it. */
const unasked: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['cancelled', 'not_supported', 'origin_refused']);

/** Milliseconds before an autofill is offered again after its passkey failed. */
const breath = 5_000;

/** Set before the app is shown. */
export let holdfast: Holdfast;

/** Opens the SDK and mirrors it into signals. Needs no network once the app is installed. */
export async function openClient(): Promise<void> {
  // The roots come from the service worker's precache; before it is installed, from the server of the page.
  const roots = async () => (await fetch('/roots.json')).json();
  holdfast = await openHoldfast({ origin: location.origin, roots });
  mirror();
  holdfast.subscribe(follow);
  // Time passes without events: documents end and renewals fall due.
  setInterval(follow, 15_000);
  document.addEventListener('visibilitychange', follow);
  effect(() => recallNotices(userId.value, holdfast));
  void passkeySupport().then((answer) => {
    support.value = answer;
  });
}

/** Whether a feature may be used at this very moment. */
export function may(feature: string): boolean {
  return holdfast.has(feature);
}

export function createAccount(name: string): Promise<boolean> {
  return enter('register', () => holdfast.register(name));
}

/** Creates a passkey for the account of a one-time link. */
export function enrol(code: string): Promise<boolean> {
  return enter('enrol', () => comeBack(code));
}

/** Creates a passkey for the account of a recovery code that the user typed. */
export function recover(code: string): Promise<boolean> {
  return enter('recover', () => comeBack(code));
}

/** Signs in. On a signed-in device, links it again if necessary. */
export function signIn(): Promise<boolean> {
  return enter('sign-in', () => prove());
}

/** Offers the user's passkeys in the visible form's autofill until one signs in or `signal` ends it. Never rejects. */
export async function offerAutofill(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await prove({ mediation: 'conditional', signal });
      keepStorage();
      return;
    } catch (error) {
      if (error instanceof HoldfastError && unasked.has(error.code)) return;
      await tell('sign-in', error);
      // Signed in but not linked: the account page offers the remedy.
      if (holdfast.user) {
        go({ at: 'account' }, true);
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, breath));
  }
}

/**
 * Returns the live session, which manages the user's passkeys, sessions and devices. Rejects if it is over or another
 * user's.
 */
export async function requireSession(): Promise<Session> {
  const session = userId.value === null ? null : await holdfast.session();
  if (session === null || session.user.id !== userId.value) throw new HoldfastError('unauthenticated');
  return session;
}

/**
 * Runs `work` in the session. If it requires recent authentication, the page asks for a tap of one of the user's own
 * passkeys, after which `work` continues automatically.
 */
export async function confirmed<T>(session: Session, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'reauthentication_required') throw error;
  }
  const go = await new Promise<boolean>((answer) => {
    confirming.value = answer;
  });
  confirming.value = null;
  if (!go) throw new HoldfastError('cancelled');
  await session.confirm();
  void askNotices(session.user.id, holdfast);
  return work();
}

/** Links this device and replaces another one. */
export function replaceDevice(id: string): Promise<boolean> {
  return attempt('link', async () => {
    await holdfast.link({ replaces: id });
    return good(t('This device is linked.'));
  });
}

/** Locks all tabs until the user opens them with a passkey. */
export function lock(): Promise<boolean> {
  return attempt('lock', async () => {
    await holdfast.lock();
    return null;
  });
}

/**
 * As {@link attempt}. Once a user is signed in, asks the browser for persistent storage to keep the notes and the device's
 * key.
 */
async function enter(action: Action, work: () => Promise<unknown>): Promise<boolean> {
  const entered = await attempt(action, async () => {
    await work();
    return null;
  });
  if (entered) keepStorage();
  return entered;
}

/** Signs in, and asks for security notices in the background. */
async function prove(options?: SignInOptions): Promise<void> {
  const { id } = await holdfast.signIn(options);
  void askNotices(id, holdfast);
}

/** The same with a one-time code: the user should see earlier uses of such codes as well. */
async function comeBack(code: string): Promise<void> {
  const { id } = await holdfast.enrol(code);
  void askNotices(id, holdfast);
}

function keepStorage(): void {
  navigator.storage?.persist?.().catch(() => {});
}

/** The message of {@link attempt}'s work when done; null: the resulting page says enough. */
export type Said = Omit<Outcome, 'action'> | null;

export const good = (text: string): Said => ({ good: true, text });
export const bad = (text: string): Said => ({ good: false, text });

/** Runs one action of the user at a time and reports its outcome. True: nothing failed. */
export async function attempt(action: Action, work: () => Promise<Said>): Promise<boolean> {
  if (busy.value !== null) return false;
  const before = user.value?.id;
  batch(() => {
    busy.value = action;
    outcome.value = null;
    replaceable.value = [];
  });
  const noticed = setTimeout(() => {
    waiting.value = action;
  }, noticeable);
  try {
    const said = await work();
    outcome.value = said && { action, ...said };
    return true;
  } catch (error) {
    await tell(action, error);
    return false;
  } finally {
    clearTimeout(noticed);
    batch(() => {
      busy.value = null;
      waiting.value = null;
      mirror();
    });
    // Signed in, but a later step failed: the account page says which and offers the remedy.
    if (outcome.value?.good === false && user.value && user.value.id !== before && !locked.value)
      go({ at: 'account' }, true);
  }
}

/** Reports why an action failed. */
async function tell(action: Action, error: unknown): Promise<void> {
  // Its words are a part of the app that most visits never need.
  const words = await import('./words/failure.ts').catch(() => null);
  if (!words || !(error instanceof HoldfastError)) {
    console.error(error);
    const text = t('That did not work, and this app does not know why. Reload the page.');
    outcome.value = { action, good: false, text };
    return;
  }
  const text = words.failure(error.code, action, error.retryAfter);
  const signIn = mendedBySigningIn.has(error.code);
  batch(() => {
    outcome.value = { action, good: error.code === 'cancelled', text, signIn };
    replaceable.value = error.devices;
  });
}

/** Mirrors changes from the SDK, and clears messages about the previous state. */
function follow(): void {
  const { state } = entitlement.value;
  batch(() => {
    mirror();
    if (busy.value !== null || entitlement.value.state === state) return;
    if (outcome.value && ofTheState.has(outcome.value.action)) outcome.value = null;
  });
}

function mirror(): void {
  // Signing in has several steps that the SDK announces one by one; the page changes once, at the end. A lock applies at
  // once, since a prompt may stay open for minutes.
  if (busy.value !== null && entering.has(busy.value)) {
    if (holdfast.locked) locked.value = true;
    return;
  }
  batch(() => {
    now.value = new Date();
    user.value = holdfast.user;
    device.value = holdfast.device;
    locked.value = holdfast.locked;
    lockOptions.value = holdfast.lockOptions;
    storage.value = holdfast.storage;
    reached.value = holdfast.reached;
    entitlement.value = holdfast.entitlement;
  });
}
