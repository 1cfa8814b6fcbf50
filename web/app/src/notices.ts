import type { Holdfast, Notice } from '@holdfast/client';
import { signal } from '@preact/signals';

const key = 'fieldbook-notices';

/** Security notices that the user has not read yet. They survive reloads until dismissed. */
export const notices = signal<readonly Notice[]>([]);

interface Kept {
  readonly user: string;
  /** Whether the server has answered since the last sign-in. */
  readonly asked: boolean;
  readonly notices: readonly Notice[];
}

/** The user whose notices are being fetched. */
let asking: string | null = null;

/** Fetches the notices after a sign-in; if that fails, the next page load tries again. Never rejects. */
export async function askNotices(user: string, holdfast: Holdfast): Promise<void> {
  asking = user;
  const unread = read(user)?.notices ?? [];
  keep({ user, asked: false, notices: unread });
  try {
    const session = await holdfast.session();
    // A user who has left meanwhile sees them at the next sign-in.
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

/** Restores this user's unread notices from an earlier page. */
export function recallNotices(user: string | null, holdfast: Holdfast): void {
  const kept = user === null ? null : read(user);
  notices.value = kept?.notices ?? [];
  if (kept && !kept.asked && asking !== kept.user) void askNotices(kept.user, holdfast);
}

/** Clears the notices: they were read, or their user leaves. */
export function forgetNotices(): void {
  notices.value = [];
  try {
    localStorage.removeItem(key);
  } catch {
    // Without storage there is nothing to delete.
  }
}

function keep(kept: Kept): void {
  notices.value = kept.notices;
  try {
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // Without storage they are shown in this page only.
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
