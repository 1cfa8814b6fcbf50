import { t } from '@holdfast/kit/words.ts';
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

/** A part of the app that is a separate file, loaded on demand. */
function part<Part>(load: () => Promise<Part>) {
  const loaded = signal<Part | null>(null);
  const missing = signal(false);
  return {
    loaded,
    missing,
    async load(): Promise<void> {
      try {
        loaded.value = await load();
        missing.value = false;
      } catch {
        missing.value = true;
      }
    },
  };
}

/** The page about the user's rights and this device. */
export const account = part(() => import('./account/account.tsx'));

/** Passkeys, sessions and recovery. */
export const security = part(() => import('./security/security.tsx'));

interface Props<Part> {
  readonly part: ReturnType<typeof part<Part>>;
  readonly children: (part: Part) => ComponentChildren;
  /** Not requested by the user: if it fails to load, show nothing. */
  readonly unasked?: boolean;
}

/** Shows a part of the app that is loaded on demand. */
export function Later<Part>({ part: { loaded, missing, load }, children, unasked = false }: Props<Part>) {
  useEffect(() => void load(), [load]);
  if (loaded.value) return <>{children(loaded.value)}</>;
  if (!missing.value || unasked) return null;
  return (
    <div class="threshold-card" role="alert">
      <p>{t('A part of the app is missing. Connect, then try again.')}</p>
      <button type="button" class="button" onClick={() => void load()}>
        {t('Try again')}
      </button>
    </div>
  );
}
