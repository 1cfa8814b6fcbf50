import { reloadIntoUpdate, waiting } from '../update.ts';

/** Lies over the page instead of pushing it; nothing changes until the user says so. */
export function UpdatePrompt() {
  return (
    <div class="toast-place" role="status">
      {waiting.value && (
        <div class="toast">
          <p>A new version is ready</p>
          <button type="button" class="button quiet" onClick={() => (waiting.value = null)}>
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
