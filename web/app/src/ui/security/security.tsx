import { Confirmation } from '@holdfast/kit/confirmation.tsx';
import { BackIcon } from '@holdfast/kit/icons.tsx';
import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { confirming, outcome, signIn, user } from '../../client.ts';
import { paced } from '../../paced.ts';
import { reached } from '../../reached.ts';
import { askSecurity, forgetSecurity, security } from '../../security.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';
import { AccountData } from './account-data.tsx';
import { Passkeys } from './passkeys.tsx';
import { RecoveryCodes } from './recovery-codes.tsx';
import { Sessions } from './sessions.tsx';

export { Notices } from './notices.tsx';
export { Recovered } from './recovered.tsx';
export { Recovery } from './recovery.tsx';

/** Passkeys, recovery codes and sessions. All of it comes from the server, so it needs the network. */
export function Security() {
  const ask = useMemo(() => paced(askSecurity, 10_000), []);
  useSignalEffect(() => {
    if (reached.value !== false) ask();
  });
  useEffect(
    () => () => {
      forgetSecurity();
      // A deletion's outcome appears on the page that follows it.
      if (user.peek()) outcome.value = null;
    },
    [],
  );
  const known = security.value;
  return (
    <div class="account">
      <div class="pane-head">
        <a class="button quiet back" href="#/account">
          <BackIcon /> Account
        </a>
      </div>
      <div class="account-body">
        <h2>Passkeys and sessions</h2>
        {typeof known === 'object' ? (
          <>
            <Passkeys {...known} />
            <RecoveryCodes {...known} />
            <Sessions {...known} />
            <AccountData />
          </>
        ) : (
          <section class="card" aria-label="Passkeys and sessions">
            {known === 'session over' ? (
              <>
                <p>To see them, sign in with your passkey once more.</p>
                <div class="actions">
                  <ActionButton
                    kind="primary"
                    action="sign-in"
                    doing="Waiting for your passkey…"
                    onClick={async () => {
                      if (await signIn()) await askSecurity();
                    }}
                  >
                    Sign in with a passkey
                  </ActionButton>
                  <Outcome about={['sign-in']} />
                </div>
              </>
            ) : known === 'out of reach' || reached.value === false ? (
              <>
                <p>
                  Passkeys, recovery codes and sessions are kept by the server, which is out of reach. They appear here
                  as soon as it answers.
                </p>
                <p>Your notes, your plan and the lock of this device are here and need no server.</p>
              </>
            ) : (
              <p role="status">Asking the server…</p>
            )}
          </section>
        )}
      </div>
      {user.value && <Confirmation confirming={confirming} kind="question" />}
    </div>
  );
}
