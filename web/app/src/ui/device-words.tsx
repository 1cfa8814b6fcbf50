import type { LinkedDevice } from '@holdfast/client';
import { now } from '../client.ts';
import { inWords } from '../when.ts';

/** By what people recognise one of their other devices: its name, and when it was last heard of. */
export function DeviceWords({ device: { name, linkedAt, lastReconciledAt } }: { device: LinkedDevice }) {
  return (
    <span>
      <strong>{name}</strong>
      <small>
        {lastReconciledAt
          ? `Last seen ${inWords(lastReconciledAt, now.value)}`
          : `Linked ${inWords(linkedAt, now.value)}`}
      </small>
    </span>
  );
}
