import { HoldfastError } from '@holdfast/client';
import { explain as askServer } from '@holdfast/client/explanation';
import { computed, effect, signal } from '@preact/signals';
import { entitlement, user } from './client.ts';
import { reached } from './reached.ts';
import type { Told } from './words/standing.ts';

const key = 'fieldbook-told';

/** The user's passkeys and sessions as last seen in this browser (security.ts). */
export const securityKey = 'fieldbook-security';

/** One state of one user that needs an explanation, as text; null: none needed. */
const subject = computed(() => {
  const { state, reason, revision, error } = entitlement.value;
  if (!user.value || revision === null || error !== null) return null;
  if (state !== 'grace' && !['revoked', 'suspended', 'disputed', 'lapsed'].includes(reason ?? '')) return null;
  return `${user.value.id} ${revision} ${state} ${reason}`;
});

interface Kept {
  /** The {@link subject} that it explains. */
  readonly about: string;
  /** A time and an address; unchecked, since it comes from storage. */
  readonly since: unknown;
  readonly help: unknown;
}

const kept = signal<Kept | null>(read());

/** The server's explanation of the document's state, kept from the last contact so that it is available offline. */
export const told = computed((): Told | null => {
  const { about, since, help } = kept.value ?? {};
  if (!about || about !== subject.value) return null;
  const time = new Date(String(since ?? ''));
  const leads = typeof help === 'string' && /^(https|mailto):/.test(help);
  return { since: Number.isNaN(time.getTime()) ? null : time, help: leads ? help : null };
});

/**
 * Asks the server, once per page, since when a state applies and where the user can get help, which the document does not
 * say. Without contact, asks again at the next one. Returns a function that stops it.
 */
export function followStanding(): () => void {
  let asked: string | null = null;
  return effect(() => {
    const [about, away] = [subject.value, reached.value === false]; // read both, so that both are tracked
    if (!user.value) forget(); // the next user of this device must not see it
    if (about === null || about === asked || away) return;
    asked = about;
    void explain(about).catch((error: unknown) => {
      const unheard = reached.peek() === false || (error instanceof HoldfastError && error.code === 'no_contact');
      if (asked === about && unheard) asked = null;
    });
  });
}

async function explain(about: string): Promise<void> {
  const explanation = await askServer({ origin: location.origin });
  if (!explanation) return;
  const { state, reason, revision, since, helpUrl: help } = explanation;
  // It may describe a later state, which the document will show; or another user may have signed in meanwhile.
  if (`${user.peek()?.id} ${revision} ${state} ${reason}` === about) keep({ about, since: since?.toJSON(), help });
}

function forget(): void {
  keep(null);
  try {
    localStorage.removeItem(securityKey);
  } catch {
    // Without storage there is nothing to delete.
  }
}

function keep(next: Kept | null): void {
  kept.value = next;
  try {
    if (next) localStorage.setItem(key, JSON.stringify(next));
    else localStorage.removeItem(key);
  } catch {
    // The next page asks again.
  }
}

function read(): Kept | null {
  try {
    const stored = JSON.parse(localStorage.getItem(key) ?? 'null');
    return typeof stored?.about === 'string' ? stored : null;
  } catch {
    return null;
  }
}
