import type { Revocation, Subscription } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';
import { now } from '../../clock.ts';
import { begin, end } from '../../revocations.ts';
import { call } from '../../server.ts';
import * as reasons from '../../words/reason.ts';
import { promise } from '../../words/revocation.ts';
import { said, useLoaded } from '../../work.ts';
import { Act, ask } from '../act.tsx';
import { Waiting } from '../state.tsx';
import { Timed } from '../when.tsx';
import type { CardProps } from './card.ts';
import { Holders } from './holders.tsx';

interface Props extends CardProps {
  readonly subscription: Subscription;
}

/** Revokes or suspends, after showing which devices that affects and until when. */
export function Withdraw({ how, account, changed, subscription }: Props & { readonly how: 'revoke' | 'suspend' }) {
  const path = `/admin/v1/subscriptions/${encodeURIComponent(subscription.id)}`;
  const { data, failed, reload } = useLoaded<Revocation>(`${path}/revocation`);
  const preview = data.value;
  const rest = Object.keys(preview?.kept ?? {}).sort();
  const { name } = account.user;
  const revoke = how === 'revoke';
  return (
    <Act
      wide
      danger={revoke}
      reasons={reasons.withdrawal()}
      title={
        revoke
          ? t('Revoke {plan} of {name}?', { plan: subscription.plan, name })
          : t('Suspend {plan} of {name}?', { plan: subscription.plan, name })
      }
      yes={revoke ? t('Revoke now') : t('Suspend now')}
      doing={revoke ? t('Revoking…') : t('Suspending…')}
      disabled={preview === null}
      act={async ({ reason, key }) => {
        const body = { reason };
        begin(await call<Revocation>('POST', `${path}/${how}`, { body, key: key(body) }));
        await changed();
        said.value = {
          text: revoke
            ? t('Revoked {plan} of {name}.', { plan: subscription.plan, name })
            : t('Suspended {plan} of {name}.', { plan: subscription.plan, name }),
          undo: {
            label: t('Undo…'),
            act: () => ask(<Reinstate account={account} changed={changed} subscription={subscription} />),
          },
        };
      }}
    >
      {preview ? (
        <>
          <p class="promise">
            <Timed words={() => promise(how, preview.devices, now.value)} />
          </p>
          <Holders devices={preview.devices} />
        </>
      ) : (
        <Waiting failed={failed} retry={reload} />
      )}
      {rest.length > 0 && (
        <p class="callout">
          {t('They keep {features} by another subscription: withdraw that one, too, if all of it has to go.', {
            features: rest.join(', '),
          })}
        </p>
      )}
      <p>
        {revoke
          ? t(
              'Pages that are open lose premium within seconds; what is offline loses it when it is next in contact, or at its time above.',
            )
          : t(
              'Like a revoke, but meant to be lifted: pages that are open lose premium within seconds, what is offline at its time above.',
            )}{' '}
        {t('Nothing that they have made is deleted, and a payment changes nothing. Reinstating undoes it at any time.')}
      </p>
    </Act>
  );
}

/** Undoes a revoke or a suspension. */
export function Reinstate({ account, changed, subscription }: Props) {
  const { name } = account.user;
  return (
    <Act
      reasons={reasons.reinstatement()}
      title={t('Reinstate {plan} of {name}?', { plan: subscription.plan, name })}
      yes={t('Reinstate now')}
      doing={t('Reinstating…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        const path = `/admin/v1/subscriptions/${encodeURIComponent(subscription.id)}/reinstate`;
        await call('POST', path, { body, key: key(body) });
        end(subscription.id);
        await changed();
        said.value = {
          text: t('Reinstated {plan} of {name}.', { plan: subscription.plan, name }),
          undo: {
            label: t('Undo…'),
            act: () => ask(<Withdraw how="revoke" account={account} changed={changed} subscription={subscription} />),
          },
        };
      }}
    >
      <p>
        {t(
          'It counts again for as long as it is paid. Pages that are open have it back within seconds, every other device when it is next in contact.',
        )}
      </p>
    </Act>
  );
}
