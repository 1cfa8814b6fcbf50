/**
 * One installation of the app that belongs to the user, as listed when the plan's device limit is reached.
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

/** Reads the `devices` of a problem document; what is not such a list is an empty one. */
export function readLinkedDevices(value: unknown): LinkedDevice[] {
  if (!Array.isArray(value)) return [];
  return value.map((device) => ({
    id: String(device?.id),
    name: String(device?.name),
    linkedAt: new Date(device?.linked_at),
    lastReconciledAt: device?.last_reconciled_at ? new Date(device.last_reconciled_at) : null,
  }));
}
