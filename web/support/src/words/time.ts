import { locale, t } from '@holdfast/kit/words.ts';
import { signal } from '@preact/signals';

const day = 86_400_000;
const hour = 3_600_000;
const minute = 60_000;

/** The time zone in which times are shown; undefined: this device's. Kept by settings.ts. */
export const zone = signal<string | undefined>(undefined);

/** "3 Dec 2026, 15:00 CET", in the zone that the reader has chosen. */
export function stamp(time: Date): string {
  return formatter(zone.value, 'minute').format(time);
}

/** "3 Dec 2026, 14:00 UTC": the same moment for every reader. */
export function utc(time: Date): string {
  return formatter('UTC', 'minute').format(time);
}

let forced = false;

/** Returns `words` as a reader would see them who has chosen UTC. */
export function inUtc(words: () => string): string {
  forced = true;
  try {
    return words();
  } finally {
    forced = false;
  }
}

/** A promised latest moment: rounded up, and to the second when it is near. */
export function atLatest(time: Date, now: Date): string {
  const near = time.getTime() - now.getTime() < 10 * minute;
  const unit = near ? 1_000 : minute;
  const late = new Date(Math.ceil(time.getTime() / unit) * unit);
  return formatter(zone.value, near ? 'second' : 'minute').format(late);
}

/** Creating a formatter costs far more than using it. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(chosen: string | undefined, to: 'minute' | 'second'): Intl.DateTimeFormat {
  const timeZone = forced ? 'UTC' : chosen;
  const key = `${locale()} ${timeZone} ${to}`;
  let made = formatters.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(locale(), {
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      ...(to === 'second' && { second: '2-digit' }),
      timeZoneName: 'short',
      ...(timeZone !== undefined && { timeZone }),
    });
    formatters.set(key, made);
  }
  return made;
}

/**
 * "in 7 days", "in 6 days 4 h", "in 2 h 13 min", "in 45 s", "5 min ago", "now": the largest unit, and the next one where it
 * matters. Rounded towards now, so that remaining time is never overstated.
 */
export function relative(time: Date, now: Date): string {
  const difference = time.getTime() - now.getTime();
  const size = Math.abs(difference);
  const later = difference > 0;
  if (size < 1_000) return t('now');
  const whole = (number: number, unit: 'year' | 'day') =>
    new Intl.RelativeTimeFormat(locale()).format(later ? number : -number, unit);
  if (size >= 730 * day) return whole(Math.floor(size / (365.25 * day)), 'year');
  const days = Math.floor(size / day);
  const hours = Math.floor((size % day) / hour);
  if (days >= 14 || (days > 0 && hours === 0)) return whole(days, 'day');
  if (days > 0) {
    return later
      ? t('in {days, plural, one {# day} other {# days}} {hours} h', { days, hours })
      : t('{days, plural, one {# day} other {# days}} {hours} h ago', { days, hours });
  }
  const short = clockTime(size);
  return later ? t('in {short}', { short }) : t('{short} ago', { short });
}

/** "2 h 13 min", "12 min", "45 s". The units are written alike in all languages on offer. */
function clockTime(milliseconds: number): string {
  const hours = Math.floor(milliseconds / hour);
  const minutes = Math.floor((milliseconds % hour) / minute);
  const seconds = Math.floor((milliseconds % minute) / 1_000);
  if (hours > 0) return two(`${hours} h`, minutes, 'min');
  if (minutes >= 10) return `${minutes} min`;
  return minutes > 0 ? two(`${minutes} min`, seconds, 's') : `${seconds} s`;
}

/** A configured duration, in whole units if possible: "7 days", "36 h", "90 s". */
export function span(seconds: number): string {
  if (seconds === 0) return t('none');
  if (seconds % 86_400 === 0) return days(seconds / 86_400);
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  if (seconds % 60 === 0) return `${seconds / 60} min`;
  return `${seconds} s`;
}

/** "3 Dec 2026, 15:00 CET (in 7 days)". */
export function moment(time: Date, now: Date): string {
  return `${stamp(time)} (${relative(time, now)})`;
}

/** "7 days". */
export function days(number: number): string {
  return t('{number, plural, one {# day} other {# days}}', { number });
}

/** The start of a day as a date field holds it, or of the day so many days later, for the server; '' without a date. */
export function startOfDay(day: string, later: number): string {
  const [year, month, date] = day.split('-').map(Number);
  if (!year || !month || !date) return '';
  const parts = [year, month - 1, date + later] as const;
  return new Date(zone.value === 'UTC' ? Date.UTC(...parts) : new Date(...parts)).toISOString();
}

function two(first: string, rest: number, unit: string): string {
  return rest === 0 ? first : `${first} ${rest} ${unit}`;
}
