import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { settings } from '../settings.ts';
import { type Said, said } from '../work.ts';

/** Milliseconds that reading the message takes: generous, since its undo leaves with it. */
function reading({ text, undo }: Said): number {
  return (undo ? 20_000 : 10_000) + text.length * 50;
}

/**
 * The outcome of the last change, with an undo where possible. It has its own row below the page, and leaves by itself
 * unless it is under the pointer, has focus, or is out of sight.
 */
export function Toast() {
  const latest = said.value;
  const pointed = useSignal(false);
  const focused = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  const stays = settings.value.messages === 'stay';
  const held = pointed.value || focused.value;
  useEffect(() => {
    if (!latest || held || stays) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const start = () => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible') timer = setTimeout(() => (said.value = null), reading(latest));
    };
    start();
    document.addEventListener('visibilitychange', start);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', start);
    };
  }, [latest, held, stays]);
  useEffect(() => {
    if (latest) return;
    pointed.value = focused.value = false;
  }, [latest]);
  useEffect(() => {
    const reach = (event: KeyboardEvent) => {
      if (event.key === 'F8') box.current?.querySelector('button')?.focus();
    };
    addEventListener('keydown', reach);
    return () => removeEventListener('keydown', reach);
  }, []);
  const close = () => {
    said.value = null;
    document.getElementById('main')?.focus({ preventScroll: true });
  };
  return (
    <div class="toast-row" role="status">
      {latest && (
        // biome-ignore lint/a11y/noStaticElementInteractions: it only waits while it is read; its buttons act
        <div
          class="toast"
          ref={box}
          onPointerEnter={() => (pointed.value = true)}
          onPointerLeave={() => (pointed.value = false)}
          onFocusIn={() => (focused.value = true)}
          onFocusOut={() => (focused.value = false)}
          onKeyDown={(event) => event.key === 'Escape' && close()}
        >
          <p>
            {latest.text} <span class="unseen">{t('The key F8 leads to this message.')}</span>
          </p>
          <div class="actions">
            {latest.undo && (
              <button type="button" class="button" onClick={latest.undo.act}>
                {latest.undo.label}
              </button>
            )}
            <button type="button" class="button quiet" onClick={close}>
              {t('Close')}
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
