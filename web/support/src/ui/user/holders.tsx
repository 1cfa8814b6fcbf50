import type { Holder } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';
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
    <ul class="holders" aria-label={t('Devices with documents')}>
      {devices.map((device) => {
        const state = progress?.(device) ?? (live(device, now.value) ? 'live' : 'ended');
        return (
          <li key={device.id} class={state}>
            <span>
              <strong>{device.name}</strong>
              {device.removed && <em class="badge">{t('removed')}</em>}
              {device.quarantined && <em class="badge attention">{t('copied')}</em>}
              <small>{contactWords(device, now.value)}</small>
            </span>
            <span class="fate">
              <strong>{stateWords()[state][progress ? 'after' : 'before']}</strong>
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

const stateWords = () => ({
  told: { before: '', after: t('Told') },
  live: { before: t('Works offline'), after: t('Not told yet') },
  ended: { before: t('Ended'), after: t('Ended') },
});

function contactWords({ last_reconciled_at }: Holder, at: Date): string {
  return last_reconciled_at === null
    ? t('never in contact')
    : t('in contact {relative}', { relative: relative(new Date(last_reconciled_at), at) });
}

function endWords(ends: string, at: Date): string {
  const end = new Date(ends);
  return end > at
    ? t('until {latest} ({relative})', { latest: atLatest(end, at), relative: relative(end, at) })
    : atLatest(end, at);
}
