import type { AdminSession, Notice, Scope, SignedIn } from '@holdfast/api';
import { HoldfastError } from '@holdfast/client';
import { signal } from '@preact/signals';
import { autofill, redeem, signIn } from './ceremony.ts';
import { call } from './server.ts';

/** The signed-in user according to the server: a staff member, another user, or nobody. */
export type Present = AdminSession | 'stranger' | 'nobody' | 'out of reach' | 'not asked';

export const me = signal<Present>('not asked');

/** Security notices of the user who has just signed in. */
export const notices = signal<readonly Notice[]>([]);

/**
 * The pending callback that waits for the staff member to confirm with a passkey, called with whether to go on; null: none.
 */
export const confirming = signal<((go: boolean) => void) | null>(null);

/** Only the answer to the latest request counts. */
let asked = 0;

/** Refreshes {@link me}. Never rejects. */
export async function askWho(): Promise<void> {
  const question = ++asked;
  const answer = await call<AdminSession>('GET', '/admin/v1/session').catch((error: HoldfastError): Present => {
    switch (error.code) {
      case 'unauthenticated':
      case 'reauthentication_required':
        return 'nobody';
      case 'forbidden':
        return 'stranger';
      default:
        return 'out of reach';
    }
  });
  // Keep the known state while the server cannot be reached.
  if (question === asked && !(answer === 'out of reach' && staff())) me.value = answer;
}

/** The other tabs of this browser, which share the session: notified when somebody signs in or out. */
const tabs = new BroadcastChannel('holdfast-support');

/** Keeps {@link me} current: another tab may have signed out, or another user in. */
export function followSession(): void {
  tabs.addEventListener('message', () => void askWho());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && staff()) void askWho();
  });
  // A page restored from the back/forward cache shows nothing until the user is known.
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    me.value = 'not asked';
    void askWho();
  });
}

/** The staff member who is signed in. */
export function staff(): AdminSession | null {
  return typeof me.value === 'object' ? me.value : null;
}

export function may(scope: Scope): boolean {
  return staff()?.scopes.includes(scope) ?? false;
}

export async function enter(): Promise<void> {
  await entered(await signIn());
}

export async function enterFromAutofill(ended: AbortSignal): Promise<void> {
  await entered(await autofill(ended));
}

export async function enterByLink(code: string): Promise<void> {
  await entered(await redeem(code));
}

async function entered({ notices: unread }: SignedIn): Promise<void> {
  notices.value = unread;
  tabs.postMessage(null);
  await askWho();
}

/** Resets the page, whose next user may be another. */
export async function leave(): Promise<void> {
  await call('DELETE', '/v1/session');
  tabs.postMessage(null);
  asked++;
  history.replaceState(null, '', location.pathname);
  location.reload();
}

/**
 * Runs `work`. If it requires recent authentication, the page asks for a passkey tap, after which `work` continues
 * automatically.
 */
export async function confirmed<T>(work: () => Promise<T>): Promise<T> {
  const asker = staff()?.user?.id;
  try {
    return await work();
  } catch (error) {
    if (!lacksConfirmation(error)) {
      // A role can be revoked while a page is open, which must not keep showing what the role allowed.
      if (error instanceof HoldfastError && error.code === 'forbidden') void askWho();
      throw error;
    }
  }
  const go = await new Promise<boolean>((answer) => {
    confirming.value = answer;
  });
  confirming.value = null;
  if (!go) throw new HoldfastError('cancelled');
  const signedIn = await signIn();
  // A user who has just signed in did not ask for this work.
  if (signedIn.user.id !== asker) {
    await entered(signedIn);
    throw new HoldfastError('cancelled');
  }
  void entered(signedIn);
  return work();
}

/** Reads data for the page. An ended session leads to the sign-in, and from there back to the same page. */
export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  try {
    return await call<T>('GET', path, signal ? { signal } : {});
  } catch (error) {
    if (lacksConfirmation(error)) me.value = 'nobody';
    else if (error instanceof HoldfastError && error.code === 'forbidden') void askWho();
    throw error;
  }
}

function lacksConfirmation(error: unknown): boolean {
  return (
    error instanceof HoldfastError && (error.code === 'reauthentication_required' || error.code === 'unauthenticated')
  );
}
