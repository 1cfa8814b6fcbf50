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
      <h1>{invited ? 'You are invited to the support team' : 'Make a new passkey'}</h1>
      <p>
        {invited
          ? 'One tap makes your passkey: it is kept by this device or your password manager, and signs you in from now on. There is no password.'
          : 'It is kept by this device or your password manager, and signs you in from now on. All your other sessions end.'}{' '}
        This link works once.
        {present && ` You are signed in as ${present.name} here; going on ends that.`}
      </p>
      <WorkButton
        work={work}
        kind="primary wide"
        doing="Waiting for your passkey…"
        onClick={async () => {
          if (await work.run(() => enterByLink(code))) passLanding();
        }}
      >
        Create passkey
      </WorkButton>
      <button
        type="button"
        class="button quiet wide"
        onClick={() => {
          passLanding();
          void askWho();
        }}
      >
        Not now
      </button>
      <Failed work={work} />
    </Threshold>
  );
}
