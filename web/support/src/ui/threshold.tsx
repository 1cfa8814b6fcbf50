import { LanguageChoice } from '@holdfast/kit/language-choice.tsx';
import { t } from '@holdfast/kit/words.ts';
import type { ComponentChildren } from 'preact';
import { Mark } from './mark.tsx';

/** The frame of the pages before the console. */
export function Threshold({ children }: { children: ComponentChildren }) {
  return (
    <main class="threshold gate">
      <div class="threshold-card">
        <p class="brand">
          <Mark /> {t('Holdfast support')}
        </p>
        {children}
        <LanguageChoice label={t('Language')} />
      </div>
    </main>
  );
}
