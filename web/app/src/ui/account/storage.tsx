import { thousands } from '@holdfast/kit/when.ts';
import { locale, t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { signOut } from '../../account-actions.ts';
import { copied, downloadCopy } from '../../copy.ts';
import { notes } from '../../notes/book.ts';
import { storageHere } from '../../standing.ts';
import { askStorageUse, inBytes, keepStorage, storageUse } from '../../storage-use.ts';
import { Question } from '../question.tsx';

/** This browser's storage: its contents, its use of the quota, and whether it is persistent. */
export function Storage() {
  const refused = useSignal(false);
  const question = useRef<HTMLDialogElement>(null);
  const count = notes.value.length;
  useEffect(() => {
    void askStorageUse();
    return () => {
      copied.value = null;
    };
  }, []);
  const trouble = storageHere.value;
  const use = storageUse.value;
  const size = (bytes: number) => inBytes(bytes, locale());
  return (
    <section class="card" aria-labelledby="storage">
      <h3 id="storage">{t('Kept in this browser')}</h3>
      {trouble && (
        <div class="callout" role="alert">
          <strong>{trouble.headline}</strong>
          <p>
            {trouble.meaning} {trouble.advice}
          </p>
          {trouble.remedy === 'reload' && (
            <button type="button" class="button" onClick={() => location.reload()}>
              {t('Reload')}
            </button>
          )}
        </div>
      )}
      <p>
        {t(
          'Your notes are kept in this browser only. They are not sent anywhere. You can copy or erase them at any time, also offline.',
        )}
      </p>
      <dl>
        <div>
          <dt>{t('Notes')}</dt>
          <dd>{thousands(count)}</dd>
        </div>
        <div>
          <dt>{t('Storage used')}</dt>
          <dd>{use ? t('{used} of {allowed}', { used: size(use.used), allowed: size(use.allowed) }) : '–'}</dd>
        </div>
        <div>
          <dt>{t('Cleared when space runs out')}</dt>
          <dd>{use ? (use.kept ? t('Never') : t('Possible')) : '–'}</dd>
        </div>
      </dl>
      {use && !use.kept && (
        <div class="actions">
          <button
            type="button"
            class="button"
            onClick={async () => {
              refused.value = !(await keepStorage());
            }}
          >
            {t('Ask the browser to keep it')}
          </button>
          <p class="outcome" role="status">
            {refused.value && t('It has not agreed. Browsers do so for apps that are installed or used often.')}
          </p>
        </div>
      )}
      <div class="actions">
        <button type="button" class="button" onClick={downloadCopy}>
          {t('Download a copy')}
        </button>
        <button type="button" class="button danger" onClick={() => question.current?.showModal()}>
          {t('Erase from this browser')}
        </button>
        <p class="outcome" role="status">
          {copied.value}
        </p>
      </div>
      <Question
        dialog={question}
        id="erase-question"
        title={t('Erase what this browser stores?')}
        no={t('Keep it')}
        yes={t('Erase')}
        action="sign-out"
        onYes={() => void signOut(true)}
      >
        <p>
          {count === 0
            ? t("This browser's proof of premium and its settings are deleted from this browser.")
            : t(
                "{count, plural, one {Your note} other {Your # notes}}, this browser's proof of premium, and its settings are deleted from this browser. The notes are kept nowhere else: download a copy first if you want one.",
                { count },
              )}
        </p>
        <p>
          {t(
            'Only this browser is erased, and signed out. Your account and your other devices stay as they are; premium comes back here when you sign in.',
          )}
        </p>
      </Question>
    </section>
  );
}
