import { locale as reader } from './words.ts';

/**
 * A moment in the reader's language and time zone, in words: "today, 14:05", "tomorrow, 09:00", "Friday, 12 December, 14:05";
 * with the year when it is not this one.
 */
export function inWords(time: Date, now: Date, locale = reader()): string {
  const clock = formatter(locale, { hour: '2-digit', minute: '2-digit' }).format(time);
  return `${dayInWords(time, now, locale)}, ${clock}`;
}

/** A moment with weekday, date, year and time, for places where "today" would be ambiguous. */
export function inFull(time: Date, locale = reader()): string {
  return formatter(locale, { dateStyle: 'full', timeStyle: 'short' }).format(time);
}

/** A number of milliseconds, in the largest unit that leaves more than one of it: "11 minutes", "6 hours", "3 days". */
export function lasting(milliseconds: number, locale = reader()): string {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 120 && minutes !== 60) return inUnits(minutes, 'minute', locale);
  const hours = Math.round(minutes / 60);
  return hours < 48 ? inUnits(hours, 'hour', locale) : inUnits(Math.round(hours / 24), 'day', locale);
}

/** A wait, rounded up: "6 seconds", "1 minute", "2 hours". */
export function waiting(seconds: number, locale = reader()): string {
  const minutes = Math.ceil(seconds / 60);
  if (seconds < 60) return inUnits(Math.ceil(seconds), 'second', locale);
  return minutes < 60 ? inUnits(minutes, 'minute', locale) : inUnits(Math.ceil(seconds / 3_600), 'hour', locale);
}

/** A short form for lists: the time today, else the day, else day and year. */
export function inShort(time: Date, now: Date, locale = reader()): string {
  if (sameDay(time, now)) {
    return formatter(locale, { hour: '2-digit', minute: '2-digit' }).format(time);
  }
  const sameYear = time.getFullYear() === now.getFullYear();
  return formatter(locale, {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(time);
}

/** A number as the reader's language groups it: "5,000". */
export function thousands(number: number, locale = reader()): string {
  return number.toLocaleString(locale);
}

function inUnits(count: number, unit: string, locale: string): string {
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(count);
}

function dayInWords(time: Date, now: Date, locale: string): string {
  const near = (days: number) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day');
  if (sameDay(time, now)) return near(0);
  // By calendar, not by 24 hours: days of 23 and 25 hours exist.
  if (sameDay(time, new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1))) return near(1);
  if (sameDay(time, new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return near(-1);
  const sameYear = time.getFullYear() === now.getFullYear();
  return formatter(locale, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(time);
}

function sameDay(a: Date, b: Date): boolean {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

/**
 * Creating a formatter costs far more than using it, and an export uses it thousands of times. Each keeps the time zone it
 * was created in.
 */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([locale, options, new Date().getTimezoneOffset()]);
  let made = formatters.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(locale, options);
    formatters.set(key, made);
  }
  return made;
}
