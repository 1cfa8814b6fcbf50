import { t } from '@holdfast/kit/words.ts';
/** Shown instead of a blank page when local storage cannot be opened. */
export function NotOpened() {
  return (
    <main class="threshold">
      <div class="threshold-card" role="alert">
        <h1>{t('Fieldbook cannot open here')}</h1>
        <p>
          {t(
            "This browser refuses to store anything for this page, or a part of the app is missing. Nothing of yours was changed. Allow site data for this page in the browser's settings, free some space, make sure that you are connected, then reload.",
          )}
        </p>
        <button type="button" class="button primary" onClick={() => location.reload()}>
          {t('Reload')}
        </button>
      </div>
    </main>
  );
}
