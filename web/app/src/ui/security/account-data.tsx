import { thousands } from '@holdfast/kit/when.ts';
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
      <h3 id="account-data">Your data</h3>
      <p>
        Everything the server stores about you, as one file. Your notes are not in it: they are in this browser only.
      </p>
      <div class="actions">
        <ActionButton action="download-data" onClick={downloadData}>
          Download all data
        </ActionButton>
        <button type="button" class="button danger" onClick={() => question.current?.showModal()}>
          Delete account
        </button>
        <Outcome about={['download-data', 'delete-account']} />
      </div>
      <Question
        dialog={question}
        id="delete-account"
        title="Delete your account?"
        no="Keep it"
        yes="Delete for good"
        action="delete-account"
        onYes={() => void deleteAccount()}
      >
        <p>
          Passkeys, subscriptions, devices and sessions are deleted on the server. Premium ends everywhere, at the
          latest when a device would have had to renew.
        </p>
        {count > 0 && (
          <p>
            {count === 1 ? 'Your note' : `Your ${thousands(count)} notes`} in this browser are deleted with it. Download
            a copy of them first, on the account page, if you want one.
          </p>
        )}
        <p>
          <strong>Nobody can bring it back.</strong>
        </p>
      </Question>
    </section>
  );
}
