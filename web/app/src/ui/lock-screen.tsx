import type { User } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { useEffect, useRef } from 'preact/hooks';
import { signOut, unlock } from '../account-actions.ts';
import { outcome, signIn } from '../client.ts';
import { line } from '../standing.ts';
import { ActionButton } from './action-button.tsx';
import { Mark } from './mark.tsx';
import { Outcome } from './outcome.tsx';
import { Question } from './question.tsx';

/** Replaces everything else while the app is locked. Nothing can be deleted from here; signing out is possible. */
export function LockScreen({ user }: { user: User }) {
  const question = useRef<HTMLDialogElement>(null);
  const screen = useRef<HTMLElement>(null);
  // The focused element is gone, so focus moves to the only action.
  useEffect(() => {
    screen.current?.querySelector('button')?.focus();
  }, []);
  return (
    <main class="threshold" ref={screen}>
      <div class="threshold-card locked">
        <Mark />
        <h1>{t('Fieldbook is locked')}</h1>
        <p>{t('Your notes are here, {name}. Your passkey opens them, also offline.', { name: user.name })}</p>
        <ActionButton kind="primary wide" action="unlock" doing={t('Waiting for your passkey…')} onClick={unlock}>
          {t('Unlock with a passkey')}
        </ActionButton>
        <Outcome about={['unlock', 'sign-in', 'sign-out']} />
        {outcome.value?.signIn && (
          <ActionButton kind="wide" action="sign-in" doing={t('Waiting for your passkey…')} onClick={signIn}>
            {t('Sign in with a passkey')}
          </ActionButton>
        )}
        <button type="button" class="button quiet wide" onClick={() => question.current?.showModal()}>
          {t('Sign out')}
        </button>
        <Question
          dialog={question}
          id="sign-out-question"
          title={t('Sign out of this device?')}
          no={t('Stay')}
          yes={t('Sign out')}
          danger={false}
          action="sign-out"
          onYes={() => void signOut(false)}
        >
          <p>
            {t('Notes stay on this device and open again when you sign in. Premium does not work here until then.')}
          </p>
        </Question>
      </div>
      {line.value.text && <p class="threshold-foot">{line.value.text}</p>}
    </main>
  );
}
