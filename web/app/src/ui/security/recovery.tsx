import { useSignal } from '@preact/signals';
import { enrol, recover, user } from '../../client.ts';
import { go } from '../../route.ts';
import { ActionButton } from '../action-button.tsx';
import { Mark } from '../mark.tsx';
import { Outcome } from '../outcome.tsx';

/** The way back into an account whose passkeys are lost: by support's link, or by a code of one's own, which is typed here. */
export function Recovery({ code }: { code: string | null }) {
  const typed = useSignal('');
  const present = user.value;
  const start = async () => {
    const recovered = await (code === null ? recover(typed.value.trim()) : enrol(code));
    // Linking may have failed after it: the account page offers the remedy then.
    if (recovered) go({ at: 'recovered' }, true);
  };
  return (
    <main class="threshold">
      <div class="threshold-intro">
        <p class="brand">
          <Mark /> Fieldbook
        </p>
        <h1>Back into your account.</h1>
        <ul class="promises">
          <li>One tap makes a new passkey for it.</li>
          <li>All other sessions are ended.</li>
          <li>{code === null ? 'A code works once.' : 'This link works once.'}</li>
        </ul>
      </div>
      <form
        class="threshold-card"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <h2>{code === null ? 'Use a recovery code' : 'Make a new passkey'}</h2>
        <p>
          {code === null
            ? 'You made ten of them when you still had a passkey. Capitals and hyphens do not matter.'
            : 'It is kept by this device or your password manager, and signs you in from now on.'}
          {present && ` You are signed in as ${present.name} here; going on ends that.`}
        </p>
        {code === null && (
          <label class="field">
            <span>Recovery code</span>
            <input
              class="code"
              autocomplete="off"
              autocapitalize="characters"
              spellcheck={false}
              maxLength={64}
              required
              value={typed}
              onInput={(event) => (typed.value = event.currentTarget.value)}
            />
          </label>
        )}
        <ActionButton
          kind="primary wide"
          action={code === null ? 'recover' : 'enrol'}
          doing="Waiting for your passkey…"
        >
          Create passkey
        </ActionButton>
        <button type="button" class="button quiet wide" onClick={() => go({ at: 'list' }, true)}>
          Not now
        </button>
        <Outcome />
        {code === null && (
          <p class="hint">
            No code left? Support can send you a link that does the same, once they know that it is you.
          </p>
        )}
      </form>
    </main>
  );
}
