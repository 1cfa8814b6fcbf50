import { t } from '@holdfast/kit/words.ts';
import { loaded, notes } from '../notes/book.ts';
import { limit, line } from '../standing.ts';

/** The bar under the header: how many notes there are, and what the user should know now, if anything. */
export function StatusBar() {
  const { text, tone } = line.value;
  return (
    <aside class={`status-bar ${tone === 'attention' ? 'attention' : ''}`} aria-label={t('Status')}>
      <p role="status">{text}</p>
      {loaded.value && <p class="count">{count(notes.value.length, limit.value)}</p>}
    </aside>
  );
}

function count(held: number, allowed: number): string {
  return Number.isFinite(allowed)
    ? t('{held, number} of {allowed, number} notes', { held, allowed })
    : t('{held, plural, one {# note} other {# notes}}', { held });
}
