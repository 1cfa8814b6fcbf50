import { Confirmation } from '@holdfast/kit/confirmation.tsx';
import { t } from '@holdfast/kit/words.ts';
import { useEffect } from 'preact/hooks';
import { confirming, device, user } from '../../client.ts';
import { devices, forgetDevices, listDevices, unlinkDevice } from '../../devices.ts';
import { go } from '../../route.ts';
import { deviceNames } from '../../words/device.ts';
import { ActionButton } from '../action-button.tsx';
import { DeviceWords } from '../device-words.tsx';
import { Mark } from '../mark.tsx';
import { Outcome } from '../outcome.tsx';

/** Shown after a recovery: a user who lost a passkey may have lost its device, which can be unlinked here. */
export function Recovered() {
  useEffect(() => {
    void listDevices();
    return forgetDevices;
  }, []);
  const listing = devices.value;
  const listed = Array.isArray(listing);
  const names = deviceNames(listed ? listing : []);
  const others = listed ? listing.filter(({ id }) => id !== device.value) : [];
  return (
    <main class="threshold">
      <div class="threshold-intro">
        <p class="brand">
          <Mark /> Fieldbook
        </p>
        <h1>{t('Welcome back, {name}.', { name: user.value?.name })}</h1>
        <ul class="promises">
          <li>{t('Your new passkey works from now on.')}</li>
          <li>{t('All other sessions are ended.')}</li>
          <li>{t('Old passkeys still work: delete what you have lost.')}</li>
        </ul>
      </div>
      <div class="threshold-card">
        <h2>
          {others.length > 0
            ? t('Have you lost one of these?')
            : listed
              ? t('No other device is linked.')
              : t('You are signed in.')}
        </h2>
        {others.length > 0 && (
          <>
            <p>{t('Unlink what is not with you any more: premium ends there when it is online next.')}</p>
            <ul class="devices" aria-label={t('Other devices')}>
              {others.map((other) => (
                <li key={other.id}>
                  <DeviceWords device={other} name={names.get(other.id) ?? other.name} />
                  <ActionButton
                    action="unlink"
                    label={t('Unlink {device}', { device: names.get(other.id) ?? other.name })}
                    onClick={() => unlinkDevice(other)}
                  >
                    {t('Unlink')}
                  </ActionButton>
                </li>
              ))}
            </ul>
          </>
        )}
        <Outcome about={['unlink']} />
        <button type="button" class="button primary wide" onClick={() => go({ at: 'list' }, true)}>
          {t('Go to my notes')}
        </button>
        <a class="button quiet wide" href="#/security">
          {t('Passkeys and recovery codes')}
        </a>
      </div>
      <Confirmation confirming={confirming} kind="question" />
    </main>
  );
}
