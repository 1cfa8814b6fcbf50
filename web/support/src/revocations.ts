import { signal } from '@preact/signals';
import type { Holder, Revocation } from './shapes.ts';
import { follow } from './words/revocation.ts';

/** What a revoke or a suspension has reached so far. */
export interface Followed {
  /** When the subscription was changed last: after a later change, it is another revoke. */
  readonly since: string;
  /** The revision that it led to: whoever has been given a document of it has been told. */
  readonly revision: number;
  readonly devices: readonly Holder[];
}

/** By subscription. What was learnt stays while the page does: the server leaves out what has ended. */
const followed = signal<ReadonlyMap<string, Followed>>(new Map());

export function reachOf(subscription: string): Followed | undefined {
  return followed.value.get(subscription);
}

/** Takes the answer to the revoke itself: from here its revision is known. */
export function begin(answer: Revocation): void {
  const { subscription, revision, devices } = answer;
  put(subscription.id, { since: subscription.updated_at, revision, devices });
}

/**
 * Takes a later answer. Of a revoke that was made elsewhere, only a later revision is known: it may be said too late that a
 * device was told, never too early.
 */
export function goOn(answer: Revocation): void {
  const known = followed.peek().get(answer.subscription.id);
  if (known?.since !== answer.subscription.updated_at) begin(answer);
  else put(answer.subscription.id, { ...known, devices: follow(known.devices, answer) });
}

/** It is reinstated: another revoke is another one. */
export function end(subscription: string): void {
  const rest = new Map(followed.peek());
  rest.delete(subscription);
  followed.value = rest;
}

function put(subscription: string, reach: Followed): void {
  followed.value = new Map(followed.peek()).set(subscription, reach);
}
