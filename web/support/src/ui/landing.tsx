import { t } from '@holdfast/kit/words.ts';
import { passLanding } from '../address.ts';
import { askWho, enterByLink, me } from '../session.ts';
import { useWork } from '../work.ts';
import { Failed, WorkButton } from './button.tsx';
import { Threshold } from './threshold.tsx';

/** The page of a one-time link: an invitation, or recovery for a staff member who has lost every passkey. */
export function Landing({ kind, code }: { kind: 'invitation' | 'recovery'; code: string }) {
  const work = useWork();
  const present = typeof me.value === 'object' ? me.value.user : null;
  const invited = kind === 'invitation';
  return (
    <Threshold>
      <h1>{invited ? t('You are invited to the support team') : t('Make a new passkey')}</h1>
      <p>
        {invited
          ? t(
              'One tap makes your passkey: it is kept by this device or your password manager, and signs you in from now on. There is no password.',
            )
          : t(
              'It is kept by this device or your password manager, and signs you in from now on. All your other sessions end.',
            )}{' '}
        {t('This link works once.')}{' '}
        {present && t('You are signed in as {name} here; going on ends that.', { name: present.name })}
      </p>
      <WorkButton
        work={work}
        kind="primary wide"
        doing={t('Waiting for your passkey…')}
        onClick={async () => {
          if (await work.run(() => enterByLink(code))) passLanding();
        }}
      >
        {t('Create passkey')}
      </WorkButton>
      <button
        type="button"
        class="button quiet wide"
        onClick={() => {
          passLanding();
          void askWho();
        }}
      >
        {t('Not now')}
      </button>
      <Failed work={work} />
    </Threshold>
  );
}
