import { t } from '@holdfast/kit/words.ts';
import type { Signal } from '@preact/signals';

/** Placeholder for missing data: why it is missing, or that it is loading, shown only after a while. */
export function Waiting({ failed, retry }: { failed: Signal<string | null>; retry: () => unknown }) {
  if (failed.value === null) return <p class="waiting">{t('One moment…')}</p>;
  return (
    <div class="callout" role="alert">
      <p>{failed.value}</p>
      <button type="button" class="button" onClick={() => void retry()}>
        {t('Try again')}
      </button>
    </div>
  );
}

/** Shown where the role has no access. The server refuses it too. */
export function NotAllowed() {
  return (
    <div class="callout" role="alert">
      <strong>{t('This takes an administrator.')}</strong>
      <p>{t('Your role is support. Ask an administrator to do it, or to change your role.')}</p>
    </div>
  );
}

/** The button for the rest of a list. */
export function More({ of }: { of: { more: Signal<boolean>; loading: Signal<boolean>; next: () => unknown } }) {
  if (!of.more.value) return null;
  return (
    <button
      type="button"
      class={`button more ${of.loading.value ? 'held' : ''}`}
      aria-disabled={of.loading.value}
      onClick={() => !of.loading.peek() && void of.next()}
    >
      {t('Show more')}
    </button>
  );
}
