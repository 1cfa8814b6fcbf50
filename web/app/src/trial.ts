import { signal } from '@preact/signals';

const key = 'fieldbook-trials-had';

/** The ids of users who have had their trial, which is final once the server has said so. */
const had = signal<ReadonlySet<string>>(new Set(read()));

/** How long the trial on offer lasts, in milliseconds; 0: none is offered; null: the server has not said. */
export const trialLength = signal<number | null>(null);

/** Asks the server what trial it offers, which its operator may change. Never rejects. */
export async function askTrial(): Promise<void> {
  try {
    const { seconds } = await (await fetch('/v1/trial', { signal: AbortSignal.timeout(15_000) })).json();
    if (typeof seconds === 'number' && seconds >= 0) trialLength.value = seconds * 1000;
  } catch {
    // No contact.
  }
}

/** Whether a trial is worth offering to this user. */
export function trialOffered(user: string): boolean {
  return trialLength.value !== 0 && !had.value.has(user);
}

export function trialHad(user: string): void {
  keep(new Set([...read(), ...had.value, user]));
}

/** Forgets this user on this device. */
export function forgetTrial(user: string): void {
  keep(new Set([...read()].filter((other) => other !== user)));
}

export function noTrialHere(): void {
  trialLength.value = 0;
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
