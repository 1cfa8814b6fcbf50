import { t } from '@holdfast/kit/words.ts';
import { newVersion, reloadIntoUpdate } from '../update.ts';

/** Overlays the page without shifting it; nothing changes until the user agrees. */
export function UpdatePrompt() {
  return (
    <div class="toast-place" role="status">
      {newVersion.value && (
        <div class="toast">
          <p>{newVersion.value === 'waiting' ? t('A new version is ready') : t('Another tab has a new version')}</p>
          <button type="button" class="button quiet" onClick={() => (newVersion.value = null)}>
            {t('Later')}
          </button>
          <button type="button" class="button primary" onClick={reloadIntoUpdate}>
            {t('Reload')}
          </button>
        </div>
      )}
    </div>
  );
}
