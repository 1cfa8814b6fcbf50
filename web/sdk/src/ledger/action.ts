import { isObject } from '../base/strict-json.ts';
import { isCount } from '../verify/claims.ts';

/**
 * An act of the user's that is accepted, or was, from any of their devices.
 *
 * @example
 * for await (const action of ledger.actions()) if (!action.own) apply(action.payload);
 */
export interface Action {
  /** Its place in the server's order, which all devices see alike. */
  readonly position: number;
  /** The device that recorded it, and its number in that device's chain. */
  readonly device: string;
  readonly seq: number;
  /** Whether this installation recorded it. */
  readonly own: boolean;
  /** When it was recorded, by that device's clock, which may be wrong: order by `position`. */
  readonly at: Date;
  readonly feature: string;
  readonly action: string;
  readonly payload: unknown;
  /** Superseded: it was accepted, and support or the host has taken that back. */
  readonly verdict: 'accepted' | 'superseded';
  /** When the server received it. */
  readonly receivedAt: Date;
}

/** Reads one action of an answer; null if it is not one. */
export function readAction(value: unknown, devices: readonly string[]): Action | null {
  if (!isObject(value)) return null;
  const { position, device, seq, at, feature, action, payload, received_at } = value;
  const sound = isCount(position) && typeof device === 'string' && isCount(seq) && isCount(at);
  if (!sound || typeof feature !== 'string' || typeof action !== 'string') return null;
  const own = devices.includes(device);
  const verdict = value.verdict === 'superseded' ? 'superseded' : 'accepted';
  const receivedAt = new Date(String(received_at));
  return { position, device, seq, own, at: new Date(at * 1000), feature, action, payload, verdict, receivedAt };
}
