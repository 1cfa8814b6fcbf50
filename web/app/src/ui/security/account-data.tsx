import { t } from '@holdfast/kit/words.ts';
import { useRef } from 'preact/hooks';
import { notes } from '../../notes/book.ts';
import { deleteAccount, downloadData } from '../../security.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';
import { Question } from '../question.tsx';

/** The server's data on the user: export and deletion. */
export function AccountData() {
  const question = useRef<HTMLDialogElement>(null);
  const count = notes.value.length;
  return (
    <section class="card" aria-labelledby="account-data">
      <h3 id="account-data">{t('Your data')}</h3>
      <p>
        {t(
          'Everything the server stores about you, as one file. Your notes are not in it: they are in this browser only.',
        )}
      </p>
      <div class="actions">
        <ActionButton action="download-data" onClick={downloadData}>
          {t('Download all data')}
        </ActionButton>
        <button type="button" class="button danger" onClick={() => question.current?.showModal()}>
          {t('Delete account')}
        </button>
        <Outcome about={['download-data', 'delete-account']} />
      </div>
      <Question
        dialog={question}
        id="delete-account"
        title={t('Delete your account?')}
        no={t('Keep it')}
        yes={t('Delete for good')}
        action="delete-account"
        onYes={() => void deleteAccount()}
      >
        <p>
          {t(
            'Passkeys, subscriptions, devices and sessions are deleted on the server. Premium ends everywhere, at the latest when a device would have had to renew.',
          )}
        </p>
        {count > 0 && (
          <p>
            {t(
              '{count, plural, one {Your note in this browser is deleted with it.} other {Your # notes in this browser are deleted with it.}} Download a copy first, on the account page, if you want one.',
              { count },
            )}
          </p>
        )}
        <p>
          <strong>{t('Nobody can bring it back.')}</strong>
        </p>
      </Question>
    </section>
  );
}
