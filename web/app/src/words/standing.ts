import type { Entitlement } from '@holdfast/client';
import { inFull, inWords, lasting } from '@holdfast/kit/when.ts';
import { freeNotes } from '../allowance.ts';
import type { Event } from '../timeline.ts';
import { endingWords } from './ending.ts';

/** The user's remedy for a state: which button to offer. */
export type Remedy = 'trial' | 'connect' | 'sign-in' | null;

/** A state of the entitlement, in plain words. */
export interface Standing {
  readonly tone: 'calm' | 'good' | 'attention';
  /** One or two words beside the name. */
  readonly badge: string;
  readonly headline: string;
  /** What works now, and why. */
  readonly meaning: string;
  /** What to do about it; null: nothing to do. */
  readonly advice: string | null;
  readonly remedy: Remedy;
  /** Where the user can get help: an `https:` or `mailto:` address; absent: unknown. */
  readonly help?: string;
  /** The status line; null when all is well. */
  readonly line: string | null;
}

interface Circumstances {
  readonly now: Date;
  /** Whether the last try reached the server; null: not tried yet. */
  readonly reached: boolean | null;
  /** Whether the user may still have a trial, as far as is known. Default: true. */
  readonly trial?: boolean;
  /** The server's explanation besides the document; null: none, or none yet. */
  readonly told?: Told | null;
  readonly locale?: string;
}

/** The server's explanation of a state in which premium has ended or is paused, or soon will be. */
export interface Told {
  /** When that state began. */
  readonly since: Date | null;
  /** See {@link Standing.help}. */
  readonly help: string | null;
}

/** If the server does not know the device, it may not know its account either. */
const unknownAccount =
  'If no passkey of yours is accepted, the account may have been deleted, or the server reinstalled: ask support, or create a new account.';

const kept = 'All your notes stay readable and editable.';

