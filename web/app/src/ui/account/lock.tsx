import type { LockOptions } from '@holdfast/client';
import { lasting } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { setLock } from '../../account-actions.ts';
import { busy, lock, lockOptions } from '../../client.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';

const minute = 60_000;

/** The idle limits to choose from, in minutes. */
const waits = [1, 5, 15, 60];

/** Locking: now, when the app opens, and when idle. */
export function Lock() {
  const { onStart = false, idle = 0 } = lockOptions.value;
  return (
    <section class="card" aria-labelledby="lock">
      <h3 id="lock">{t('Lock')}</h3>
      <p>
        {t(
          'While locked, Fieldbook shows nothing until your passkey opens it, also offline. This keeps out whoever picks up this device; it does not encrypt your notes.',
        )}
      </p>
      <div class="settings">
        <label>
          <span>{t('Lock when Fieldbook opens')}</span>
          <input
            type="checkbox"
            checked={onStart}
            onChange={(event) => void choose(event.currentTarget, { onStart: event.currentTarget.checked, idle })}
          />
        </label>
        <label>
          <span>{t('Lock when left alone')}</span>
          <select
            value={idle}
            onChange={(event) => void choose(event.currentTarget, { onStart, idle: Number(event.currentTarget.value) })}
          >
            <option value="0">{t('Never')}</option>
            {waits.map((wait) => (
              <option key={wait} value={wait * minute}>
                {t('After {wait}', { wait: lasting(wait * minute) })}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="actions">
        <ActionButton action="lock" onClick={lock}>
          {t('Lock now')}
        </ActionButton>
        <Outcome about={['lock']} />
      </div>
    </section>
  );
}

/** Restores the options in force if the choice was refused. */
async function choose(control: HTMLInputElement | HTMLSelectElement, wanted: { onStart: boolean; idle: number }) {
  const options: LockOptions = {
    ...(wanted.onStart && { onStart: true }),
    ...(wanted.idle > 0 && { idle: wanted.idle }),
  };
  if (busy.peek() === null && (await setLock(options))) return;
  const { onStart = false, idle = 0 } = lockOptions.peek();
  if (control instanceof HTMLInputElement) control.checked = onStart;
  else control.value = String(idle);
}
