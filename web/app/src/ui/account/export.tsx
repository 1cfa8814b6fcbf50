import { sentences, t } from '@holdfast/kit/words.ts';
import { entitlement } from '../../client.ts';
import { exported, exporting, exportNotes, stopExport } from '../../exporting.ts';
import { notes } from '../../notes/book.ts';
import { here } from '../../standing.ts';
import { lower } from '../../words/standing.ts';

/** Exports all notes as one file, or says why that is not allowed. */
export function Export() {
  const allowed = entitlement.value.features.export !== undefined;
  const { badge, headline, tone } = here.value;
  const missing =
    tone === 'attention' && badge !== t('Premium')
      ? t('Not available now: {headline}.', { headline: lower(headline) })
      : t('This is part of premium.');
  const progress = exporting.value;
  return (
    <section class="card" aria-labelledby="export">
      <h3 id="export">{t('Export')}</h3>
      <p id="export-about">
        {sentences(t('All notes as one Markdown file, made on this device.'), !allowed && missing)}
      </p>
      <div class="actions">
        <button
          type="button"
          class="button"
          disabled={!allowed || notes.value.length === 0}
          aria-describedby="export-about"
          onClick={progress ? stopExport : () => void exportNotes()}
        >
          <span class="either">
            <span class={progress ? 'unsaid' : ''}>{t('Export all notes')}</span>
            <span class={progress ? '' : 'unsaid'}>{t('Cancel')}</span>
          </span>
        </button>
        {progress && (
          <>
            <progress max={progress.total} value={progress.done} aria-label={t('Export')} />
            <span class="figure">{t('{done, number} of {total, number}', { ...progress })}</span>
          </>
        )}
        <p class="outcome" role="status">
          {exported.value}
        </p>
      </div>
    </section>
  );
}
