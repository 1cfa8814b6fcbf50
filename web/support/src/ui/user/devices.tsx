import type { Account, AdminDevice } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { now } from '../../clock.ts';
import { call } from '../../server.ts';
import * as reasons from '../../words/reason.ts';
import { atLatest, relative } from '../../words/time.ts';
import { said } from '../../work.ts';
import { Act, ask } from '../act.tsx';
import { Id } from '../id.tsx';
import { Timed, When } from '../when.tsx';
import { type CardProps, linkedDevices, mayTouchAccess } from './card.ts';

/** The user's devices, and until when each works without contact. */
export function Devices({ account, changed }: CardProps) {
  const { devices } = account;
  const linked = linkedDevices(account);
  return (
    <section class="card" aria-labelledby="devices">
      <div class="card-head">
        <h2 id="devices">{t('{linked, plural, =0 {Devices} one {# device} other {# devices}}', { linked })}</h2>
        <small>
          {t('{taken} of {limit, plural, one {# place} other {# places}} taken', {
            taken: account.places.taken,
            limit: account.places.limit,
          })}
        </small>
      </div>
      {linked === 0 && <p>{t('None is linked. A device links itself when the customer signs in on it.')}</p>}
      <ul class="rows">
        {devices.map((device) => (
          <li key={device.id}>
            <div>
              <strong>{device.name}</strong>
              {device.quarantined && <em class="badge attention">{t('copied: to be linked again')}</em>}
              {device.removed && <em class="badge">{t('removed')}</em>}
              <small>
                <Timed words={() => offlineWords(device, account, now.value)} />
              </small>
              <small>
                {device.last_reconciled_at
                  ? rich('In contact {when}.', { when: <When at={device.last_reconciled_at} /> })
                  : t('Never in contact.')}{' '}
                {rich('Linked {when}.', { when: <When at={device.linked_at} /> })}
              </small>
              <small>
                {rich('Device {id}', { id: <Id of={t('the id of {name}', { name: device.name })}>{device.id}</Id> })}
              </small>
              {device.frees_up_at && (
                <small>
                  {rich('Counts against the plan’s limit. Frees up {when}.', {
                    when: <When at={device.frees_up_at} />,
                  })}
                </small>
              )}
            </div>
            {mayTouchAccess(account) && device.frees_up_at && (
              <button
                type="button"
                class="button"
                aria-label={t('Free the place of {name}', { name: device.name })}
                onClick={() => ask(<Release account={account} changed={changed} device={device} />)}
              >
                {t('Free place…')}
              </button>
            )}
            {mayTouchAccess(account) && !device.removed && (
              <button
                type="button"
                class="button"
                aria-label={t('Remove {name}', { name: device.name })}
                onClick={() => ask(<Remove account={account} changed={changed} device={device} />)}
              >
                {t('Remove…')}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Remove({ account, changed, device }: CardProps & { readonly device: AdminDevice }) {
  const { name } = account.user;
  const until = offlineUntil(device, now.value);
  return (
    <Act
      danger
      reasons={reasons.access()}
      title={t('Remove {device} of {name}?', { device: device.name, name })}
      yes={t('Remove now')}
      doing={t('Removing…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/devices/${device.id}/revoke`, { body, key: key(body) });
        await changed();
        said.value = {
          text: t('{device} is removed. {name} can link it again with a passkey.', { device: device.name, name }),
        };
      }}
    >
      <p class="promise">
        <Timed
          words={() =>
            until
              ? t('Ends on this device by {latest} at the latest ({relative}); at once if it is online.', {
                  latest: atLatest(until, now.value),
                  relative: relative(until, now.value),
                })
              : t('Ends on this device at once: it holds no document that works offline.')
          }
        />
      </p>
      <p>
        {t(
          'For a lost or stolen device. What they have paid for, and every other device, stay as they are. It is not undone from here: whoever has one of their passkeys can link it again with one tap. If that may be a thief, sign out everywhere, too.',
        )}
      </p>
    </Act>
  );
}

function Release({ account, changed, device }: CardProps & { readonly device: AdminDevice }) {
  const { name } = account.user;
  const until = offlineUntil(device, now.value);
  return (
    <Act
      title={t('Free the place of {name}?', { name: device.name })}
      yes={t('Free place')}
      doing={t('Freeing…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/devices/${device.id}/release`, { body, key: key(body) });
        await changed();
        said.value = {
          text: t('The place of {device} is free. {name} can link another device.', { device: device.name, name }),
        };
      }}
    >
      <p>
        <Timed
          words={() =>
            until
              ? t('Offline, it may go on until {latest} all the same, beside the devices of the plan.', {
                  latest: atLatest(until, now.value),
                })
              : t('It holds no document that works offline.')
          }
        />
      </p>
    </Act>
  );
}

function offlineUntil({ document_expires_at }: AdminDevice, at: Date): Date | null {
  const end = document_expires_at === null ? null : new Date(document_expires_at);
  return end && end > at ? end : null;
}

function offlineWords(device: AdminDevice, { revision, decision }: Account, at: Date): string {
  const until = offlineUntil(device, at);
  const told = device.document_revision !== null && device.document_revision >= revision;
  if (told && Object.keys(decision.features).length === 0)
    return t('Has been told that it may use nothing that is paid.');
  if (until)
    return t('Works offline until {latest} ({relative}) at most.', {
      latest: atLatest(until, at),
      relative: relative(until, at),
    });
  return t('Holds no document that works offline.');
}
