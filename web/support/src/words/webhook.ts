import type { Delivery } from '@holdfast/api';
import { count } from './time.ts';

/** The number of tries, and why the last one failed. */
export function tries({ attempts, state, last_status, last_error }: Delivery): string {
  const often = attempts === 0 ? 'Not tried yet' : count(attempts, 'try', 'tries');
  if (attempts === 0 || state === 'delivered' || last_error === null) return `${often}.`;
  const why = last_error === 'status' ? `it answered ${last_status}` : (failures[last_error] ?? last_error);
  return `${often}; the last one failed: ${why}.`;
}

const failures: Readonly<Record<string, string>> = {
  timeout: 'no answer in time',
  unreachable: 'no connection',
  tls: 'its certificate does not hold',
  connection: 'the connection broke',
  redirect: 'it redirects, which is not followed',
  endpoint_removed: 'the receiver was taken out of the configuration',
};