/** Describes what an entitlement means for the user at a moment. Pure: same input, same words. */
export function standing(
  entitlement: Entitlement,
  { now, reached, trial = true, told = null, locale }: Circumstances,
): Standing {
  const { reason, state, until, paidThrough, features, error, lastContact } = entitlement;
  const say = (time: Date | null) => (time ? inWords(time, now, locale) : 'its end');
  const offline = reached === false;
  const since = told?.since ? say(told.since) : null;
  const behind = lasting(entitlement.clockBehind ?? 0);
  const help = told?.help ? { help: told.help } : {};
  const ending = endingWords(entitlement.ending);
  // The paid time ran out after the last contact, so this device cannot know what has happened since.
  const suspected = paidThrough !== null && now >= paidThrough && (lastContact === null || lastContact < paidThrough);

  if (reason === 'device_forked') {
    return without('Not linked', {
      headline: 'This device has to be linked again',
      meaning: `The server knows a later state of this device than what is here, as after a backup was restored or this browser's data were copied. Premium is paused here. ${kept}`,
      advice:
        'Sign in with your passkey to link this device again. If you have restored or copied nothing, look at your devices and passkeys.',
      remedy: 'sign-in',
    });
  }
  if (reason === 'device_removed') {
    return without('Not linked', {
      headline: 'This device was removed from your account',
      meaning: `It was removed on another device or by support, so premium is paused here. ${kept}`,
      advice: 'Sign in with your passkey to link this device again.',
      remedy: 'sign-in',
    });
  }

  switch (state) {
    case 'active':
    case 'grace': {
      const grace = state === 'grace';
      if (entitlement.signInNeeded) {
        return {
          tone: 'attention',
          badge: 'Premium',
          headline: 'Premium is on, but this device is no longer linked',
          meaning: `${granted(features)} This ends ${say(until)}.`,
          advice: `Sign in with your passkey to link this device and keep premium. ${unknownAccount}`,
          remedy: 'sign-in',
          line: `Sign in again to keep premium beyond ${say(until)}.`,
        };
      }
      if (grace && ending) {
        return {
          tone: 'attention',
          badge: 'Premium',
          headline: `${ending.what} ${ending.ended}; premium stays on a little longer`,
          meaning: `${granted(features)} ${ending.ran} until ${say(paidThrough)}. Premium ends ${say(until)}.`,
          advice: ending.again,
          remedy: offline ? 'connect' : null,
          ...help,
          line: `${ending.what} ${ending.ended}. Premium stays until ${say(until)}.`,
        };
      }
      if (grace && suspected) {
        return {
          tone: 'attention',
          badge: 'Premium',
          headline: 'Premium is on; its renewal is not confirmed here yet',
          meaning: `${granted(features)} It was to be renewed ${say(paidThrough)}, and this device has not heard from the server since. Without news this ends ${say(until)}.`,
          advice: 'Connect to the internet. If it was renewed, there is nothing else to do: premium simply goes on.',
          remedy: 'connect',
          ...help,
          line: `The renewal is not confirmed here yet. Premium stays until ${say(until)}.`,
        };
      }
      if (grace) {
        return {
          tone: 'attention',
          badge: 'Premium',
          headline: 'Premium is on, but a payment is missing',
          meaning: `${granted(features)} Without the payment this ends ${say(until)}.`,
          advice: 'Renew your payment; premium then simply goes on.',
          remedy: offline ? 'connect' : null,
          ...help,
          line: offline
            ? `The server is out of reach. Premium stays until ${say(until)}.`
            : `A payment is missing. Premium stays until ${say(until)}.`,
        };
      }
      return {
        tone: 'good',
        badge: 'Premium',
        headline: 'Premium is on',
        meaning: `${granted(features)}${paidThrough ? ` It runs until ${say(paidThrough)}.` : ''}`,
        advice: null,
        remedy: offline ? 'connect' : null,
        line: offline ? `The server is out of reach. Premium until ${say(until)}, all saved here.` : null,
      };
    }
    case 'revoked':
      if (reason === 'disputed') {
        return without('Paused', {
          headline: 'A payment is disputed',
          meaning: `${since ? `The bank wants a payment back since ${since}. ` : 'The bank wants a payment back. '}Premium is paused until that is settled. ${kept}`,
          advice: 'Ask support what is open. When the payment stands, premium comes back by itself.',
          remedy: 'connect',
          ...help,
        });
      }
      return reason === 'suspended'
        ? without('Paused', {
            headline: 'Support has paused this subscription',
            meaning: `${since ? `It has been paused since ${since}. ` : ''}Premium is paused with it. ${kept}`,
            advice: 'Ask support what is open. When the pause ends, premium comes back by itself.',
            remedy: 'connect',
            ...help,
          })
        : without('Ended', {
            headline: 'Support has ended this subscription',
            meaning: `${since ? `It ended ${since}, and premium with it. ` : ''}${kept}`,
            advice:
              'If you think this is a mistake, write to support. When it is put right, premium comes back by itself.',
            remedy: 'connect',
            ...help,
          });
    case 'expired':
      if (error === null) {
        if (ending) {
          return without('Ended', {
            headline: `${ending.what} ${ending.ended}`,
            meaning: `${paidThrough ? `${ending.ran} until ${say(paidThrough)}. ` : ''}${kept}`,
            advice: ending.again,
            remedy: 'connect',
            ...help,
          });
        }
        return without('Ended', {
          headline: 'Your subscription is over',
          meaning: `${ran(paidThrough, told?.since ?? null, say)}${kept}`,
          advice: 'Renew the subscription to get unlimited notes and export back.',
          remedy: 'connect',
          ...help,
        });
      }
      if (suspected && ending) {
        return without('Ended', {
          headline: `${ending.what} ${ending.ended}, as far as this device knows`,
          meaning: `${ending.ran} until ${say(paidThrough)}. ${kept}`,
          advice: `If you have subscribed since, connect to the internet: premium then comes back by itself. ${ending.again}`,
          remedy: 'connect',
        });
      }
      if (suspected) {
        return without('Paused', {
          headline: 'Connect to renew premium',
          meaning: `Premium worked offline until ${say(until)}. The subscription was to be renewed ${say(paidThrough)}, and this device has not heard from the server since. ${kept}`,
          advice: 'Connect to the internet. If it was renewed, premium comes back by itself.',
          remedy: 'connect',
          line: 'Premium is paused: connect to renew it.',
        });
      }
      return without('Paused', {
        headline: 'Connect to renew premium',
        meaning: `${until && until <= now ? `Premium worked offline until ${say(until)} and` : 'Premium'} now has to ask the server. ${kept}`,
        advice: offline
          ? 'The server is out of reach. As soon as it can be reached, premium comes back by itself.'
          : 'Connect to the internet; premium then comes back by itself.',
        remedy: 'connect',
        line: 'Premium is paused: connect to renew it.',
      });
    case 'clock_behind':
      return without('Paused', {
        headline: `This device's clock is behind by ${behind} or more`,
        meaning: `It shows ${inFull(now, locale)}, which is earlier than a time already seen, so premium is paused. ${kept}`,
        advice:
          'Set the clock right, and premium is back at once, offline too. Connecting to the internet brings it back as well.',
        remedy: 'connect',
        line: `Premium is paused: this device's clock is behind by ${behind} or more. Set it right, or connect.`,
      });
    default:
      if (entitlement.signInNeeded) {
        return {
          tone: 'attention',
          badge: 'Not linked',
          headline: 'This device is not linked to your account',
          meaning: `You can keep up to ${freeNotes} notes here. ${kept}`,
          advice: `Sign in with your passkey to link it and bring back what you have. ${unknownAccount}`,
          remedy: 'sign-in',
          line: 'This device is not linked. Sign in to bring back what you have.',
        };
      }
      if (entitlement.revision === null || error !== null) {
        const headline = 'Connect to see what you have';
        return without('Not known', {
          headline,
          meaning: `Nothing that is stored on this device ${error ? `proves what you have (${error})` : 'says what you have'}. ${kept}`,
          advice: 'Connect to the internet: the server then says so by itself.',
          remedy: 'connect',
          line: `${headline}.`,
        });
      }
      return {
        tone: 'calm',
        badge: 'Free',
        headline: 'You are on the free plan',
        meaning: `Up to ${freeNotes} notes on this device, also offline. Premium adds unlimited notes and export.`,
        advice: trial ? null : 'Ask support how to get premium.',
        remedy: trial ? 'trial' : null,
        line: offline ? 'The server is out of reach. Your notes are saved here.' : null,
      };
  }
}

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
    if (until) lines.push({ event: 'end', term: 'Works offline until', value: say(until) });
    if (refreshAfter) {
      lines.push({
        event: 'refresh',
        term: 'Next check due',
        value: now >= refreshAfter ? 'as soon as it can be reached' : say(refreshAfter),
      });
    }
    // A trial looks like any other subscription here, so nothing may be called paid.
    if (paidThrough) {
      const due = entitlement.ending ? 'Ran until' : 'To be renewed';
      const term = state === 'grace' ? due : 'Runs until';
      lines.push({ event: 'paid', term, value: say(paidThrough) });
    }
  }
  if (state === 'expired' && entitlement.error !== null && until) {
    lines.push({ event: 'end', term: 'Worked offline until', value: say(until) });
  }
  if (lastContact) lines.push({ event: 'issued', term: 'Last heard from the server', value: say(lastContact) });
  return lines;
}

/** Until when the subscription ran, and premium, which grace may have extended. */
function ran(paidThrough: Date | null, since: Date | null, say: (time: Date) => string): string {
  const [paid, end] = [paidThrough, since].map((time) => (time ? say(time) : null));
  if (!paid) return end ? `Premium ended ${end}. ` : '';
  return end && end !== paid ? `It ran until ${paid}, and premium ended ${end}. ` : `It ran until ${paid}. `;
}

/** The features that work now and that this app knows, by name. */
function granted({ notes, export: exporting }: Entitlement['features']): string {
  const parts = [];
  if (notes) parts.push(notes.limit === undefined ? 'unlimited notes' : `up to ${notes.limit} notes`);
  if (exporting) parts.push('export');
  return `You have ${parts.length > 0 ? parts.join(' and ') : 'what your plan grants'}, also offline.`;
}

export function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The state without premium; its line says the headline unless it is given. */
function without(
  badge: string,
  words: Omit<Standing, 'tone' | 'badge' | 'line'> & { readonly line?: string },
): Standing {
  const line = `Premium ${badge === 'Ended' ? 'has ended' : 'is paused'}: ${lower(words.headline)}.`;
  return { tone: 'attention', badge, line, ...words };
}
