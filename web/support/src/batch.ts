import type { Account, ListedUser, Revocation } from '@holdfast/api';
import { HoldfastError } from '@holdfast/client';
import { signal } from '@preact/signals';
import { end } from './revocations.ts';
import { call } from './server.ts';
import { confirmed, staff } from './session.ts';
import { failure } from './words/failure.ts';

/** A subscription of a batch. */
export interface Item {
  readonly subscription: string;
  readonly plan: string;
  readonly user: string;
  readonly name: string;
  /** The end of the last document of it that any device may hold; null: none is left. */
  readonly offlineUntil: string | null;
  /** `waiting` to be revoked, or `undoing`: to be reinstated. */
  readonly state: 'waiting' | 'revoked' | 'undoing' | 'reinstated';
  /** Why the last try failed, in words. */
  readonly failed?: string | null;
}

/** Subscriptions that are revoked, or reinstated, one after the other. */
export interface Batch {
  /** The staff member who began it: nobody else goes on with it. */
  readonly by: string;
  readonly reason: string;
  readonly items: readonly Item[];
}

/** An id that was entered, and why there is nothing to revoke. */
export interface Skipped {
  readonly id: string;
  readonly why: 'unknown' | 'revoked' | 'nothing';
  readonly user?: string;
  readonly name?: string;
}

/** What a list of ids stands for. */
export interface Preview {
  readonly items: readonly Item[];
  readonly skipped: readonly Skipped[];
}

/** The most ids at once. */
export const most = 500;

const place = 'holdfast-batch';

/** The batch of this tab, which survives a reload; null: none. */
export const batch = signal<Batch | null>(restore());

/** Whether it is being worked on now. */
export const running = signal(false);

let stopped = false;

function restore(): Batch | null {
  try {
    return JSON.parse(sessionStorage.getItem(place) ?? 'null') as Batch | null;
  } catch {
    return null;
  }
}

function keep(next: Batch | null): void {
  batch.value = next;
  if (next === null) sessionStorage.removeItem(place);
  else sessionStorage.setItem(place, JSON.stringify(next));
}

/** The ids in a text: one in a line, or separated by commas or spaces; each once. */
export function idsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/u).filter((id) => id !== ''))];
}

/** The number of ids that are looked up at a time. */
const lanes = 4;

/** Looks ids up: of customers, by ours or another system's id, or of subscriptions. Rejects as {@link call} does. */
export async function preview(ids: readonly string[], progress: (done: number) => void): Promise<Preview> {
  const found: Preview[] = [];
  let next = 0;
  let done = 0;
  const lane = async () => {
    while (next < ids.length) {
      const at = next++;
      found[at] = await patiently(() => lookUp(`${ids[at]}`));
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const seen = new Set<string>();
  const items = found
    .flatMap((each) => each.items)
    .filter(({ subscription }) => !seen.has(subscription) && seen.add(subscription));
  return { items, skipped: found.flatMap((each) => each.skipped) };
}

async function lookUp(id: string): Promise<Preview> {
  const { users } = await call<{ users: ListedUser[] }>('GET', `/admin/v1/users?limit=10&q=${encodeURIComponent(id)}`);
  for (const user of users) {
    const account = await call<Account>('GET', `/admin/v1/users/${user.id}`);
    const whole = user.id === id || user.external_id === id;
    const meant = account.subscriptions.filter((each) => whole || each.id === id);
    if (!whole && meant.length === 0) continue;
    const standing = meant.filter((each) => !each.revoked && (each.worth.state !== 'expired' || !whole));
    if (standing.length === 0) {
      const why = meant.some((each) => each.revoked) ? 'revoked' : 'nothing';
      return { items: [], skipped: [{ id, why, user: user.id, name: user.name }] };
    }
    const items = standing.map(async (each): Promise<Item> => {
      const reach = await call<Revocation>('GET', `/admin/v1/subscriptions/${encodeURIComponent(each.id)}/revocation`);
      return {
        subscription: each.id,
        plan: each.plan,
        user: user.id,
        name: user.name,
        offlineUntil: reach.offline_until,
        state: 'waiting',
      };
    });
    return { items: await Promise.all(items), skipped: [] };
  }
  return { items: [], skipped: [{ id, why: 'unknown' }] };
}

/** Begins to revoke. */
export function revokeAll(items: readonly Item[], reason: string): Promise<void> {
  keep({ by: `${staff()?.user?.id}`, reason, items });
  return goOn();
}

/** Begins to reinstate what the batch has revoked. */
export function undoAll(reason: string): Promise<void> {
  const present = batch.peek();
  if (!present) return Promise.resolve();
  const items = present.items.map(
    (item): Item => (item.state === 'revoked' ? { ...item, state: 'undoing', failed: null } : item),
  );
  keep({ ...present, reason, items });
  return goOn();
}

/** Stops after the change that is under way. */
export function stop(): void {
  stopped = true;
}

/** Forgets the batch. What was done stays done. */
export function forget(): void {
  keep(null);
}

const changes = {
  waiting: { verb: 'revoke', next: 'revoked' },
  undoing: { verb: 'reinstate', next: 'reinstated' },
} as const;

/**
 * Makes the changes that are left, one after the other; one that fails is left for another try. A change whose answer was lost
 * can be sent again: the server revokes or reinstates once, and answers the same.
 */
export async function goOn(): Promise<void> {
  if (running.peek()) return;
  running.value = true;
  stopped = false;
  try {
    const { items, reason } = batch.peek() ?? { items: [], reason: '' };
    for (const [index, { state, subscription }] of items.entries()) {
      if (state !== 'waiting' && state !== 'undoing') continue;
      if (stopped) return;
      const { verb, next } = changes[state];
      const path = `/admin/v1/subscriptions/${encodeURIComponent(subscription)}/${verb}`;
      try {
        const send = () => call<Partial<Revocation>>('POST', path, { body: { reason } });
        const answer = await confirmed(() => patiently(send));
        if (state === 'undoing') end(subscription);
        put(index, {
          state: next,
          failed: null,
          ...(answer.offline_until !== undefined && { offlineUntil: answer.offline_until }),
        });
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        // The staff member did not confirm, or the session is another's now: all others would fail alike.
        if (error.code === 'cancelled' || error.code === 'forbidden') return;
        put(index, { failed: failure(error, 'change') });
        if (error.code === 'no_contact') return;
      }
    }
  } finally {
    running.value = false;
  }
}

function put(index: number, change: Partial<Item>): void {
  const present = batch.peek();
  if (present)
    keep({ ...present, items: present.items.map((item, at) => (at === index ? { ...item, ...change } : item)) });
}

/** How often a busy server is asked again. */
const tries = 5;

/** Runs `work`, again after the time that the server names while it is busy. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      const { retryAfter, code } = error as HoldfastError;
      if (tried === tries || retryAfter === undefined || (code !== 'rate_limited' && code !== 'unavailable'))
        throw error;
      await new Promise((resolve) => setTimeout(resolve, retryAfter * 1000));
    }
  }
}
