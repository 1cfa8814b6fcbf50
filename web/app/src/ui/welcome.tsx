import { useSignal } from '@preact/signals';
import { busy, createAccount, replaceable, signIn } from '../client.ts';
import { Devices } from './devices.tsx';
import { Mark } from './mark.tsx';
import { Outcome } from './outcome.tsx';

/** For somebody who is not signed in: a new account, or the way back to theirs. */
export function Welcome() {
  const name = useSignal('');
  const doing = busy.value;
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
        </ul>
      </div>
      <div class="threshold-card">
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
              autocomplete="name"
              maxLength={64}
              required
              value={name}
              onInput={(event) => (name.value = event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button primary wide" disabled={doing !== null}>
            {doing === 'register' ? 'Waiting for your passkey…' : 'Create account'}
          </button>
        </form>
        <div class="or">
          <span>or</span>
        </div>
        <button type="button" class="button wide" disabled={doing !== null} onClick={() => void signIn()}>
          {doing === 'sign-in' ? 'Waiting for your passkey…' : 'Sign in with a passkey'}
        </button>
        <Outcome />
        {replaceable.value.length > 0 && <Devices />}
      </div>
    </main>
  );
}
