import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import type { Answer } from '../../answer.ts';
import { now } from '../../clock.ts';
import { call } from '../../server.ts';
import { may } from '../../session.ts';
import * as reasons from '../../words/reason.ts';
import { atLatest, relative } from '../../words/time.ts';
import { said } from '../../work.ts';
import { Act, ask } from '../act.tsx';
import { LinkMade } from '../link-made.tsx';
import { Timed, When } from '../when.tsx';
import { type CardProps, linkedDevices, mayTouchAccess } from './card.ts';

/** The user's passkeys, codes and sessions. */
export function Access({ account, changed }: CardProps) {
  const { passkeys, sessions } = account;
  const linked = linkedDevices(account);
  return (
    <section class="card" aria-labelledby="access">
      <h2 id="access">{t('Who can get in')}</h2>
      <h3>{t('{count, plural, =0 {No passkey} one {# passkey} other {# passkeys}}', { count: passkeys.length })}</h3>
      {passkeys.length === 0 && <p>{t('Nobody can sign in. A recovery link leads to a first passkey.')}</p>}
      <ul class="rows">
        {passkeys.map((passkey) => (
          <li key={passkey.id}>
            <div>
              <strong>{passkey.name}</strong>
              <small>
                {passkey.provider !== '' && passkey.provider !== passkey.name && `${passkey.provider}, `}
                {passkey.synced ? t('synced between devices') : t('on one device only')}.{' '}
                {passkey.last_used_at
                  ? rich('Last used {when}.', { when: <When at={passkey.last_used_at} /> })
                  : t('Not used since it was added.')}
              </small>
            </div>
          </li>
        ))}
      </ul>
      <h3>
        {t('{count, plural, =0 {Not signed in anywhere} one {# open session} other {# open sessions}}', {
          count: sessions.length,
        })}
      </h3>
      <ul class="rows">
        {sessions.map((session) => (
          <li key={session.id}>
            <div>
              <strong>{session.user_agent || t('Unknown browser')}</strong>
              <small>
                {rich('Signed in {when}. Active {active}, ends {ends}.', {
                  when: <When at={session.authenticated_at} />,
                  active: relative(new Date(session.last_active_at), now.value),
                  ends: relative(new Date(session.expires_at), now.value),
                })}
              </small>
            </div>
          </li>
        ))}
      </ul>
      {mayTouchAccess(account) ? (
        <div class="actions">
          <button type="button" class="button" onClick={() => ask(<Recovery account={account} changed={changed} />)}>
            {t('Recovery link…')}
          </button>
          {(sessions.length > 0 || linked > 0) && (
            <button
              type="button"
              class="button danger"
              onClick={() => ask(<SignOut account={account} changed={changed} />)}
            >
              {t('Sign out everywhere…')}
            </button>
          )}
        </div>
      ) : (
        may('support:write') && (
          <p class="hint">
            {t('This is a colleague’s account: recovery, sign-out and devices of staff take an administrator.')}
          </p>
        )
      )}
    </section>
  );
}

function Recovery({ account, changed }: CardProps) {
  const { name } = account.user;
  return (
    <Act
      reasons={reasons.access()}
      title={t('Make a recovery link for {name}?', { name })}
      yes={t('Make the link')}
      doing={t('Making…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        const path = `/admin/v1/users/${account.user.id}/recovery`;
        const made = await call<Answer<'recoverUser'>>('POST', path, { body, key: key(body) });
        await changed();
        ask(
          <LinkMade
            title={t('A recovery link for {name}', { name })}
            text={t('Give it to {name} in person or in a way that you trust: whoever opens it first has the account.', {
              name,
            })}
            link={made.recovery}
          />,
        );
      }}
    >
      <p class="promise">{t('Whoever opens the link within 15 minutes gets into the account. Be sure who asks.')}</p>
      <p>
        {t(
          'It makes a new passkey, and its use ends all sessions. The passkeys and devices that are there stay; an earlier link counts no more. They are told of it at their next sign-in.',
        )}
      </p>
    </Act>
  );
}

function SignOut({ account, changed }: CardProps) {
  const linked = linkedDevices(account);
  // Without a session there is nothing else to end.
  const devices = useSignal(account.sessions.length === 0);
  const { name } = account.user;
  const ends = account.devices.flatMap(({ document_expires_at: end }) =>
    end !== null && new Date(end) > now.value ? [Date.parse(end)] : [],
  );
  const until = ends.length > 0 ? new Date(Math.max(...ends)) : null;
  return (
    <Act
      danger
      title={t('Sign {name} out everywhere?', { name })}
      yes={t('Sign out now')}
      doing={t('Signing out…')}
      act={async ({ reason, key }) => {
        const body = { devices: devices.peek(), reason };
        await call('POST', `/admin/v1/users/${account.user.id}/sign-out`, { body, key: key(body) });
        await changed();
        said.value = { text: t('{name} is signed out everywhere. Their passkeys still sign in.', { name }) };
      }}
    >
      <p class="promise">
        {devices.value
          ? t(
              '{sessions, plural, =0 {No session is open} one {# session ends now} other {# sessions end now}}, and {devices, plural, one {# device is removed} other {# devices are removed}}.',
              { sessions: account.sessions.length, devices: linked },
            )
          : t('{sessions, plural, =0 {No session is open} one {# session ends now} other {# sessions end now}}.', {
              sessions: account.sessions.length,
            })}{' '}
        {devices.value && until && (
          <Timed
            words={() =>
              t('Paid features end there by {latest} at the latest ({relative}).', {
                latest: atLatest(until, now.value),
                relative: relative(until, now.value),
              })
            }
          />
        )}
      </p>
      {linked > 0 && (
        <label class="check">
          <input
            type="checkbox"
            checked={devices}
            onChange={(event) => (devices.value = event.currentTarget.checked)}
          />
          <span>
            <strong>{t('Remove the devices, too')}</strong>
            <small>{t('Where they sign in again with a passkey, the device is linked again.')}</small>
          </span>
        </label>
      )}
      <p>{t('It is not undone from here: they sign in again with a passkey, and everything is as before.')}</p>
    </Act>
  );
}
