import { english, thousands } from '@holdfast/kit/when.ts';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { notes } from '../../notes/book.ts';
import { storageHere } from '../../standing.ts';
import { askStorageUse, inBytes, keepStorage, storageUse } from '../../storage-use.ts';

/** This browser's storage: its contents, its use of the quota, and whether it is persistent. */
export function Storage() {
  const refused = useSignal(false);
  useEffect(() => void askStorageUse(), []);
  const trouble = storageHere.value;
  const use = storageUse.value;
  const size = (bytes: number) => inBytes(bytes, english());
  return (
    <section class="card" aria-labelledby="storage">
      <h3 id="storage">Kept in this browser</h3>
      {trouble && (
        <div class="callout" role="alert">
          <strong>{trouble.headline}</strong>
          <p>
            {trouble.meaning} {trouble.advice}
          </p>
          {trouble.remedy === 'reload' && (
            <button type="button" class="button" onClick={() => location.reload()}>
              Reload
            </button>
          )}
        </div>
      )}
      <p>Your notes are kept in this browser only. They are not sent anywhere.</p>
      <dl>
        <div>
          <dt>Notes</dt>
          <dd>{thousands(notes.value.length)}</dd>
        </div>
        <div>
          <dt>Storage used</dt>
          <dd>{use ? `${size(use.used)} of ${size(use.allowed)}` : '–'}</dd>
        </div>
        <div>
          <dt>Cleared when space runs out</dt>
          <dd>{use ? (use.kept ? 'Never' : 'Possible') : '–'}</dd>
        </div>
      </dl>
      {use && !use.kept && (
        <div class="actions">
          <button
            type="button"
            class="button"
            onClick={async () => {
              refused.value = !(await keepStorage());
            }}
          >
            Ask the browser to keep it
          </button>
          <p class="outcome" role="status">
            {refused.value && 'It has not agreed. Browsers do so for apps that are installed or used often.'}
          </p>
        </div>
      )}
    </section>
  );
}
