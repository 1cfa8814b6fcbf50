import {
  type Entitlement,
  type Holdfast,
  HoldfastError,
  type LinkedDevice,
  openHoldfast,
  type ReconcileResult,
  type User,
} from '@holdfast/client';
import { batch, signal } from '@preact/signals';
import { go } from './route.ts';
import { noTrialHere, trialHad } from './trial.ts';
import { type Action, failure } from './words.ts';

/** Who is signed in on this device, offline too. */
export const user = signal<User | null>(null);

/** What they may use now. Set before the app is shown. */
export const entitlement = signal<Entitlement>(undefined as never);

/** Whether the last request found the server; null: none was made yet. */
export const reached = signal<boolean | null>(null);

/** The time that the page's words are about; moves while the page is open. */
export const now = signal(new Date());

/** What the user asked for and is being done, or null. */
export const busy = signal<Action | null>(null);

/** How what the user asked for ended, in words. */
export interface Outcome {
  readonly good: boolean;
  readonly text: string;
  /** A passkey tap is what is missing. */
  readonly signIn?: boolean;
}

export const outcome = signal<Outcome | null>(null);

/** Devices to choose from when the plan's limit is reached; empty: no choice to make. */
export const replaceable = signal<readonly LinkedDevice[]>([]);

const entering: ReadonlySet<Action> = new Set<Action>(['register', 'enrol', 'sign-in']);

let holdfast: Holdfast;

/** Opens the SDK and mirrors it into signals. Needs no network once the app is installed. */
export async function openClient(): Promise<void> {
  holdfast = await openHoldfast({ origin: location.origin, roots: loadRoots, fetch: watchedFetch });
  mirror();
  holdfast.subscribe(mirror);
  // Time passes without events: a document ends, a renewal falls due.
  setInterval(mirror, 15_000);
  document.addEventListener('visibilitychange', mirror);
}

/** Whether a feature may be used at this very moment. */
export function may(feature: string): boolean {
  return holdfast.has(feature);
}

export function createAccount(name: string): Promise<boolean> {
  return enter('register', () => holdfast.register(name));
}

export function enrol(code: string): Promise<boolean> {
  return enter('enrol', () => holdfast.enrol(code));
}

/** Signs in; on a device that is signed in, links it anew if that is what it needs. */
export function signIn(): Promise<boolean> {
  return enter('sign-in', () => holdfast.signIn());
}

/** Links this device in place of another one. */
export function replaceDevice(id: string): Promise<boolean> {
  return attempt('link', () => holdfast.link({ replaces: id }), 'This device is linked.');
}

export function startTrial(): Promise<boolean> {
  const asker = user.value?.id ?? '';
  return attempt(
    'trial',
    async () => {
      try {
        await holdfast.startTrial();
        trialHad(asker);
      } catch (error) {
        if (error instanceof HoldfastError && error.code === 'conflict') {
          trialHad(asker);
          outcome.value = { good: false, text: 'This account has had its trial already.' };
          return;
        }
        if (error instanceof HoldfastError && error.code === 'not_found') {
          noTrialHere();
          outcome.value = { good: false, text: 'There is no trial here.' };
          return;
        }
        throw error;
      }
    },
    'Premium is on. Enjoy the trial.',
  );
}

/** Asks the server for what the user has now. */
export function checkNow(): Promise<boolean> {
  return attempt('check', async () => {
    outcome.value = verdict(await holdfast.reconcile());
  });
}

export function signOut(): Promise<boolean> {
  return attempt('sign-out', async () => {
    const told = await holdfast.signOut();
    go({ at: 'list' }, true);
    if (!told) {
      const text = 'You are signed out here. The server hears of it at the next contact, or when you sign in again.';
      outcome.value = { good: true, text };
    }
  });
}

/** As {@link attempt}. Once somebody is in, their notes and their device's key are worth keeping: the browser is asked to. */
async function enter(action: Action, work: () => Promise<unknown>): Promise<boolean> {
  const entered = await attempt(action, work);
  if (entered) navigator.storage?.persist?.().catch(() => {});
  return entered;
}

/**
 * Runs what the user asked for, one at a time, and says how it ended. True: it was done. With `done`, says so unless
 * `work` has said something itself.
 */
async function attempt(action: Action, work: () => Promise<unknown>, done?: string): Promise<boolean> {
  if (busy.value !== null) return false;
  const before = user.value?.id;
  batch(() => {
    busy.value = action;
    outcome.value = null;
    replaceable.value = [];
  });
  try {
    await work();
    if (done) outcome.value ??= { good: true, text: done };
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError)) {
      console.error(error);
      outcome.value = { good: false, text: 'That did not work, and this app does not know why. Reload the page.' };
      return false;
    }
    const text = failure(error.code, action);
    const signIn = error.code === 'unauthenticated' || error.code === 'reauthentication_required';
    batch(() => {
      outcome.value = text === null ? null : { good: false, text, signIn };
      replaceable.value = error.devices;
    });
    return false;
  } finally {
    busy.value = null;
    mirror();
    // Signed in, but something after that failed: the account page says what, and offers the remedy.
    if (outcome.value?.good === false && user.value && user.value.id !== before) go({ at: 'account' }, true);
  }
}

function verdict(result: ReconcileResult): Outcome {
  switch (result.outcome) {
    case 'reconciled':
    case 'superseded':
    case 'forked':
      return { good: true, text: 'Up to date.' };
    case 'no_contact':
      return { good: false, text: 'The server cannot be reached right now. What you have keeps working.' };
    case 'sign_in_needed':
    case 'signed_out':
      return { good: false, text: 'The server does not know this device. Sign in with your passkey.', signIn: true };
    case 'refused':
      return { good: false, text: `The answer was not taken: it does not prove itself (${result.code}).` };
    case 'storage_unavailable':
      return { good: false, text: "The answer could not be kept: this browser's storage does not work." };
  }
}

function mirror(): void {
  // Entering has several steps, each of which the SDK tells about; the page changes once, at the end.
  if (busy.value !== null && entering.has(busy.value)) return;
  batch(() => {
    now.value = new Date();
    user.value = holdfast.user;
    entitlement.value = holdfast.entitlement;
  });
}

/** The root keys come from the service worker's precache; before it is installed, from the server the page came from. */
async function loadRoots() {
  const answer = await fetch('/roots.json');
  if (!answer.ok) throw new Error(`/roots.json: ${answer.status}`);
  return answer.json();
}

/** Notes in passing whether the SDK's requests find the server. A captive portal's page is no server. */
async function watchedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    const answer = await fetch(input, init);
    const type = answer.headers.get('Content-Type') ?? '';
    reached.value = answer.status < 500 && (answer.status === 204 || /[/+]json\b/.test(type));
    return answer;
  } catch (error) {
    reached.value = false;
    throw error;
  }
}
