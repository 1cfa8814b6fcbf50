import { newVersion, reloadIntoUpdate } from '../update.ts';

/** Overlays the page without shifting it; nothing changes until the user agrees. */
export function UpdatePrompt() {
  return (
    <div class="toast-place" role="status">
      {newVersion.value && (
        <div class="toast">
          <p>{newVersion.value === 'waiting' ? 'A new version is ready' : 'Another tab has a new version'}</p>
          <button type="button" class="button quiet" onClick={() => (newVersion.value = null)}>
            Later
          </button>
          <button type="button" class="button primary" onClick={reloadIntoUpdate}>
            Reload
          </button>
        </div>
      )}
    </div>
  );
}
