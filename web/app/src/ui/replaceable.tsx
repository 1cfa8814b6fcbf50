import { now, replaceable, replaceDevice } from '../client.ts';
import { inWords } from '../when.ts';
import { ActionButton } from './action-button.tsx';

/** The choice when the plan's devices are all in use: which one does this device replace? */
export function Replaceable() {
  return (
    <ul class="devices" aria-label="Devices in use">
      {replaceable.value.map((device) => (
        <li key={device.id}>
          <span>
            <strong>{device.name}</strong>
            <small>
              {device.lastReconciledAt
                ? `Last seen ${inWords(device.lastReconciledAt, now.value)}`
                : `Linked ${inWords(device.linkedAt, now.value)}`}
              {device.freesUpAt && `. No longer linked; its place frees up ${inWords(device.freesUpAt, now.value)}`}
            </small>
          </span>
          {device.replaceable && (
            <ActionButton action="link" label={`Replace ${device.name}`} onClick={() => replaceDevice(device.id)}>
              Replace
            </ActionButton>
          )}
        </li>
      ))}
    </ul>
  );
}
