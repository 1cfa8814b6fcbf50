import { busy, now, replaceable, replaceDevice } from '../client.ts';
import { inWords } from '../when.ts';

/** The choice when the plan's devices are all in use: which one does this device replace? */
export function Devices() {
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
            </small>
          </span>
          <button
            type="button"
            class="button"
            disabled={busy.value !== null}
            aria-label={`Replace ${device.name}`}
            onClick={() => void replaceDevice(device.id)}
          >
            Replace
          </button>
        </li>
      ))}
    </ul>
  );
}
