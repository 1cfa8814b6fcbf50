import { t } from '@holdfast/kit/words.ts';
import { askWho, enter, leave } from '../session.ts';
import { useWork } from '../work.ts';
import { Failed, WorkButton } from './button.tsx';
import { Threshold } from './threshold.tsx';

/** Shown to a signed-in user who is not a staff member, or no longer one. */
export function Stranger() {
  const work = useWork();
  return (
    <Threshold>
      <h1>{t('This is for staff')}</h1>
      <p>
        {t(
          'You are signed in, but your account has no role here. If it had one until now, an administrator has taken it away.',
        )}
      </p>
      <WorkButton work={work} kind="primary wide" onClick={() => work.run(enter)}>
        {t('Sign in as somebody else')}
      </WorkButton>
      <WorkButton work={work} kind="quiet wide" onClick={() => work.run(leave)}>
        {t('Sign out')}
      </WorkButton>
      <Failed work={work} />
    </Threshold>
  );
}

export function OutOfReach() {
  const work = useWork();
  return (
    <Threshold>
      <h1>{t('The server cannot be reached')}</h1>
      <p>{t('Nothing can be looked up or changed before it answers again.')}</p>
      <WorkButton work={work} kind="primary wide" doing={t('Trying…')} onClick={() => work.run(askWho)}>
        {t('Try again')}
      </WorkButton>
    </Threshold>
  );
}
