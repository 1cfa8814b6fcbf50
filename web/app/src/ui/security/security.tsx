import { Confirmation } from '@holdfast/kit/confirmation.tsx';
import { BackIcon } from '@holdfast/kit/icons.tsx';
import { inWords } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { confirming, now, outcome, signIn, user } from '../../client.ts';
import { paced } from '../../paced.ts';
import { reached } from '../../reached.ts';
import { askSecurity, forgetSecurity, remembered, security } from '../../security.ts';
import { aboutPasskey, aboutSession } from '../../words/passkey.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';
import { AccountData } from './account-data.tsx';
import { Passkeys } from './passkeys.tsx';
import { RecoveryCodes } from './recovery-codes.tsx';
import { Sessions } from './sessions.tsx';

export { LockScreen } from '../lock-screen.tsx';

export { Notices } from './notices.tsx';
export { Recovered } from './recovered.tsx';
export { Recovery } from './recovery.tsx';

/** The lists as the server last gave them in this browser. They can be looked at, but only the server can change them. */
function LastSeen() {
  const lists = useMemo(remembered, []);
  if (!lists) return <p>{t('They have not been shown in this browser yet, so it does not know them.')}</p>;
  const { at, passkeys, sessions, codes } = lists;
  return (
    <>
      <p>
        <strong>{t('As of {time}:', { time: inWords(at, now.value) })}</strong>
      </p>
      <ul class="devices" aria-label={t('Passkeys')}>
        {passkeys.map((passkey) => (
          <li key={passkey.id}>
            <span>
              <strong>{passkey.name}</strong>
              <small>{aboutPasskey(passkey, now.value)}</small>
            </span>
          </li>
        ))}
      </ul>
      <p>{codes.left === 0 ? t('No recovery codes.') : t('{left} of 10 recovery codes left.', { left: codes.left })}</p>
      <ul class="devices" aria-label={t('Sessions')}>
        {sessions.map((session) => (
          <li key={session.id}>
            <span>
              <strong>{session.userAgent || t('Unknown browser')}</strong>
              <small>{aboutSession(session, passkeys, now.value)}</small>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

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
          <BackIcon /> {t('Account')}
        </a>
      </div>
      <div class="account-body">
        <h2>{t('Passkeys and sessions')}</h2>
        {typeof known === 'object' ? (
          <>
            <Passkeys {...known} />
            <RecoveryCodes {...known} />
            <Sessions {...known} />
            <AccountData />
          </>
        ) : (
          <section class="card" aria-label={t('Passkeys and sessions')}>
            {known === 'session over' ? (
              <>
                <p>{t('To see them, sign in with your passkey once more.')}</p>
                <div class="actions">
                  <ActionButton
                    kind="primary"
                    action="sign-in"
                    doing={t('Waiting for your passkey…')}
                    onClick={async () => {
                      if (await signIn()) await askSecurity();
                    }}
                  >
                    {t('Sign in with a passkey')}
                  </ActionButton>
                  <Outcome about={['sign-in']} />
                </div>
              </>
            ) : known === 'out of reach' || reached.value === false ? (
              <>
                <p>
                  {t(
                    'Passkeys, recovery codes and sessions are kept by the server, which is out of reach. They appear here as soon as it answers.',
                  )}
                </p>
                <LastSeen />
              </>
            ) : (
              <p role="status">{t('Asking the server…')}</p>
            )}
          </section>
        )}
      </div>
      {user.value && <Confirmation confirming={confirming} kind="question" />}
    </div>
  );
}
