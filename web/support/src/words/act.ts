import type { Action } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';

/** What became of a recorded act, in a sentence. */
export function verdictWords({ verdict, code }: Action): string {
  if (verdict === 'accepted') return t('Accepted.');
  if (verdict === 'superseded') return t('Taken back by support or the host.');
  return t('Refused: {why}.', {
    why: refusals()[code ?? ''] ?? t('the server’s reason is {code}', { code }),
  });
}

function refusals(): Readonly<Record<string, string>> {
  return {
    revoked: t('the subscription was withheld, or the device removed, at some time when it may have happened'),
    expired: t('the paid time was over at some time when it may have happened'),
    not_granted: t('the plan did not include it at some time when it may have happened'),
    over_limit: t('the plan’s limit was reached'),
    too_old: t('it claims a time before its document, or came more than 90 days after that ended'),
    from_future: t('it claims a time that had not come yet'),
    quarantined: t('there are two copies of the device'),
  };
}
