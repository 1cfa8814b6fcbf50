import { isObject } from './strict-json.ts';

/**
 * One of the user's installations of the app. The session lists them, and so does the error when the plan's device limit is
 * reached.
 *
 * @example
 * const choices = error.devices.map((device) => `${device.name}, since ${device.linkedAt.toLocaleDateString()}`);
 */
export interface LinkedDevice {
  /** UUID, for `hf.link({ replaces })`. */
  readonly id: string;
  readonly name: string;
  readonly linkedAt: Date;
  /** null: never. */
  readonly lastReconciledAt: Date | null;
  /** When a removed or copied device stops counting against the limit; null: it is linked. */
  readonly freesUpAt: Date | null;
  /** Whether `hf.link({ replaces })` with this device would succeed now. */
  readonly replaceable: boolean;
}

/** Reads one entry of `devices`; null if it is not one. */
export function readLinkedDevice(value: unknown): LinkedDevice | null {
  if (!isObject(value) || typeof value.id !== 'string') return null;
  const { id, name, linked_at, last_reconciled_at, frees_up_at, replaceable } = value;
  return {
    id,
    name: String(name),
    linkedAt: new Date(String(linked_at)),
    lastReconciledAt: date(last_reconciled_at),
    freesUpAt: date(frees_up_at),
    replaceable: replaceable !== false,
  };
}

const date = (value: unknown) => (value ? new Date(String(value)) : null);

/** Reads the `devices` of a problem document; anything else counts as an empty list. */
export function readLinkedDevices(value: unknown): LinkedDevice[] {
  return Array.isArray(value) ? value.map(readLinkedDevice).filter((device) => device !== null) : [];
}
