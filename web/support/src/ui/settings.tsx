import { LanguageChoice } from '@holdfast/kit/language-choice.tsx';
import { t } from '@holdfast/kit/words.ts';
import { set, settings } from '../settings.ts';
import { askNothing, Frame } from './act.tsx';

/** How this browser shows the console. */
export function Settings() {
  const { times, messages } = settings.value;
  return (
    <Frame title={t('Settings of this browser')}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          askNothing();
        }}
      >
        <fieldset class="choices">
          <legend>{t('Times')}</legend>
          <Choice name="times" checked={times === 'local'} pick={() => set({ times: 'local' })}>
            {t('In this device’s time zone; under the pointer, in UTC')}
          </Choice>
          <Choice name="times" checked={times === 'UTC'} pick={() => set({ times: 'UTC' })}>
            {t('In UTC')}
          </Choice>
        </fieldset>
        <fieldset class="choices">
          <legend>{t('The message about the last change')}</legend>
          <Choice name="messages" checked={messages === 'leave'} pick={() => set({ messages: 'leave' })}>
            {t('Leaves by itself once it was read. The key F8 leads to it')}
          </Choice>
          <Choice name="messages" checked={messages === 'stay'} pick={() => set({ messages: 'stay' })}>
            {t('Stays until you close it')}
          </Choice>
        </fieldset>
        <fieldset class="choices">
          <legend>{t('Language')}</legend>
          <LanguageChoice label={t('Language')} />
        </fieldset>
        <div class="ends">
          <button type="submit" class="button primary">
            {t('Done')}
          </button>
        </div>
      </form>
    </Frame>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly checked: boolean;
  readonly children: string;
  readonly pick: () => void;
}

function Choice({ name, checked, children, pick }: ChoiceProps) {
  return (
    <label>
      <input type="radio" name={name} checked={checked} onChange={pick} />
      <span>{children}</span>
    </label>
  );
}
