import { isObject } from './strict-json.ts';

/**
 * One installation of the app that belongs to the user, as the session lists them, and an error when the plan's device limit is
 * reached.
 *
 * @example
 * const choices = error.devices.map((device) => `${device.name}, since ${device.linkedAt.toLocaleDateString()}`);
 */
export interface LinkedDevice {
  /** UUID; what `hf.link({ replaces })` takes. */
  readonly id: string;
  readonly name: string;
  readonly linkedAt: Date;
  /** null: it never reconciled. */
  readonly lastReconciledAt: Date | null;
}

/** Reads one entry of `devices`; null if it is none. */
export function readLinkedDevice(value: unknown): LinkedDevice | null {
  if (!isObject(value) || typeof value.id !== 'string') return null;
  const { id, name, linked_at, last_reconciled_at } = value;
  return {
    id,
    name: String(name),
    linkedAt: new Date(String(linked_at)),
    lastReconciledAt: last_reconciled_at ? new Date(String(last_reconciled_at)) : null,
  };
}

/** Reads the `devices` of a problem document; what is not such a list is an empty one. */
export function readLinkedDevices(value: unknown): LinkedDevice[] {
  return Array.isArray(value) ? value.map(readLinkedDevice).filter((device) => device !== null) : [];
}
