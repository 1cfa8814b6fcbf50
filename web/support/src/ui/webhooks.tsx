import type { Delivery } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { deliveryWords, tries } from '../words/webhook.ts';
import { said, usePaged } from '../work.ts';
import { Act, ask } from './act.tsx';
import { Id } from './id.tsx';
import { Select } from './select.tsx';
import { More, Waiting } from './state.tsx';
import { Customer } from './trail.tsx';
import { When } from './when.tsx';

/** The webhook endpoints and their deliveries. */
export function Webhooks() {
  const state = useSignal('');
  const filter = state.value === '' ? '' : `&state=${state.value}`;
  const deliveries = usePaged<Delivery>(`/admin/v1/webhooks?limit=50${filter}`, 'deliveries');
  const list = deliveries.items.value;
  return (
    <>
      <div class="page-head">
        <h1>{t('Webhooks')}</h1>
        <Select
          kind="filter"
          label={t('Show')}
          value={state.value}
          options={[
            ['', t('all')],
            ...(['pending', 'dead', 'delivered'] as const).map((each) => [each, deliveryWords(each)] as const),
          ]}
          choose={(value) => (state.value = value)}
        />
      </div>
      <p class="hint">
        {t(
          'What this server tells other systems. A delivery that fails is tried again for about three days, then given up: it is kept and can be sent again.',
        )}
      </p>
      {!list ? (
        <Waiting failed={deliveries.failed} retry={deliveries.reload} />
      ) : list.length === 0 ? (
        <section class="card" aria-label={t('Webhooks')}>
          <p>
            {state.value === ''
              ? t('Nothing was sent yet, or no receiver is set up.')
              : t('None is {state}.', { state: deliveryWords(state.value as Delivery['state']) })}
          </p>
        </section>
      ) : (
        <ul class="rows card" aria-label={t('Deliveries')}>
          {list.map((delivery) => (
            <li key={delivery.id}>
              <div>
                <strong>{delivery.type}</strong>
                {delivery.state === 'pending' && delivery.last_error !== null ? (
                  <em class="badge attention">{t('failing')}</em>
                ) : (
                  <em class={`badge ${{ pending: '', delivered: 'good', dead: 'attention' }[delivery.state]}`}>
                    {deliveryWords(delivery.state)}
                  </em>
                )}
                <small class="long">{delivery.endpoint}</small>
                <small>
                  {rich('Made {when}.', { when: <When at={delivery.created_at} /> })} {tries(delivery)}{' '}
                  {delivery.state === 'pending' &&
                    delivery.next_attempt_at &&
                    rich('Next {when}.', { when: <When at={delivery.next_attempt_at} /> })}{' '}
                  {delivery.failing_since &&
                    rich('Failing since {when}.', { when: <When at={delivery.failing_since} /> })}{' '}
                  {delivery.delivered_at && rich('Taken {when}.', { when: <When at={delivery.delivered_at} /> })}
                </small>
                {delivery.user && (
                  <small>
                    {rich('About {customer}, message {id}', {
                      customer: <Customer id={delivery.user} names={deliveries.names.value} />,
                      id: <Id of={t('the id of the message {type}', { type: delivery.type })}>{delivery.message}</Id>,
                    })}
                  </small>
                )}
              </div>
              {may('admin') && delivery.state === 'dead' && delivery.endpoint_configured && (
                <button
                  type="button"
                  class="button"
                  aria-label={t('Send again: {type} to {endpoint}', {
                    type: delivery.type,
                    endpoint: delivery.endpoint,
                  })}
                  onClick={() => ask(<Resend delivery={delivery} changed={deliveries.reload} />)}
                >
                  {t('Send again…')}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {list && <More of={deliveries} />}
    </>
  );
}

function Resend({ delivery, changed }: { delivery: Delivery; changed: () => Promise<void> }) {
  return (
    <Act
      title={t('Send {type} again?', { type: delivery.type })}
      yes={t('Send again')}
      doing={t('Sending…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/webhooks/${delivery.id}/resend`, { body, key: key(body) });
        await changed();
        said.value = { text: t('{type} is on its way again.', { type: delivery.type }) };
      }}
    >
      <p>
        {rich(
          '{receiver} gets the same message once more, under the same id: a receiver that has had it already can tell.',
          { receiver: <span class="long">{delivery.endpoint}</span> },
        )}
      </p>
    </Act>
  );
}
