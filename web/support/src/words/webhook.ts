import type { Delivery } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';

/** The state of a delivery, in a word. */
export function deliveryWords(state: Delivery['state']): string {
  return { pending: t('waiting'), delivered: t('delivered'), dead: t('given up') }[state];
}

/** The number of tries, and why the last one failed. */
export function tries({ attempts, state, last_status, last_error }: Delivery): string {
  if (attempts === 0) return t('Not tried yet.');
  if (state === 'delivered' || last_error === null) {
    return t('{attempts, plural, one {# try} other {# tries}}.', { attempts });
  }
  const why =
    last_error === 'status'
      ? t('it answered {status}', { status: last_status })
      : (failures()[last_error] ?? last_error);
  return t('{attempts, plural, one {# try} other {# tries}}; the last one failed: {why}.', { attempts, why });
}

function failures(): Readonly<Record<string, string>> {
  return {
    timeout: t('no answer in time'),
    unreachable: t('no connection'),
    tls: t('its certificate does not hold'),
    connection: t('the connection broke'),
    redirect: t('it redirects, which is not followed'),
    endpoint_removed: t('the receiver was taken out of the configuration'),
  };
}
