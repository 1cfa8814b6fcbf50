import { signal } from '@preact/signals';

const key = 'fieldbook-trials-had';

/** Ids of the users who have had their trial, as the server said once: it says so for ever. */
const had = signal<ReadonlySet<string>>(new Set(read()));

/** Whether the server has trials at all; an operator may change that, so it is asked again when the page is opened anew. */
const available = signal(true);

/** Whether a trial is worth offering to this user. */
export function trialOffered(user: string): boolean {
  return available.value && !had.value.has(user);
}

export function trialHad(user: string): void {
  had.value = new Set([...read(), ...had.value, user]);
  try {
    localStorage.setItem(key, JSON.stringify([...had.value]));
  } catch {
    // The server will say it again.
  }
}

export function noTrialHere(): void {
  available.value = false;
}

function read(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(stored) ? stored.filter((user) => typeof user === 'string') : [];
  } catch {
    return [];
  }
}
