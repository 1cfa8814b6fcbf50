import { signal } from '@preact/signals';

const key = 'fieldbook-trials-had';

/** Ids of the users who have had their trial, as the server said once, which is final. */
const had = signal<ReadonlySet<string>>(new Set(read()));

/** Whether the server has trials at all; an operator may change that, so it is asked again when the page is opened anew. */
const available = signal(true);

/** Whether a trial is worth offering to this user. */
export function trialOffered(user: string): boolean {
  return available.value && !had.value.has(user);
}

export function trialHad(user: string): void {
  keep(new Set([...read(), ...had.value, user]));
}

/** Nothing of this user stays on this device. */
export function forgetTrial(user: string): void {
  keep(new Set([...read()].filter((other) => other !== user)));
}

export function noTrialHere(): void {
  available.value = false;
}

function keep(users: ReadonlySet<string>): void {
  had.value = users;
  try {
    localStorage.setItem(key, JSON.stringify([...users]));
  } catch {
    // The server will say it again.
  }
}

function read(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(stored) ? stored.filter((user) => typeof user === 'string') : [];
  } catch {
    return [];
  }
}
