import type { LinkedDevice } from '@holdfast/client';
import { now } from '../client.ts';
import { aboutDevice } from '../words/device.ts';

/** Identifies another device to the user: its name, when it was linked, and when it was last seen. */
export function DeviceWords({ device, name }: { device: LinkedDevice; name: string }) {
  return (
    <span>
      <strong>{name}</strong>
      <small>{aboutDevice(device, now.value)}</small>
    </span>
  );
}
