import { HoldfastError, type OpenSession, type Passkey, type Session } from '@holdfast/client';
import { effect, signal } from '@preact/signals';
import { attempt, confirmed, good, requireSession, type Said, userId } from './client.ts';
import { download } from './download.ts';
import { wipeBook } from './notes/book.ts';
import { forgetNotices } from './notices.ts';
import { go } from './route.ts';
import { forgetTrial } from './trial.ts';
import type { Action } from './words/failure.ts';

/** How the user's account can be entered, and who has. */
export interface Security {
  readonly passkeys: readonly Passkey[];
  readonly sessions: readonly OpenSession[];
  readonly codes: { readonly left: number; readonly createdAt: Date | null };
}

/** That, or why it is not known. */
export const security = signal<Security | 'not asked' | 'out of reach' | 'session over'>('not asked');

/** Recovery codes that were just made, until they are put away: the server tells them once. */
export const newCodes = signal<readonly string[] | null>(null);

/** Only the newest question's answer counts. */
let asked = 0;

/** Brings {@link security} up to date. Never rejects. What is shown stays while another answer cannot be had. */
export async function askSecurity(): Promise<void> {
  const question = ++asked;
  const answer = await read().catch((error: unknown) =>
    error instanceof HoldfastError && error.code === 'unauthenticated' ? 'session over' : 'out of reach',
  );
  if (question !== asked || (answer === 'out of reach' && typeof security.peek() === 'object')) return;
  security.value = answer;
}

export function forgetSecurity(): void {
  asked++;
  security.value = 'not asked';
}

// The next one to see the page may be another user.
effect(() => {
  userId.value;
  forgetSecurity();
  newCodes.value = null;
});

export function addPasskey(): Promise<boolean> {
  return change('add-passkey', async (session) => {
    await confirmed(session, () => session.addPasskey());
    return good('The passkey is added. Give it a name that you know it by.');
  });
}

export function renamePasskey({ id }: Passkey, name: string): Promise<boolean> {
  return change('rename-passkey', async (session) => {
    await confirmed(session, () => session.renamePasskey(id, name));
    return null;
  });
}

/** With `endSessions`, whoever came in with it is out, too. */
export function deletePasskey({ id, name }: Passkey, endSessions: boolean): Promise<boolean> {
  return change('delete-passkey', async (session) => {
    await confirmed(session, () => session.deletePasskey(id, { endSessions }));
    return good(`${name} is deleted.`);
  });
}

export function endSession({ id }: OpenSession): Promise<boolean> {
  return change('end-session', async (session) => {
    // Over already is as good as ended.
    await confirmed(session, () => session.endSession(id)).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'not_found') throw error;
    });
    return good('The session is ended.');
  });
}

export function endOtherSessions(): Promise<boolean> {
  return change('end-session', async (session) => {
    await confirmed(session, () => session.endOtherSessions());
    return good('All other sessions are ended.');
  });
}

export function makeRecoveryCodes(): Promise<boolean> {
  return change('recovery-codes', async (session) => {
    const codes = await confirmed(session, () => session.createRecoveryCodes());
    if (userId.peek() === session.user.id) newCodes.value = codes;
    return null;
  });
}

/** All that the server holds of the user, as a file. */
export function downloadData(): Promise<boolean> {
  return change('download-data', async (session) => {
    const data = await confirmed(session, () => session.exportAccount());
    const file = new Blob([JSON.stringify(data, null, 2)], { type: 'application/json' });
    download(file, `fieldbook-account-${new Date().toISOString().slice(0, 10)}.json`);
    return good('All data is downloaded.');
  });
}

/** Deletes the account, and then the notes in this browser, which nobody could open any more. */
export function deleteAccount(): Promise<boolean> {
  return attempt('delete-account', async () => {
    const session = await requireSession();
    await confirmed(session, () => session.deleteAccount());
    forgetTrial(session.user.id);
    forgetNotices();
    go({ at: 'list' }, true);
    return wipeBook(session.user.id).then(
      () => good('Your account is deleted.'),
      () => ({
        good: false,
        text: "Your account is deleted, but this browser's storage does not work: clear this page's data to delete the notes.",
      }),
    );
  });
}

async function read(): Promise<Security> {
  const session = await requireSession();
  const [passkeys, sessions, codes] = await Promise.all([
    session.passkeys(),
    session.sessions(),
    session.recoveryCodes(),
  ]);
  return { passkeys, sessions, codes };
}

/** Does something in the live session, and shows what came of it. */
function change(action: Action, work: (session: Session) => Promise<Said>): Promise<boolean> {
  return attempt(action, async () => {
    try {
      return await work(await requireSession());
    } finally {
      await askSecurity();
    }
  });
}
