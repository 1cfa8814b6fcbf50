import { LanguageChoice } from '@holdfast/kit/language-choice.tsx';
import { lasting } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { busy, createAccount, offerAutofill, replaceable, signIn, support, user } from '../client.ts';
import { storageHere } from '../standing.ts';
import { trialLength } from '../trial.ts';
import { ActionButton } from './action-button.tsx';
import { account, Later } from './later.tsx';
import { Mark } from './mark.tsx';
import { Outcome } from './outcome.tsx';

/** Milliseconds. */
const usualTrial = 14 * 86_400_000;

/** Shown to visitors who are not signed in: create an account, or sign in. */
export function Welcome() {
  const name = useSignal('');
  const trouble = storageHere.value;
  // Autofill offers passkeys from the start, but never during a prompt that the user asked for.
  useSignalEffect(() => {
    if (!support.value?.autofill || busy.value !== null || user.value !== null) return;
    const autofill = new AbortController();
    void offerAutofill(autofill.signal);
    return () => autofill.abort();
  });
  return (
    <main class="threshold">
      <div class="threshold-intro">
        <p class="brand">
          <Mark /> Fieldbook
        </p>
        <h1>{t('Notes that are there when the network is not.')}</h1>
        <ul class="promises">
          <li>{t('Opens and works offline, premium too.')}</li>
          <li>{t('No password: one tap of a passkey.')}</li>
          <li>{t('Your notes stay on this device.')}</li>
          {/* Its place is kept until the server has said, so that nothing shifts. */}
          <li class={trialLength.value ? '' : 'unsaid'}>
            {t('Premium is free to try: {length}.', { length: lasting(trialLength.value || usualTrial) })}
          </li>
        </ul>
      </div>
      <div class="threshold-card">
        {trouble && (
          <div class="callout" role="alert">
            <strong>{trouble.headline}</strong>
            <p>
              {trouble.meaning} {trouble.advice}
            </p>
            {trouble.remedy === 'sign-in' && (
              <ActionButton
                kind="primary wide"
                action="sign-in"
                doing={t('Waiting for your passkey…')}
                onClick={signIn}
              >
                {t('Bring it back with my passkey')}
              </ActionButton>
            )}
            {trouble.remedy === 'reload' && (
              <button type="button" class="button" onClick={() => location.reload()}>
                {t('Reload')}
              </button>
            )}
          </div>
        )}
        {support.value?.usable === false ? (
          <div class="callout" role="alert">
            <strong>{t('This browser cannot use passkeys.')}</strong>
            <p>{t('Open Fieldbook in an up-to-date Chrome, Edge, Firefox or Safari, or on your phone.')}</p>
          </div>
        ) : (
          <>
            <form
              onSubmit={(event) => {
                event.preventDefault();
                void createAccount(name.value.trim());
              }}
            >
              <h2>{t('Create an account')}</h2>
              <label class="field">
                <span>{t('Your name')}</span>
                <input
                  name="name"
                  autocomplete="username webauthn"
                  maxLength={64}
                  required
                  value={name}
                  onInput={(event) => (name.value = event.currentTarget.value)}
                />
              </label>
              <ActionButton kind="primary wide" action="register" doing={t('Waiting for your passkey…')}>
                {t('Create account')}
              </ActionButton>
            </form>
            <div class="or">
              <span>{t('or')}</span>
            </div>
            <ActionButton kind="wide" action="sign-in" doing={t('Waiting for your passkey…')} onClick={signIn}>
              {t('Sign in with a passkey')}
            </ActionButton>
            {support.value && !support.value.here && (
              <p class="hint">
                {support.value.nearby
                  ? t('This device keeps no passkeys itself: use a phone nearby, or a security key.')
                  : t('This device keeps no passkeys itself: use a security key.')}
              </p>
            )}
            <a class="button quiet wide" href="#/recovery">
              {t('Use a recovery code')}
            </a>
          </>
        )}
        <Outcome />
        <LanguageChoice label={t('Language')} />
        {replaceable.value.length > 0 && <Later part={account}>{({ Replaceable }) => <Replaceable />}</Later>}
      </div>
    </main>
  );
}
