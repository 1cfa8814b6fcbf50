import type { Holder, Revocation } from '@holdfast/api';
import { signal } from '@preact/signals';
import { follow } from './words/revocation.ts';

/** The progress of a revoke or a suspension. */
export interface Followed {
  /** When the subscription was last changed: after a later change, it is another revoke. */
  readonly since: string;
  /** The resulting revision: a device with a document of that revision has been told. */
  readonly revision: number;
  readonly devices: readonly Holder[];
}

/**
 * The revocations by subscription. Entries stay while the page is open, since the server omits devices whose documents have
 * ended.
 */
const followed = signal<ReadonlyMap<string, Followed>>(new Map());

export function reachOf(subscription: string): Followed | undefined {
  return followed.value.get(subscription);
}

/** Takes the answer to the revoke itself, which gives its revision. */
export function begin(answer: Revocation): void {
  const { subscription, revision, devices } = answer;
  put(subscription.id, { since: subscription.updated_at, revision, devices });
}

/**
 * Takes a later answer. For a revoke made elsewhere, only a later revision is known, so the page may report too late that a
 * device was told, but never too early.
 */
export function goOn(answer: Revocation): void {
  const known = followed.peek().get(answer.subscription.id);
  if (known?.since !== answer.subscription.updated_at) begin(answer);
  else put(answer.subscription.id, { ...known, devices: follow(known.devices, answer) });
}

/** Forgets a reinstated revoke: the next one is separate. */
export function end(subscription: string): void {
  const rest = new Map(followed.peek());
  rest.delete(subscription);
  followed.value = rest;
}

function put(subscription: string, reach: Followed): void {
  followed.value = new Map(followed.peek()).set(subscription, reach);
}
