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
  /** When a device that was removed, or copied, ceases to count against the limit; null: it is linked. */
  readonly freesUpAt: Date | null;
  /** Whether `hf.link({ replaces })` with it would succeed now. */
  readonly replaceable: boolean;
}

/** Reads one entry of `devices`; null if it is none. */
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

/** Reads the `devices` of a problem document; what is not such a list is an empty one. */
export function readLinkedDevices(value: unknown): LinkedDevice[] {
  return Array.isArray(value) ? value.map(readLinkedDevice).filter((device) => device !== null) : [];
}
