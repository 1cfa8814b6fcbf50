import type { Action } from '@holdfast/api';

/** What became of a recorded act, in a sentence. */
export function verdictWords({ verdict, code }: Action): string {
  if (verdict === 'accepted') return 'Accepted.';
  if (verdict === 'superseded') return 'Taken back by support or the host.';
  return `Refused: ${refusals[code ?? ''] ?? `the server’s reason is ${code}`}.`;
}

const refusals: Readonly<Record<string, string>> = {
  revoked: 'the subscription was withheld, or the device removed, at some time when it may have happened',
  expired: 'the paid time was over at some time when it may have happened',
  not_granted: 'the plan did not include it at some time when it may have happened',
  over_limit: 'the plan’s limit was reached',
  too_old: 'it claims a time before its document, or came more than 90 days after that ended',
  from_future: 'it claims a time that had not come yet',
  quarantined: 'there are two copies of the device',
};
