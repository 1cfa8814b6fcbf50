import type { LinkedDevice } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { device, entitlement, now, signIn } from '../../client.ts';
import { devices, forgetDevices, listDevices, unlinkDevice } from '../../devices.ts';
import { paced } from '../../paced.ts';
import { reached } from '../../reached.ts';
import { deviceNames } from '../../words/device.ts';
import { ActionButton } from '../action-button.tsx';
import { DeviceWords } from '../device-words.tsx';
import { Outcome } from '../outcome.tsx';
import { Question } from '../question.tsx';
import { SignOut } from './sign-out.tsx';

/** The devices of the account: this one, with signing out, and the others, which can be unlinked from here. */
export function Devices() {
  const ask = useMemo(() => paced(listDevices, 10_000), []);
  // Fetched when the page opens, when the server is back, and after a new document.
  useSignalEffect(() => {
    entitlement.value;
    if (reached.value !== false) ask();
  });
  useEffect(() => forgetDevices, []);

  const leaving = useSignal<LinkedDevice | null>(null);
  const question = useRef<HTMLDialogElement>(null);
  const listing = devices.value;
  const linked = !entitlement.value.signInNeeded;
  const known = Array.isArray(listing) ? (listing as readonly LinkedDevice[]) : [];
  const here = linked ? known.find(({ id }) => id === device.value) : undefined;
  const others = known.filter((each) => each !== here);
  const names = deviceNames(known);
  const nameOf = ({ id, name }: LinkedDevice) => names.get(id) ?? name;
  return (
    <section class="card" aria-labelledby="devices">
      <h3 id="devices">{t('Devices')}</h3>
      <ul class="devices">
        <li>
          <span>
            <strong>{here ? nameOf(here) : t('This browser')}</strong>
            <small>
              <em class="badge good">{t('This device')}</em>{' '}
              {linked
                ? here && t('Linked {linkedAt}', { linkedAt: inWords(here.linkedAt, now.value) })
                : t('Not linked to your account')}
            </small>
          </span>
          <SignOut />
        </li>
        {others.map((other) => (
          <li key={other.id}>
            <DeviceWords device={other} name={nameOf(other)} />
            <button
              type="button"
              class="button"
              aria-label={t('Unlink {other}', { other: nameOf(other) })}
              onClick={() => {
                leaving.value = other;
                question.current?.showModal();
              }}
            >
              {t('Unlink')}
            </button>
          </li>
        ))}
      </ul>
      <p class="note">
        {said(listing === 'not asked' && reached.value === false ? 'out of reach' : listing, others.length)}
      </p>
      <Outcome about={['unlink', 'sign-out']} />
      {listing === 'session over' && (
        <div class="actions">
          <ActionButton action="sign-in" doing={t('Waiting for your passkey…')} onClick={signIn}>
            {t('Sign in with a passkey')}
          </ActionButton>
        </div>
      )}
      <Question
        dialog={question}
        id="unlink-question"
        title={t('Unlink {device}?', { device: leaving.value ? nameOf(leaving.value) : '' })}
        no={t('Keep it')}
        yes={t('Unlink')}
        action="unlink"
        onYes={() => {
          if (leaving.value) void unlinkDevice(leaving.value);
        }}
      >
        <p>
          {t(
            'Premium ends there when it is online next, at the latest when it would have had to renew. Notes stay on it.',
          )}
        </p>
      </Question>
    </section>
  );
}

function said(listing: typeof devices.value, others: number): string {
  switch (listing) {
    case 'not asked':
      return '';
    case 'out of reach':
      return t('Your other devices are listed here when the server can be reached.');
    case 'session over':
      return t('To see your other devices, sign in with your passkey once more.');
    default:
      return others === 0 ? t('No other device is linked to your account.') : '';
  }
}
