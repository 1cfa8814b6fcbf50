import { lasting } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { checkNow, startTrial } from '../../account-actions.ts';
import { entitlement, now, outcome, replaceable, signIn } from '../../client.ts';
import { here } from '../../standing.ts';
import { timeline } from '../../timeline.ts';
import { trialLength } from '../../trial.ts';
import { dates } from '../../words/dates.ts';
import type { Remedy } from '../../words/standing.ts';
import { ActionButton } from '../action-button.tsx';
import { Help } from '../help.tsx';
import { Outcome } from '../outcome.tsx';
import { Replaceable } from '../replaceable.tsx';
import { MarkShape, TimelinePicture } from './timeline.tsx';

/** The user's rights, their end, and what to do about it. */
export function Plan() {
  const { tone, headline, meaning, advice, remedy } = here.value;
  const lines = dates(entitlement.value, now.value);
  const drawn = timeline(entitlement.value, now.value)?.marks.map(({ event }) => event) ?? [];
  return (
    <section class={`card ${tone}`} aria-labelledby="plan">
      <h3 id="plan">{headline}</h3>
      <p>{meaning}</p>
      {advice && <p>{advice}</p>}
      <TimelinePicture />
      {lines.length > 0 && (
        <dl>
          {lines.map(({ term, value, event }) => (
            <div key={term}>
              <dt>
                {drawn.length > 0 && <MarkShape event={drawn.includes(event) ? event : null} />}
                {term}
              </dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <div class="actions">
        <Help />
        <Remedies remedy={remedy} />
        <Outcome about={['trial', 'check', 'sign-in', 'link', 'enrol', 'register']} />
      </div>
      {replaceable.value.length > 0 && <Replaceable />}
    </section>
  );
}

function Remedies({ remedy }: { remedy: Remedy }) {
  return (
    <>
      {remedy === 'trial' && (
        <ActionButton kind="primary" action="trial" onClick={startTrial}>
          {trialLength.value
            ? t('Start the free trial: {length}', { length: lasting(trialLength.value) })
            : t('Start the free trial')}
        </ActionButton>
      )}
      {(remedy === 'sign-in' || outcome.value?.signIn) && (
        <ActionButton kind="primary" action="sign-in" doing={t('Waiting for your passkey…')} onClick={signIn}>
          {t('Sign in with a passkey')}
        </ActionButton>
      )}
      {remedy !== 'sign-in' && (
        <ActionButton
          kind={remedy === 'connect' && !here.value.help ? 'primary' : ''}
          action="check"
          doing={t('Checking…')}
          onClick={checkNow}
        >
          {t('Check now')}
        </ActionButton>
      )}
    </>
  );
}
