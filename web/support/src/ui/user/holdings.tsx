import type { JudgedSubscription } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import type { Answer } from '../../answer.ts';
import { now } from '../../clock.ts';
import { may } from '../../session.ts';
import { span } from '../../words/time.ts';
import { because, billingWords, disputeWords, featureWords, headline, planOf, withholds } from '../../words/why.ts';
import { useLoaded } from '../../work.ts';
import { ask } from '../act.tsx';
import { Id } from '../id.tsx';
import { Timed, When } from '../when.tsx';
import type { CardProps } from './card.ts';
import { Grant } from './grant.tsx';
import { Reach } from './reach.tsx';
import { Reinstate, Withdraw } from './withdraw.tsx';

/** The user's rights and the reasons: the inputs of the server's decision. */
export function Holdings({ account, changed }: CardProps) {
  const { decision, subscriptions } = account;
  const said = headline(decision, now.value);
  const plans = useLoaded<Answer<'listPlans'>>(may('support:write') ? '/admin/v1/plans' : null).data.value?.plans;
  // The deciding subscription first, since support asks about it most.
  const listed = [...subscriptions].sort((a, b) => Number(b.worth.decides) - Number(a.worth.decides));
  return (
    <section class={`card ${said.tone}`} aria-labelledby="holdings">
      <div class="card-head">
        <h2 id="holdings">{t('What they have')}</h2>
        <span class={`badge ${said.tone}`}>{said.badge}</span>
      </div>
      <p class="headline">
        <Timed words={() => headline(decision, now.value).text} />
      </p>
      <dl class="facts">
        <div>
          <dt>{t('Features now')}</dt>
          <dd>{featureWords(decision.features)}</dd>
        </div>
        <div>
          <dt>{t('Offline at most')}</dt>
          <dd>{span(account.offline_window)}</dd>
        </div>
        <div>
          <dt>{t('Free trial')}</dt>
          <dd>{account.trial_started ? t('used') : t('not used')}</dd>
        </div>
        <div>
          <dt>{t('Revision')}</dt>
          <dd>{account.revision}</dd>
        </div>
      </dl>
      {subscriptions.length > 0 && <h3>{t('Why')}</h3>}
      {listed.map((subscription) => (
        <Item
          key={subscription.id}
          account={account}
          changed={changed}
          subscription={subscription}
          decides={subscriptions.length > 1 && subscription.worth.decides}
        />
      ))}
      {may('support:write') && plans?.length !== 0 && (
        <div class="actions">
          <button type="button" class="button" onClick={() => ask(<Grant account={account} changed={changed} />)}>
            {t('Grant days…')}
          </button>
        </div>
      )}
    </section>
  );
}

interface ItemProps extends CardProps {
  readonly subscription: JudgedSubscription;
  readonly decides: boolean;
}

function Item({ account, changed, subscription, decides }: ItemProps) {
  const plan = planOf(account.plans, subscription.plan);
  const { revoked, suspended, disputes } = subscription;
  const disputed = disputes.some(withholds);
  // What has ended, and awaits no payment, has nothing to lose.
  const over = subscription.worth.state === 'expired' && subscription.ends;
  return (
    <article class="subscription" aria-label={t('Subscription {id}', { id: subscription.id })}>
      <div class="card-head">
        <h4>
          {subscription.plan}{' '}
          <Id of={t('the id of this subscription to {plan}', { plan: subscription.plan })}>{subscription.id}</Id>
        </h4>
        {decides && <span class="badge good">{t('decides')}</span>}
        {revoked && <span class="badge attention">{t('revoked')}</span>}
        {suspended && <span class="badge attention">{t('suspended')}</span>}
        {disputed && <span class="badge attention">{t('disputed')}</span>}
      </div>
      <p>
        <Timed words={() => because(subscription, now.value)} />
      </p>
      <dl class="facts">
        <div>
          <dt>{t('Billing says')}</dt>
          <dd>{billingWords(subscription.state)}</dd>
        </div>
        <div>
          <dt>{t('Paid until')}</dt>
          <dd>
            <When at={subscription.paid_through} />
          </dd>
        </div>
        <div>
          <dt>{t('Grace after it')}</dt>
          <dd>
            {plan ? (subscription.ends ? t('none: no payment is awaited') : span(plan.grace)) : t('unknown plan')}
          </dd>
        </div>
        {disputes.map((dispute) => (
          <div key={dispute.id}>
            <dt>{rich('Dispute {id}', { id: <Id of={t('the id of the dispute')}>{dispute.id}</Id> })}</dt>
            <dd>
              {rich('{dispute}, since {when}', {
                dispute: disputeWords(dispute),
                when: <When at={dispute.since} />,
              })}
            </dd>
          </div>
        ))}
        {plan && (
          <div>
            <dt>{t('Plan gives')}</dt>
            <dd>
              {featureWords(plan.features)};{' '}
              {t('{devices, plural, one {# device} other {# devices}}', { devices: plan.device_limit })}
            </dd>
          </div>
        )}
        {plan && plan.window !== null && (
          <div>
            <dt>{t('Offline at most')}</dt>
            <dd>{span(plan.window)}</dd>
          </div>
        )}
        <div>
          <dt>{t('Last changed')}</dt>
          <dd>
            <When at={subscription.updated_at} />
          </dd>
        </div>
      </dl>
      {(revoked || suspended || disputed) && <Reach subscription={subscription} changed={changed} />}
      {may('support:write') && (
        <div class="actions">
          {(revoked || suspended || disputed) && (
            <button
              type="button"
              class="button primary"
              onClick={() => ask(<Reinstate account={account} changed={changed} subscription={subscription} />)}
            >
              {t('Reinstate…')}
            </button>
          )}
          {!revoked && !over && (
            <button
              type="button"
              class="button danger"
              onClick={() =>
                ask(<Withdraw how="revoke" account={account} changed={changed} subscription={subscription} />)
              }
            >
              {t('Revoke…')}
            </button>
          )}
          {!revoked && !suspended && !over && (
            <button
              type="button"
              class="button"
              onClick={() =>
                ask(<Withdraw how="suspend" account={account} changed={changed} subscription={subscription} />)
              }
            >
              {t('Suspend…')}
            </button>
          )}
        </div>
      )}
    </article>
  );
}
