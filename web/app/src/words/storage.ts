import type { StorageHealth } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';

/** A failure of this device's storage, in plain words. */
export interface StorageTrouble {
  readonly tone: 'calm' | 'attention';
  readonly headline: string;
  /** The features that still work. */
  readonly meaning: string;
  /** What to do about it. */
  readonly advice: string;
  readonly remedy: 'reload' | 'sign-in' | null;
  /** The status line. */
  readonly line: string;
}

/** Describes what the state of the storage means for the user; null: all is well. */
export function storageTrouble(health: StorageHealth): StorageTrouble | null {
  switch (health) {
    case 'well':
      return null;
    case 'full':
      return {
        tone: 'attention',
        headline: t("This browser's storage is full"),
        meaning: t('What is here can be read, and premium works until the end below. Changes may not be kept.'),
        advice: t('Free some space on this device, then reload.'),
        remedy: 'reload',
        line: t('Storage is full: changes may not be kept. Free some space, then reload.'),
      };
    case 'blocked':
      return {
        tone: 'attention',
        headline: t('Another tab holds an older version of Fieldbook'),
        meaning: t('Until it is closed, this tab cannot get at what is kept here. Nothing is lost.'),
        advice: t('Close the other tabs of Fieldbook. This one then goes on by itself.'),
        remedy: null,
        line: t('Close the other tabs of Fieldbook: one of them is of an older version and is in the way.'),
      };
    case 'newer':
      return {
        tone: 'calm',
        headline: t('This tab is of an older version of Fieldbook'),
        meaning: t('It goes on working. What is kept here was written by a newer version.'),
        advice: t('Reload to get the newer version.'),
        remedy: 'reload',
        line: t('There is a newer version of Fieldbook here. Reload to get it.'),
      };
    case 'unavailable':
      return {
        tone: 'attention',
        headline: t("This browser's storage does not work"),
        meaning: t('What you have is tried to be read again by itself. Nothing of it was changed.'),
        advice: t(
          "If this stays, the disk may be full, or site data blocked for this page: free some space, or allow site data in the browser's settings, then reload.",
        ),
        remedy: 'reload',
        line: t('This browser stores nothing here: free some space or allow site data, then reload.'),
      };
    case 'reset':
      return {
        tone: 'attention',
        headline: t('This browser has lost what Fieldbook kept here'),
        meaning: t(
          'It was cleared or could not be read any more; notes that were only here may be gone with it. Your account and all that you paid for are safe.',
        ),
        advice: t('One tap of your passkey brings it back, and this device takes its old place.'),
        remedy: 'sign-in',
        line: t('This browser has lost what was kept here. Sign in to bring back what you have.'),
      };
  }
}

/** The browser has cleared part of the app, which could not be fetched again yet. */
export const partMissing = (): StorageTrouble => ({
  tone: 'attention',
  headline: t('Fieldbook does not open offline here just now'),
  meaning: t('This browser has cleared a part of the app. Your notes and what you have are untouched.'),
  advice: t('Keep Fieldbook open and connected for a moment: the part is fetched again by itself.'),
  remedy: null,
  line: t('This browser has cleared a part of the app: stay connected until it is fetched again.'),
});
