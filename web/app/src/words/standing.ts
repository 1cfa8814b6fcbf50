import type { Entitlement } from '@holdfast/client';
import { inFull, inWords, lasting } from '@holdfast/kit/when.ts';
import { language, list, sentences, t } from '@holdfast/kit/words.ts';
import { freeNotes } from '../allowance.ts';
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
const unknownAccountText = () =>
  t(
    'If no passkey of yours is accepted, the account may have been deleted, or the server reinstalled: ask support, or create a new account.',
  );

const keptText = () => t('All your notes stay readable and editable.');

/** Describes what an entitlement means for the user at a moment. Pure: same input, same words. */
export function standing(
  entitlement: Entitlement,
  { now, reached, trial = true, told = null, locale }: Circumstances,
): Standing {
  const { reason, state, until, paidThrough, features, error, lastContact } = entitlement;
  const [kept, unknownAccount] = [keptText(), unknownAccountText()];
  const say = (time: Date | null) => (time ? inWords(time, now, locale) : t('its end'));
  const offline = reached === false;
  const since = told?.since ? say(told.since) : null;
  const behind = lasting(entitlement.clockBehind ?? 0);
  const help = told?.help ? { help: told.help } : {};
  const ending = endingWords(entitlement.ending);
  // The paid time ran out after the last contact, so this device cannot know what has happened since.
  const suspected = paidThrough !== null && now >= paidThrough && (lastContact === null || lastContact < paidThrough);

  if (reason === 'device_forked') {
    return without('Not linked', {
      headline: t('This device has to be linked again'),
      meaning: t(
        "The server knows a later state of this device than what is here, as after a backup was restored or this browser's data were copied. Premium is paused here. {kept}",
        { kept },
      ),
      advice: t(
        'Sign in with your passkey to link this device again. If you have restored or copied nothing, look at your devices and passkeys.',
      ),
      remedy: 'sign-in',
    });
  }
  if (reason === 'device_removed') {
    return without('Not linked', {
      headline: t('This device was removed from your account'),
      meaning: t('It was removed on another device or by support, so premium is paused here. {kept}', { kept }),
      advice: t('Sign in with your passkey to link this device again.'),
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
          badge: t('Premium'),
          headline: t('Premium is on, but this device is no longer linked'),
          meaning: t('{features} This ends {until}.', { features: granted(features), until: say(until) }),
          advice: t('Sign in with your passkey to link this device and keep premium. {unknownAccount}', {
            unknownAccount,
          }),
          remedy: 'sign-in',
          line: t('Sign in again to keep premium beyond {until}.', { until: say(until) }),
        };
      }
      if (grace && ending) {
        return {
          tone: 'attention',
          badge: t('Premium'),
          headline: t('{what} {ended}; premium stays on a little longer', { what: ending.what, ended: ending.ended }),
          meaning: t('{features} {ran} until {paidThrough}. Premium ends {until}.', {
            features: granted(features),
            ran: ending.ran,
            paidThrough: say(paidThrough),
            until: say(until),
          }),
          advice: ending.again,
          remedy: offline ? 'connect' : null,
          ...help,
          line: t('{what} {ended}. Premium stays until {until}.', {
            what: ending.what,
            ended: ending.ended,
            until: say(until),
          }),
        };
      }
      if (grace && suspected) {
        return {
          tone: 'attention',
          badge: t('Premium'),
          headline: t('Premium is on; its renewal is not confirmed here yet'),
          meaning: t(
            '{features} It was to be renewed {paidThrough}, and this device has not heard from the server since. Without news this ends {until}.',
            { features: granted(features), paidThrough: say(paidThrough), until: say(until) },
          ),
          advice: t('Connect to the internet. If it was renewed, there is nothing else to do: premium simply goes on.'),
          remedy: 'connect',
          ...help,
          line: t('The renewal is not confirmed here yet. Premium stays until {until}.', { until: say(until) }),
        };
      }
      if (grace) {
        return {
          tone: 'attention',
          badge: t('Premium'),
          headline: t('Premium is on, but a payment is missing'),
          meaning: t('{features} Without the payment this ends {until}.', {
            features: granted(features),
            until: say(until),
          }),
          advice: t('Renew your payment; premium then simply goes on.'),
          remedy: offline ? 'connect' : null,
          ...help,
          line: offline
            ? t('The server is out of reach. Premium stays until {until}.', { until: say(until) })
            : t('A payment is missing. Premium stays until {until}.', { until: say(until) }),
        };
      }
      return {
        tone: 'good',
        badge: t('Premium'),
        headline: t('Premium is on'),
        meaning: sentences(
          granted(features),
          paidThrough && t('It runs until {paidThrough}.', { paidThrough: say(paidThrough) }),
        ),
        advice: null,
        remedy: offline ? 'connect' : null,
        line: offline
          ? t('The server is out of reach. Premium until {until}, all saved here.', { until: say(until) })
          : null,
      };
    }
    case 'revoked':
      if (reason === 'disputed') {
        return without('Paused', {
          headline: t('A payment is disputed'),
          meaning: sentences(
            since ? t('The bank wants a payment back since {since}.', { since }) : t('The bank wants a payment back.'),
            t('Premium is paused until that is settled.'),
            kept,
          ),
          advice: t('Ask support what is open. When the payment stands, premium comes back by itself.'),
          remedy: 'connect',
          ...help,
        });
      }
      return reason === 'suspended'
        ? without('Paused', {
            headline: t('Support has paused this subscription'),
            meaning: sentences(
              since && t('It has been paused since {since}.', { since }),
              t('Premium is paused with it.'),
              kept,
            ),
            advice: t('Ask support what is open. When the pause ends, premium comes back by itself.'),
            remedy: 'connect',
            ...help,
          })
        : without('Ended', {
            headline: t('Support has ended this subscription'),
            meaning: sentences(since && t('It ended {since}, and premium with it.', { since }), kept),
            advice: t(
              'If you think this is a mistake, write to support. When it is put right, premium comes back by itself.',
            ),
            remedy: 'connect',
            ...help,
          });
    case 'expired':
      if (error === null) {
        if (ending) {
          return without('Ended', {
            headline: `${ending.what} ${ending.ended}`,
            meaning: sentences(
              paidThrough && t('{ran} until {paidThrough}.', { ran: ending.ran, paidThrough: say(paidThrough) }),
              kept,
            ),
            advice: ending.again,
            remedy: 'connect',
            ...help,
          });
        }
        return without('Ended', {
          headline: t('Your subscription is over'),
          meaning: sentences(ran(paidThrough, told?.since ?? null, say), kept),
          advice: t('Renew the subscription to get unlimited notes and export back.'),
          remedy: 'connect',
          ...help,
        });
      }
      if (suspected && ending) {
        return without('Ended', {
          headline: t('{what} {ended}, as far as this device knows', { what: ending.what, ended: ending.ended }),
          meaning: sentences(t('{ran} until {paidThrough}.', { ran: ending.ran, paidThrough: say(paidThrough) }), kept),
          advice: t(
            'If you have subscribed since, connect to the internet: premium then comes back by itself. {again}',
            { again: ending.again },
          ),
          remedy: 'connect',
        });
      }
      if (suspected) {
        return without('Paused', {
          headline: t('Connect to renew premium'),
          meaning: t(
            'Premium worked offline until {until}. The subscription was to be renewed {paidThrough}, and this device has not heard from the server since. {kept}',
            { until: say(until), paidThrough: say(paidThrough), kept },
          ),
          advice: t('Connect to the internet. If it was renewed, premium comes back by itself.'),
          remedy: 'connect',
          line: t('Premium is paused: connect to renew it.'),
        });
      }
      return without('Paused', {
        headline: t('Connect to renew premium'),
        meaning: sentences(
          until && until <= now
            ? t('Premium worked offline until {until} and now has to ask the server.', { until: say(until) })
            : t('Premium now has to ask the server.'),
          kept,
        ),
        advice: offline
          ? t('The server is out of reach. As soon as it can be reached, premium comes back by itself.')
          : t('Connect to the internet; premium then comes back by itself.'),
        remedy: 'connect',
        line: t('Premium is paused: connect to renew it.'),
      });
    case 'clock_behind':
      return without('Paused', {
        headline: t("This device's clock is behind by {behind} or more", { behind }),
        meaning: t('It shows {now}, which is earlier than a time already seen, so premium is paused. {kept}', {
          now: inFull(now, locale),
          kept,
        }),
        advice: t(
          'Set the clock right, and premium is back at once, offline too. Connecting to the internet brings it back as well.',
        ),
        remedy: 'connect',
        line: t("Premium is paused: this device's clock is behind by {behind} or more. Set it right, or connect.", {
          behind,
        }),
      });
    default:
      if (entitlement.signInNeeded) {
        return {
          tone: 'attention',
          badge: t('Not linked'),
          headline: t('This device is not linked to your account'),
          meaning: t('You can keep up to {freeNotes} notes here. {kept}', { freeNotes, kept }),
          advice: t('Sign in with your passkey to link it and bring back what you have. {unknownAccount}', {
            unknownAccount,
          }),
          remedy: 'sign-in',
          line: t('This device is not linked. Sign in to bring back what you have.'),
        };
      }
      if (entitlement.revision === null || error !== null) {
        const headline = t('Connect to see what you have');
        return without('Not known', {
          headline,
          meaning: sentences(
            error
              ? t('Nothing that is stored on this device proves what you have ({error}).', { error })
              : t('Nothing that is stored on this device says what you have.'),
            kept,
          ),
          advice: t('Connect to the internet: the server then says so by itself.'),
          remedy: 'connect',
          line: `${headline}.`,
        });
      }
      return {
        tone: 'calm',
        badge: t('Free'),
        headline: t('You are on the free plan'),
        meaning: t('Up to {freeNotes} notes on this device, also offline. Premium adds unlimited notes and export.', {
          freeNotes,
        }),
        advice: trial ? null : t('Ask support how to get premium.'),
        remedy: trial ? 'trial' : null,
        line: offline ? t('The server is out of reach. Your notes are saved here.') : null,
      };
  }
}

