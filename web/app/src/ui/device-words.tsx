import type { LinkedDevice } from '@holdfast/client';
import { now } from '../client.ts';
import { aboutDevice } from '../words/device.ts';

/** By what people recognise one of their other devices: its name, since when it is linked, and when it was last heard of. */
export function DeviceWords({ device, name }: { device: LinkedDevice; name: string }) {
  return (
    <span>
      <strong>{name}</strong>
      <small>{aboutDevice(device, now.value)}</small>
    </span>
  );
}
