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
  type ReconcileResult,
  type Session,
  type SignInOptions,
  type StorageHealth,
  type User,
} from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { batch, computed, effect, signal } from '@preact/signals';
import { wipeBook } from './notes/book.ts';
import { askNotices, forgetNotices, recallNotices } from './notices.ts';
import { reached } from './reached.ts';
import { go } from './route.ts';
import { forgetTrial, noTrialHere, trialHad } from './trial.ts';
import { lookForUpdate } from './update.ts';
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

let holdfast: Holdfast;

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

export function startTrial(): Promise<boolean> {
  const asker = user.value?.id ?? '';
  return attempt('trial', async () => {
    try {
      await confirmed(await requireSession(), () => holdfast.startTrial());
      trialHad(asker);
      return good(t('Premium is on. Enjoy the trial.'));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'conflict') {
        trialHad(asker);
        return bad(t('This account has had its trial already.'));
      }
      if (error.code === 'not_found') {
        noTrialHere();
        return bad(t('There is no trial here.'));
      }
      throw error;
    }
  });
}

/** Locks all tabs until the user opens them with a passkey. */
export function lock(): Promise<boolean> {
  return attempt('lock', async () => {
    await holdfast.lock();
    return null;
  });
}

/** Unlocks this tab with a passkey, also offline. */
export function unlock(): Promise<boolean> {
  return attempt('unlock', async () => {
    await holdfast.unlock();
    return null;
  });
}

/** Sets when the app locks automatically. */
export function setLock(options: LockOptions): Promise<boolean> {
  return attempt('lock', async () => {
    await holdfast.setLock(options);
    return null;
  });
}

/** Reconciles with the server. */
export function checkNow(): Promise<boolean> {
  return attempt('check', async () => verdict(await holdfast.reconcile()));
}

/**
 * Signs out on this device; with `wipe`, the notes are deleted first, so that nobody is signed out with their notes still
 * there.
 */
export function signOut(wipe: boolean): Promise<boolean> {
  const leaving = user.value?.id;
  return attempt('sign-out', async () => {
    if (wipe && leaving) {
      await wipeBook(leaving).catch((cause: unknown) => {
        throw new HoldfastError('storage_unavailable', undefined, { cause });
      });
      forgetTrial(leaving);
    }
    forgetNotices();
    const told = await holdfast.signOut();
    go({ at: 'list' }, true);
    const said = [
      wipe && t('Your notes are erased from this browser.'),
      !told && t('You are signed out here. The server hears of it at the next contact, or when you sign in again.'),
    ].filter(Boolean);
    return said.length > 0 ? good(said.join(' ')) : null;
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
const bad = (text: string): Said => ({ good: false, text });

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

function verdict(result: ReconcileResult): Said {
  switch (result.outcome) {
    case 'reconciled':
    case 'superseded':
    case 'forked':
      return good(t('Up to date.'));
    case 'no_contact':
      return bad(t('The server cannot be reached right now. What you have keeps working.'));
    case 'sign_in_needed':
    case 'signed_out':
      return { good: false, text: t('The server does not know this device. Sign in with your passkey.'), signIn: true };
    case 'refused':
      if (result.code === 'root_unknown' || result.code === 'key_unknown') {
        lookForUpdate().catch(() => {}); // server not reached or no worker: a reload checks too
        return bad(
          t(
            'This version of Fieldbook does not know the keys of this server ({code}). Reload when a new one is offered.',
            { code: result.code },
          ),
        );
      }
      return bad(t('The answer was not taken: it does not prove itself ({code}).', { code: result.code }));
    case 'storage_unavailable':
      return bad(
        holdfast.storage === 'full'
          ? t(
              "The answer could not be kept: this browser's storage is full. Free some space on this device, then check again.",
            )
          : t('The answer could not be kept: the disk may be full, or site data blocked for this page.'),
      );
  }
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
