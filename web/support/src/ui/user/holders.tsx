import type { Holder } from '@holdfast/api';
import { now } from '../../clock.ts';
import { live, type Progress } from '../../words/revocation.ts';
import { atLatest, relative } from '../../words/time.ts';
import { Timed } from '../when.tsx';

interface Props {
  readonly devices: readonly Holder[];
  /** After the revoke: its effect on each device. */
  readonly progress?: (device: Holder) => Progress;
}

/** The devices that hold or held documents: until when each may work offline, or that it has been told. */
export function Holders({ devices, progress }: Props) {
  if (devices.length === 0) return null;
  return (
    <ul class="holders" aria-label="Devices with documents">
      {devices.map((device) => {
        const state = progress?.(device) ?? (live(device, now.value) ? 'live' : 'ended');
        return (
          <li key={device.id} class={state}>
            <span>
              <strong>{device.name}</strong>
              {device.removed && <em class="badge">removed</em>}
              {device.quarantined && <em class="badge attention">copied</em>}
              <small>{contactWords(device, now.value)}</small>
            </span>
            <span class="fate">
              <strong>{stateWords[state][progress ? 'after' : 'before']}</strong>
              {state !== 'told' && device.document_expires_at && (
                <small>
                  <Timed words={() => endWords(device.document_expires_at ?? '', now.value)} />
                </small>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

const stateWords = {
  told: { before: '', after: 'Told' },
  live: { before: 'Works offline', after: 'Not told yet' },
  ended: { before: 'Ended', after: 'Ended' },
};

function contactWords({ last_reconciled_at }: Holder, at: Date): string {
  return last_reconciled_at === null ? 'never in contact' : `in contact ${relative(new Date(last_reconciled_at), at)}`;
}

function endWords(ends: string, at: Date): string {
  const end = new Date(ends);
  return end > at ? `until ${atLatest(end, at)} (${relative(end, at)})` : atLatest(end, at);
}
