import { HoldfastError, type OpenSession, type Passkey, type Session } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { effect, signal } from '@preact/signals';
import { attempt, confirmed, good, requireSession, type Said, userId } from './client.ts';
import { download } from './download.ts';
import { wipeBook } from './notes/book.ts';
import { forgetNotices } from './notices.ts';
import { go } from './route.ts';
import { securityKey } from './told.ts';
import { forgetTrial } from './trial.ts';
import type { Action } from './words/failure.ts';

/** The user's passkeys, recovery codes and sessions. */
export interface Security {
  readonly passkeys: readonly Passkey[];
  readonly sessions: readonly OpenSession[];
  readonly codes: { readonly left: number; readonly createdAt: Date | null };
}

/** The last answer of the server, for pages without contact. */
export interface Remembered extends Security {
  readonly at: Date;
}

/** Recalls this user's lists as of the last contact; null: never seen in this browser. */
export function remembered(): Remembered | null {
  try {
    const dated = (name: string, value: unknown) => (/^at$|At$/.test(name) && value ? new Date(String(value)) : value);
    const { user, ...lists } = JSON.parse(localStorage.getItem(securityKey) ?? 'null', dated);
    return user === userId.peek() ? lists : null;
  } catch {
    return null;
  }
}

function remember(lists: Security): void {
  try {
    localStorage.setItem(securityKey, JSON.stringify({ user: userId.peek(), at: new Date(), ...lists }));
  } catch {
    // Without storage, the page says less while the server is out of reach.
  }
}

/** The same, or why it is unknown. */
export const security = signal<Security | 'not asked' | 'out of reach' | 'session over'>('not asked');

/** New recovery codes, until dismissed: the server returns them only once. */
export const newCodes = signal<readonly string[] | null>(null);

/** Only the answer to the latest request counts. */
let asked = 0;

/** Refreshes {@link security}. Never rejects. A failed refresh keeps the data shown. */
export async function askSecurity(): Promise<void> {
  const question = ++asked;
  const answer = await read().catch((error: unknown) =>
    error instanceof HoldfastError && error.code === 'unauthenticated' ? 'session over' : 'out of reach',
  );
  if (question !== asked || (answer === 'out of reach' && typeof security.peek() === 'object')) return;
  security.value = answer;
  if (typeof answer === 'object') remember(answer);
}

export function forgetSecurity(): void {
  asked++;
  security.value = 'not asked';
}

// The page may have another user next.
effect(() => {
  userId.value;
  forgetSecurity();
  newCodes.value = null;
});

export function addPasskey(): Promise<boolean> {
  return change('add-passkey', async (session) => {
    await confirmed(session, () => session.addPasskey());
    return good(t('The passkey is added. Give it a name that you know it by.'));
  });
}

export function renamePasskey({ id }: Passkey, name: string): Promise<boolean> {
  return change('rename-passkey', async (session) => {
    await confirmed(session, () => session.renamePasskey(id, name));
    return null;
  });
}

/** With `endSessions`, also ends the sessions that the passkey opened. */
export function deletePasskey({ id, name }: Passkey, endSessions: boolean): Promise<boolean> {
  return change('delete-passkey', async (session) => {
    await confirmed(session, () => session.deletePasskey(id, { endSessions }));
    return good(t('{name} is deleted.', { name }));
  });
}

export function endSession({ id }: OpenSession): Promise<boolean> {
  return change('end-session', async (session) => {
    // A session that is already over counts as ended.
    await confirmed(session, () => session.endSession(id)).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'not_found') throw error;
    });
    return good(t('The session is ended.'));
  });
}

export function endOtherSessions(): Promise<boolean> {
  return change('end-session', async (session) => {
    await confirmed(session, () => session.endOtherSessions());
    return good(t('All other sessions are ended.'));
  });
}

export function makeRecoveryCodes(): Promise<boolean> {
  return change('recovery-codes', async (session) => {
    const codes = await confirmed(session, () => session.createRecoveryCodes());
    if (userId.peek() === session.user.id) newCodes.value = codes;
    return null;
  });
}

/** Downloads all of the server's data on the user. */
export function downloadData(): Promise<boolean> {
  return change('download-data', async (session) => {
    const data = await confirmed(session, () => session.exportAccount());
    const file = new Blob([JSON.stringify(data, null, 2)], { type: 'application/json' });
    download(file, `fieldbook-account-${new Date().toISOString().slice(0, 10)}.json`);
    return good(t('All data is downloaded.'));
  });
}

/** Deletes the account, then the notes in this browser, which nobody could open any more. */
export function deleteAccount(): Promise<boolean> {
  return attempt('delete-account', async () => {
    const session = await requireSession();
    await confirmed(session, () => session.deleteAccount());
    forgetTrial(session.user.id);
    forgetNotices();
    go({ at: 'list' }, true);
    return wipeBook(session.user.id).then(
      () => good(t('Your account is deleted.')),
      () => ({
        good: false,
        text: t(
          "Your account is deleted, but this browser's storage does not work: clear this page's data to delete the notes.",
        ),
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

/** Runs an action in the live session and shows the result. */
function change(action: Action, work: (session: Session) => Promise<Said>): Promise<boolean> {
  return attempt(action, async () => {
    try {
      return await work(await requireSession());
    } finally {
      await askSecurity();
    }
  });
}