/** Until when the subscription ran, and premium, which grace may have extended; null: unknown. */
function ran(paidThrough: Date | null, since: Date | null, say: (time: Date) => string): string | null {
  const [paid, end] = [paidThrough, since].map((time) => (time ? say(time) : null));
  if (!paid) return end ? t('Premium ended {end}.', { end }) : null;
  return end && end !== paid
    ? t('It ran until {paid}, and premium ended {end}.', { paid, end })
    : t('It ran until {paid}.', { paid });
}

/** The features that work now and that this app knows, by name. */
function granted({ notes, export: exporting }: Entitlement['features']): string {
  const parts = [];
  if (notes)
    parts.push(notes.limit === undefined ? t('unlimited notes') : t('up to {limit} notes', { limit: notes.limit }));
  if (exporting) parts.push(t('export'));
  if (parts.length === 0) return t('You have what your plan grants, also offline.');
  return t('You have {features}, also offline.', { features: list(parts) });
}

/** A headline after a colon, where only English continues in lower case. */
export function lower(text: string): string {
  return language() === 'en' ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

/** The state without premium; its line says the headline unless it is given. */
function without(
  kind: 'Ended' | 'Paused' | 'Not linked' | 'Not known',
  words: Omit<Standing, 'tone' | 'badge' | 'line'> & { readonly line?: string },
): Standing {
  const headline = lower(words.headline);
  const line =
    kind === 'Ended'
      ? t('Premium has ended: {headline}.', { headline })
      : t('Premium is paused: {headline}.', { headline });
  const badges = {
    Ended: t('Ended'),
    Paused: t('Paused'),
    'Not linked': t('Not linked'),
    'Not known': t('Not known'),
  };
  return { tone: 'attention', badge: badges[kind], line, ...words };
}
