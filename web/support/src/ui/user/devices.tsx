import type { Account, AdminDevice } from '@holdfast/api';
import { now } from '../../clock.ts';
import { call } from '../../server.ts';
import * as reasons from '../../words/reason.ts';
import { atLatest, count, relative } from '../../words/time.ts';
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
        <h2 id="devices">{linked === 0 ? 'Devices' : count(linked, 'device')}</h2>
        <small>{`${account.places.taken} of ${count(account.places.limit, 'place')} taken`}</small>
      </div>
      {linked === 0 && <p>None is linked. A device links itself when the customer signs in on it.</p>}
      <ul class="rows">
        {devices.map((device) => (
          <li key={device.id}>
            <div>
              <strong>{device.name}</strong>
              {device.quarantined && <em class="badge attention">copied: to be linked again</em>}
              {device.removed && <em class="badge">removed</em>}
              <small>
                <Timed words={() => offlineWords(device, account, now.value)} />
              </small>
              <small>
                {device.last_reconciled_at ? (
                  <>
                    In contact <When at={device.last_reconciled_at} />
                  </>
                ) : (
                  'Never in contact'
                )}
                . Linked <When at={device.linked_at} />.
              </small>
              <small>
                Device <Id of={`the id of ${device.name}`}>{device.id}</Id>
              </small>
              {device.frees_up_at && (
                <small>
                  Counts against the plan's limit. Frees up <When at={device.frees_up_at} />.
                </small>
              )}
            </div>
            {mayTouchAccess(account) && device.frees_up_at && (
              <button
                type="button"
                class="button"
                aria-label={`Free the place of ${device.name}`}
                onClick={() => ask(<Release account={account} changed={changed} device={device} />)}
              >
                Free place…
              </button>
            )}
            {mayTouchAccess(account) && !device.removed && (
              <button
                type="button"
                class="button"
                aria-label={`Remove ${device.name}`}
                onClick={() => ask(<Remove account={account} changed={changed} device={device} />)}
              >
                Remove…
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
      reasons={reasons.access}
      title={`Remove ${device.name} of ${name}?`}
      yes="Remove now"
      doing="Removing…"
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/devices/${device.id}/revoke`, { body, key: key(body) });
        await changed();
        said.value = { text: `${device.name} is removed. ${name} can link it again with a passkey.` };
      }}
    >
      <p class="promise">
        <Timed
          words={() =>
            until
              ? `Ends on this device by ${atLatest(until, now.value)} at the latest (${relative(until, now.value)}); at once if it is online.`
              : 'Ends on this device at once: it holds no document that works offline.'
          }
        />
      </p>
      <p>
        For a lost or stolen device. What they have paid for, and every other device, stay as they are. It is not undone
        from here: whoever has one of their passkeys can link it again with one tap. If that may be a thief, sign out
        everywhere, too.
      </p>
    </Act>
  );
}

function Release({ account, changed, device }: CardProps & { readonly device: AdminDevice }) {
  const { name } = account.user;
  const until = offlineUntil(device, now.value);
  return (
    <Act
      title={`Free the place of ${device.name}?`}
      yes="Free place"
      doing="Freeing…"
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/devices/${device.id}/release`, { body, key: key(body) });
        await changed();
        said.value = { text: `The place of ${device.name} is free. ${name} can link another device.` };
      }}
    >
      <p>
        <Timed
          words={() =>
            until
              ? `Offline, it may go on until ${atLatest(until, now.value)} all the same, beside the devices of the plan.`
              : 'It holds no document that works offline.'
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
  if (told && Object.keys(decision.features).length === 0) return 'Has been told that it may use nothing that is paid.';
  if (until) return `Works offline until ${atLatest(until, at)} (${relative(until, at)}) at most.`;
  return 'Holds no document that works offline.';
}
