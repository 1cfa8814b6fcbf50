import type { Holdfast, Notice } from '@holdfast/client';
import { signal } from '@preact/signals';

const key = 'fieldbook-notices';

/** What has happened to the account and its user has not read yet. It stays over reloads, until it is dismissed. */
export const notices = signal<readonly Notice[]>([]);

interface Kept {
  readonly user: string;
  /** Whether the server has answered since the last sign-in. */
  readonly asked: boolean;
  readonly notices: readonly Notice[];
}

/** The user that is being asked about. */
let asking: string | null = null;

/** Asks what the user should hear of after a sign-in; what cannot be asked now is when the page is opened again. Never rejects. */
export async function askNotices(user: string, holdfast: Holdfast): Promise<void> {
  asking = user;
  const unread = read(user)?.notices ?? [];
  keep({ user, asked: false, notices: unread });
  try {
    const session = await holdfast.session();
    // Who has left meanwhile is told at the next sign-in.
    if (session?.user.id !== user || holdfast.user?.id !== user) return;
    const name = ({ code, at, passkey }: Notice) => `${code} ${at.toJSON()} ${passkey}`;
    const known = new Map([...session.notices, ...unread].map((notice) => [name(notice), notice]));
    keep({ user, asked: true, notices: [...known.values()] });
  } catch {
    // No contact.
  } finally {
    asking = null;
  }
}

/** Brings back what this user has not read in an earlier page. */
export function recallNotices(user: string | null, holdfast: Holdfast): void {
  const kept = user === null ? null : read(user);
  notices.value = kept?.notices ?? [];
  if (kept && !kept.asked && asking !== kept.user) void askNotices(kept.user, holdfast);
}

/** They are read, or their reader leaves. */
export function forgetNotices(): void {
  notices.value = [];
  try {
    localStorage.removeItem(key);
  } catch {
    // Then nothing is kept there either.
  }
}

function keep(kept: Kept): void {
  notices.value = kept.notices;
  try {
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // They are seen in this page alone.
  }
}

function read(user: string): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? 'null');
    if (kept?.user !== user) return null;
    return { ...kept, notices: kept.notices.map((notice: Notice) => ({ ...notice, at: new Date(notice.at) })) };
  } catch {
    return null;
  }
}
