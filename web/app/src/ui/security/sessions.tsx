import { t } from '@holdfast/kit/words.ts';
import { now } from '../../client.ts';
import { endOtherSessions, endSession, type Security } from '../../security.ts';
import { aboutSession } from '../../words/passkey.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';

/** The user's sessions. This session ends by signing out on the account page. */
export function Sessions({ sessions, passkeys }: Security) {
  const others = sessions.filter(({ current }) => !current);
  const ordered = [...sessions.filter(({ current }) => current), ...others];
  return (
    <section class="card" aria-labelledby="sessions">
      <h3 id="sessions">{t('Sessions')}</h3>
      <p>{t('Where you are signed in. What a device holds to work offline stays: to take that, unlink it.')}</p>
      <ul class="devices">
        {ordered.map((session) => {
          const name = session.userAgent || t('Unknown browser');
          return (
            <li key={session.id}>
              <span>
                <strong>{name}</strong>
                <small>
                  {session.current && (
                    <>
                      <em class="badge good">{t('This session')}</em>{' '}
                    </>
                  )}
                  {aboutSession(session, passkeys, now.value)}
                </small>
              </span>
              {!session.current && (
                <ActionButton
                  action="end-session"
                  label={t('End {name}', { name })}
                  onClick={() => endSession(session)}
                >
                  {t('End')}
                </ActionButton>
              )}
            </li>
          );
        })}
      </ul>
      <div class="actions">
        {others.length > 0 && (
          <ActionButton action="end-session" onClick={endOtherSessions}>
            {t('End all others')}
          </ActionButton>
        )}
        <Outcome about={['end-session']} />
      </div>
    </section>
  );
}
