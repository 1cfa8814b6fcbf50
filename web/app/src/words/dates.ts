import type { Entitlement } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import type { Event } from '../timeline.ts';

/** "Until when": the lines under the headline, each present only if it is known to be true. */
export function dates(
  entitlement: Entitlement,
  now: Date,
  locale?: string,
): { event: Event; term: string; value: string }[] {
  const { until, refreshAfter, paidThrough, lastContact, state } = entitlement;
  const say = (time: Date) => inWords(time, now, locale);
  const lines: { event: Event; term: string; value: string }[] = [];
  if (state === 'active' || state === 'grace') {
    if (until) lines.push({ event: 'end', term: t('Works offline until'), value: say(until) });
    if (refreshAfter) {
      lines.push({
        event: 'refresh',
        term: t('Next check due'),
        value: now >= refreshAfter ? t('as soon as it can be reached') : say(refreshAfter),
      });
    }
    // A trial looks like any other subscription here, so nothing may be called paid.
    if (paidThrough) {
      const due = entitlement.ending ? t('Ran until') : t('To be renewed');
      const term = state === 'grace' ? due : t('Runs until');
      lines.push({ event: 'paid', term, value: say(paidThrough) });
    }
  }
  if (state === 'expired' && entitlement.error !== null && until) {
    lines.push({ event: 'end', term: t('Worked offline until'), value: say(until) });
  }
  if (lastContact) lines.push({ event: 'issued', term: t('Last heard from the server'), value: say(lastContact) });
  return lines;
}
