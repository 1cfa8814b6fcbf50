import { useSignal } from '@preact/signals';
import type { Answer } from '../../answer.ts';
import { now } from '../../clock.ts';
import { call } from '../../server.ts';
import { may } from '../../session.ts';
import * as reasons from '../../words/reason.ts';
import { atLatest, count, relative } from '../../words/time.ts';
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
      <h2 id="access">Who can get in</h2>
      <h3>{passkeys.length === 0 ? 'No passkey' : count(passkeys.length, 'passkey')}</h3>
      {passkeys.length === 0 && <p>Nobody can sign in. A recovery link leads to a first passkey.</p>}
      <ul class="rows">
        {passkeys.map((passkey) => (
          <li key={passkey.id}>
            <div>
              <strong>{passkey.name}</strong>
              <small>
                {passkey.provider !== '' && passkey.provider !== passkey.name && `${passkey.provider}, `}
                {passkey.synced ? 'synced between devices' : 'on one device only'}.{' '}
                {passkey.last_used_at ? (
                  <>
                    Last used <When at={passkey.last_used_at} />.
                  </>
                ) : (
                  'Not used since it was added.'
                )}
              </small>
            </div>
          </li>
        ))}
      </ul>
      <h3>{sessions.length === 0 ? 'Not signed in anywhere' : count(sessions.length, 'open session')}</h3>
      <ul class="rows">
        {sessions.map((session) => (
          <li key={session.id}>
            <div>
              <strong>{session.user_agent || 'Unknown browser'}</strong>
              <small>
                Signed in <When at={session.authenticated_at} />. Active{' '}
                {relative(new Date(session.last_active_at), now.value)}, ends{' '}
                {relative(new Date(session.expires_at), now.value)}.
              </small>
            </div>
          </li>
        ))}
      </ul>
      {mayTouchAccess(account) ? (
        <div class="actions">
          <button type="button" class="button" onClick={() => ask(<Recovery account={account} changed={changed} />)}>
            Recovery link…
          </button>
          {(sessions.length > 0 || linked > 0) && (
            <button
              type="button"
              class="button danger"
              onClick={() => ask(<SignOut account={account} changed={changed} />)}
            >
              Sign out everywhere…
            </button>
          )}
        </div>
      ) : (
        may('support:write') && (
          <p class="hint">
            This is a colleague’s account: recovery, sign-out and devices of staff take an administrator.
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
      reasons={reasons.access}
      title={`Make a recovery link for ${name}?`}
      yes="Make the link"
      doing="Making…"
      act={async ({ reason, key }) => {
        const body = { reason };
        const path = `/admin/v1/users/${account.user.id}/recovery`;
        const made = await call<Answer<'recoverUser'>>('POST', path, { body, key: key(body) });
        await changed();
        ask(
          <LinkMade
            title={`A recovery link for ${name}`}
            text={`Give it to ${name} in person or on a way that you trust: whoever opens it first has the account.`}
            link={made.recovery}
          />,
        );
      }}
    >
      <p class="promise">Whoever opens the link within 15 minutes gets into the account. Be sure who asks.</p>
      <p>
        It makes a new passkey, and its use ends all sessions. The passkeys and devices that are there stay; an earlier
        link counts no more. They are told of it at their next sign-in.
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
      title={`Sign ${name} out everywhere?`}
      yes="Sign out now"
      doing="Signing out…"
      act={async ({ reason, key }) => {
        const body = { devices: devices.peek(), reason };
        await call('POST', `/admin/v1/users/${account.user.id}/sign-out`, { body, key: key(body) });
        await changed();
        said.value = { text: `${name} is signed out everywhere. Their passkeys still sign in.` };
      }}
    >
      <p class="promise">
        {account.sessions.length === 0
          ? 'No session is open'
          : `${count(account.sessions.length, 'session')} end${account.sessions.length === 1 ? 's' : ''} now`}
        {devices.value && `, and ${count(linked, 'device')} ${linked === 1 ? 'is' : 'are'} removed`}.
        {devices.value && until && (
          <Timed
            words={() =>
              ` Paid features end there by ${atLatest(until, now.value)} at the latest (${relative(until, now.value)}).`
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
            <strong>Remove the devices, too</strong>
            <small>Where they sign in again with a passkey, the device is linked again.</small>
          </span>
        </label>
      )}
      <p>It is not undone from here: they sign in again with a passkey, and everything is as before.</p>
    </Act>
  );
}
