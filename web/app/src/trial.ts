import { signal } from '@preact/signals';

const key = 'fieldbook-trials-had';

/** The ids of users who have had their trial, which is final once the server has said so. */
const had = signal<ReadonlySet<string>>(new Set(read()));

/** Whether the server offers trials. An operator may change that, so a new page asks again. */
const available = signal(true);

/** Whether a trial is worth offering to this user. */
export function trialOffered(user: string): boolean {
  return available.value && !had.value.has(user);
}

export function trialHad(user: string): void {
  keep(new Set([...read(), ...had.value, user]));
}

/** Forgets this user on this device. */
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
    // Without storage, the server will say so again.
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
