import { t } from '@holdfast/kit/words.ts';
import { replaceable, replaceDevice } from '../client.ts';
import { deviceNames } from '../words/device.ts';
import { ActionButton } from './action-button.tsx';
import { DeviceWords } from './device-words.tsx';

/** The choice when the plan's devices are all in use: which one does this device replace? */
export function Replaceable() {
  const names = deviceNames(replaceable.value);
  return (
    <>
      <p class="note">
        {t('On the one that is replaced, premium ends. Its notes stay on it: each device has its own.')}
      </p>
      <ul class="devices" aria-label={t('Devices in use')}>
        {replaceable.value.map((device) => {
          const name = names.get(device.id) ?? device.name;
          return (
            <li key={device.id}>
              <DeviceWords device={device} name={name} />
              {device.replaceable && (
                <ActionButton
                  action="link"
                  label={t('Replace {name}', { name })}
                  onClick={() => replaceDevice(device.id)}
                >
                  {t('Replace')}
                </ActionButton>
              )}
            </li>
          );
        })}
      </ul>
    </>
  );
}
