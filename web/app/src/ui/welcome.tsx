import { lasting } from '@holdfast/kit/when.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { busy, createAccount, offerAutofill, replaceable, signIn, support, user } from '../client.ts';
import { storageHere } from '../standing.ts';
import { trialLength } from '../trial.ts';
import { ActionButton } from './action-button.tsx';
import { Mark } from './mark.tsx';
import { Outcome } from './outcome.tsx';
import { Replaceable } from './replaceable.tsx';

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
        <h1>Notes that are there when the network is not.</h1>
        <ul class="promises">
          <li>Opens and works offline, premium too.</li>
          <li>No password: one tap of a passkey.</li>
          <li>Your notes stay on this device.</li>
          {trialLength.value ? <li>Premium is free to try: {lasting(trialLength.value)}.</li> : null}
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
              <ActionButton kind="primary wide" action="sign-in" doing="Waiting for your passkey…" onClick={signIn}>
                Bring it back with my passkey
              </ActionButton>
            )}
            {trouble.remedy === 'reload' && (
              <button type="button" class="button" onClick={() => location.reload()}>
                Reload
              </button>
            )}
          </div>
        )}
        {support.value?.usable === false ? (
          <div class="callout" role="alert">
            <strong>This browser cannot use passkeys.</strong>
            <p>Open Fieldbook in an up-to-date Chrome, Edge, Firefox or Safari, or on your phone.</p>
          </div>
        ) : (
          <>
            <form
              onSubmit={(event) => {
                event.preventDefault();
                void createAccount(name.value.trim());
              }}
            >
              <h2>Create an account</h2>
              <label class="field">
                <span>Your name</span>
                <input
                  name="name"
                  autocomplete="username webauthn"
                  maxLength={64}
                  required
                  value={name}
                  onInput={(event) => (name.value = event.currentTarget.value)}
                />
              </label>
              <ActionButton kind="primary wide" action="register" doing="Waiting for your passkey…">
                Create account
              </ActionButton>
            </form>
            <div class="or">
              <span>or</span>
            </div>
            <ActionButton kind="wide" action="sign-in" doing="Waiting for your passkey…" onClick={signIn}>
              Sign in with a passkey
            </ActionButton>
            {support.value && !support.value.here && (
              <p class="hint">
                This device keeps no passkeys itself: use {support.value.nearby && 'a phone near by, or '}a security
                key.
              </p>
            )}
            <a class="button quiet wide" href="#/recovery">
              Use a recovery code
            </a>
          </>
        )}
        <Outcome />
        {replaceable.value.length > 0 && <Replaceable />}
      </div>
    </main>
  );
}
