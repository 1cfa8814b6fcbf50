import { isObject } from '../base/strict-json.ts';
import type { LedgerRecord } from '../storage/ledger-record.ts';
import type { Held } from '../storage/store.ts';
import { isCount } from '../verify/claims.ts';

/**
 * The knowledge of the acts of the user and device that storage holds. A damaged record, or that of another user, counts
 * as missing. A newly linked device begins a chain of its own.
 */
export function readRecord({ user, device, ledger }: Held): LedgerRecord {
  const [userId, id] = [user?.id ?? '', device?.id ?? ''];
  const chain = { device: id, seq: 0, hash: null, waiting: {} };
  if (!isSound(ledger) || ledger.user !== userId) {
    return { user: userId, ...chain, accepted: {}, devices: [id], cursor: 0 };
  }
  return ledger.device === id ? ledger : { ...ledger, ...chain, devices: [...ledger.devices, id] };
}

function isSound(record: unknown): record is LedgerRecord {
  if (!isObject(record) || !isCount(record.seq) || !isCount(record.cursor)) return false;
  return isObject(record.waiting) && isObject(record.accepted) && Array.isArray(record.devices);
}

/** The numbers of a feature's acts, changed by `by`. */
export function count(counts: Readonly<Record<string, number>>, feature: string, by: 1 | -1) {
  return { ...counts, [feature]: Math.max(0, countOf(counts, feature) + by) };
}

export function countOf(counts: Readonly<Record<string, number>>, feature: string): number {
  return Object.hasOwn(counts, feature) ? (counts[feature] ?? 0) : 0;
}

/** The number of acts over all features. */
export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** The range of all keys that begin with these parts. */
export function allOf(...parts: (string | number)[]): IDBKeyRange {
  return IDBKeyRange.bound(parts, [...parts, []]);
}
