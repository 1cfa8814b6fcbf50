import { enrol, user, waiting } from '../client.ts';
import { go } from '../route.ts';
import { ActionButton } from './action-button.tsx';
import { Mark } from './mark.tsx';
import { Outcome } from './outcome.tsx';

/** The landing of a one-time link: the account is prepared, its first passkey is not made yet. */
export function Enrolment({ code }: { code: string }) {
  const present = user.value;
  return (
    <main class="threshold">
      <div class="threshold-intro">
        <p class="brand">
          <Mark /> Fieldbook
        </p>
        <h1>Your account is ready.</h1>
        <ul class="promises">
          <li>One tap makes a passkey for it.</li>
          <li>No password, now or later.</li>
          <li>This link works once.</li>
        </ul>
      </div>
      <div class="threshold-card">
        <h2>Make your passkey</h2>
        <p>
          It is kept by this device or your password manager, and signs you in from now on.
          {present && ` You are signed in as ${present.name} here; going on signs ${present.name} out.`}
        </p>
        <ActionButton
          kind="primary wide"
          action="enrol"
          doing="Waiting for your passkey…"
          onClick={async () => {
            if (await enrol(code)) go({ at: 'list' }, true);
          }}
        >
          Create passkey
        </ActionButton>
        <button
          type="button"
          class="button quiet wide"
          disabled={waiting.value !== null}
          onClick={() => go({ at: 'list' }, true)}
        >
          Not now
        </button>
        <Outcome />
      </div>
    </main>
  );
}
