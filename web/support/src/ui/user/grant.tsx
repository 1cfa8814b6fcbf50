import type { HeldPlan } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import type { Answer } from '../../answer.ts';
import { now } from '../../clock.ts';
import { call } from '../../server.ts';
import { stamp } from '../../words/time.ts';
import { planOf } from '../../words/why.ts';
import { said, useLoaded } from '../../work.ts';
import { Act, ask } from '../act.tsx';
import { Waiting } from '../state.tsx';
import { Timed } from '../when.tsx';
import type { CardProps } from './card.ts';
import { Withdraw } from './withdraw.tsx';

const day = 86_400_000;

/** Grants days of a plan as a separate subscription, which is unknown to billing and does not renew. */
export function Grant({ account, changed }: CardProps) {
  const { data, failed, reload } = useLoaded<Answer<'listPlans'>>('/admin/v1/plans');
  const plan = useSignal<string | null>(null);
  const days = useSignal('7');
  const plans = data.value?.plans ?? null;
  const chosen = plans?.find(({ id }) => id === plan.value) ?? plans?.[0];
  const number = Number(days.value);
  const until = chosen && number > 0 ? endOf(planOf(account.plans, chosen.id), number) : null;
  const { name } = account.user;
  return (
    <Act
      title={t('Grant days to {name}?', { name })}
      yes={t('Grant')}
      doing={t('Granting…')}
      disabled={!chosen}
      act={async ({ reason, key }) => {
        const body = { plan: chosen?.id, days: number, reason };
        const path = `/admin/v1/users/${account.user.id}/grants`;
        const granted = await call<Answer<'grantDays'>>('POST', path, { body, key: key(body) });
        await changed();
        const { subscription } = granted;
        said.value = {
          text: t('{name} has {plan} until {until}.', {
            name,
            plan: subscription.plan,
            until: stamp(new Date(subscription.paid_through)),
          }),
          undo: {
            label: t('Undo…'),
            act: () => ask(<Withdraw how="revoke" account={account} changed={changed} subscription={subscription} />),
          },
        };
      }}
    >
      {plans === null && <Waiting failed={failed} retry={reload} />}
      {plans?.length === 0 && <p class="callout">{t('There is no plan yet.')}</p>}
      {plans && plans.length > 0 && (
        <>
          <div class="pair-of-fields">
            <label class="field">
              <span>{t('Plan')}</span>
              <select value={chosen?.id} onChange={(event) => (plan.value = event.currentTarget.value)}>
                {plans.map(({ id }) => (
                  <option key={id} value={id}>
                    {id}
                  </option>
                ))}
              </select>
            </label>
            <label class="field">
              <span>{t('Days')}</span>
              <input
                type="number"
                inputMode="numeric"
                min={1}
                max={366}
                step={1}
                required
                value={days}
                onInput={(event) => (days.value = event.currentTarget.value)}
              />
            </label>
          </div>
          {until && (
            <p class="promise">
              {rich(
                'They have {plan} until {when}: {days, plural, one {# day} other {# days}} on top of what is left now. It does not renew, and costs nothing.',
                { plan: chosen?.id, when: <Timed words={() => stamp(until)} />, days: number },
              )}
            </p>
          )}
          <p>{t('It can be undone: it is a subscription of its own, which can be revoked.')}</p>
        </>
      )}
    </Act>
  );
}

/** The end of that many days of a plan, whether the user already holds it or not. */
function endOf(held: HeldPlan | undefined, days: number): Date {
  return new Date(Math.max(now.value.getTime(), held ? Date.parse(held.grants_from) : 0) + days * day);
}
