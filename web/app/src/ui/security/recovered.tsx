import { Confirmation } from '@holdfast/kit/confirmation.tsx';
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
        <h1>Welcome back, {user.value?.name}.</h1>
        <ul class="promises">
          <li>Your new passkey works from now on.</li>
          <li>All other sessions are ended.</li>
          <li>Old passkeys still work: delete what you have lost.</li>
        </ul>
      </div>
      <div class="threshold-card">
        <h2>
          {others.length > 0
            ? 'Have you lost one of these?'
            : listed
              ? 'No other device is linked.'
              : 'You are signed in.'}
        </h2>
        {others.length > 0 && (
          <>
            <p>Unlink what is not with you any more: premium ends there when it is online next.</p>
            <ul class="devices" aria-label="Other devices">
              {others.map((other) => (
                <li key={other.id}>
                  <DeviceWords device={other} name={names.get(other.id) ?? other.name} />
                  <ActionButton
                    action="unlink"
                    label={`Unlink ${names.get(other.id) ?? other.name}`}
                    onClick={() => unlinkDevice(other)}
                  >
                    Unlink
                  </ActionButton>
                </li>
              ))}
            </ul>
          </>
        )}
        <Outcome about={['unlink']} />
        <button type="button" class="button primary wide" onClick={() => go({ at: 'list' }, true)}>
          Go to my notes
        </button>
        <a class="button quiet wide" href="#/security">
          Passkeys and recovery codes
        </a>
      </div>
      <Confirmation confirming={confirming} kind="question" />
    </main>
  );
}
