import type { Delivery } from '@holdfast/api';
import { useSignal } from '@preact/signals';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { tries } from '../words/webhook.ts';
import { said, usePaged } from '../work.ts';
import { Act, ask } from './act.tsx';
import { Id } from './id.tsx';
import { More, Waiting } from './state.tsx';
import { Customer } from './trail.tsx';
import { When } from './when.tsx';

const stateWords = { pending: 'waiting', delivered: 'delivered', dead: 'given up' };

/** The webhook endpoints and their deliveries. */
export function Webhooks() {
  const state = useSignal('');
  const filter = state.value === '' ? '' : `&state=${state.value}`;
  const deliveries = usePaged<Delivery>(`/admin/v1/webhooks?limit=50${filter}`, 'deliveries');
  const list = deliveries.items.value;
  return (
    <>
      <div class="page-head">
        <h1>Webhooks</h1>
        <label class="filter">
          <span>Show</span>
          <select value={state} onChange={(event) => (state.value = event.currentTarget.value)}>
            <option value="">all</option>
            <option value="pending">waiting</option>
            <option value="dead">given up</option>
            <option value="delivered">delivered</option>
          </select>
        </label>
      </div>
      <p class="hint">
        What this server tells other systems. A delivery that fails is tried again for about three days, then given up:
        it is kept and can be sent again.
      </p>
      {!list ? (
        <Waiting failed={deliveries.failed} retry={deliveries.reload} />
      ) : list.length === 0 ? (
        <section class="card" aria-label="Webhooks">
          <p>
            {state.value === ''
              ? 'Nothing was sent yet, or no receiver is set up.'
              : `None is ${stateWords[state.value as Delivery['state']]}.`}
          </p>
        </section>
      ) : (
        <ul class="rows card" aria-label="Deliveries">
          {list.map((delivery) => (
            <li key={delivery.id}>
              <div>
                <strong>{delivery.type}</strong>
                {delivery.state === 'pending' && delivery.last_error !== null ? (
                  <em class="badge attention">failing</em>
                ) : (
                  <em class={`badge ${{ pending: '', delivered: 'good', dead: 'attention' }[delivery.state]}`}>
                    {stateWords[delivery.state]}
                  </em>
                )}
                <small class="long">{delivery.endpoint}</small>
                <small>
                  Made <When at={delivery.created_at} />. {tries(delivery)}
                  {delivery.state === 'pending' && delivery.next_attempt_at && (
                    <>
                      {' '}
                      Next <When at={delivery.next_attempt_at} />.
                    </>
                  )}
                  {delivery.failing_since && (
                    <>
                      {' '}
                      Failing since <When at={delivery.failing_since} />.
                    </>
                  )}
                  {delivery.delivered_at && (
                    <>
                      {' '}
                      Taken <When at={delivery.delivered_at} />.
                    </>
                  )}
                </small>
                {delivery.user && (
                  <small>
                    About <Customer id={delivery.user} names={deliveries.names.value} />, message{' '}
                    <Id of={`the id of the message ${delivery.type}`}>{delivery.message}</Id>
                  </small>
                )}
              </div>
              {may('admin') && delivery.state === 'dead' && (
                <button
                  type="button"
                  class="button"
                  aria-label={`Send again: ${delivery.type} to ${delivery.endpoint}`}
                  onClick={() => ask(<Resend delivery={delivery} changed={deliveries.reload} />)}
                >
                  Send again…
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
      title={`Send ${delivery.type} again?`}
      yes="Send again"
      doing="Sending…"
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/webhooks/${delivery.id}/resend`, { body, key: key(body) });
        await changed();
        said.value = { text: `${delivery.type} is on its way again.` };
      }}
    >
      <p>
        <span class="long">{delivery.endpoint}</span> gets the same message once more, under the same id: a receiver
        that has had it already can tell.
      </p>
    </Act>
  );
}
