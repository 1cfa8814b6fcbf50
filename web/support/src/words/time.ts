const day = 86_400_000;
const hour = 3_600_000;
const minute = 60_000;

const date = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' });

/** "3 Dec 2026, 14:00 UTC": the same moment for every reader. */
export function utc(time: Date): string {
  return `${date.format(time)}, ${time.toISOString().slice(11, 16)} UTC`;
}

/** The same for a promised latest moment: rounded up, and to the second when it is near. */
export function utcAtLatest(time: Date, now: Date): string {
  if (time.getTime() - now.getTime() < 10 * minute) {
    const late = new Date(Math.ceil(time.getTime() / 1_000) * 1_000);
    return `${date.format(late)}, ${late.toISOString().slice(11, 19)} UTC`;
  }
  return utc(new Date(Math.ceil(time.getTime() / minute) * minute));
}

/**
 * "in 7 days", "in 2 h 13 min", "in 45 s", "5 min ago", "now". Rounded towards now, so that remaining time is never
 * overstated.
 */
export function relative(time: Date, now: Date): string {
  const difference = time.getTime() - now.getTime();
  const size = Math.abs(difference);
  if (size < 1_000) return 'now';
  const span = duration(size);
  return difference > 0 ? `in ${span}` : `${span} ago`;
}

/**
 * "2 years", "14 days", "6 days 4 h", "2 h 13 min", "12 min", "45 s": the largest unit, and the next one where it matters.
 */
export function duration(milliseconds: number): string {
  const days = count(Math.floor(milliseconds / day), 'day');
  if (milliseconds >= 730 * day) return count(Math.floor(milliseconds / (365.25 * day)), 'year');
  if (milliseconds >= 14 * day) return days;
  if (milliseconds >= day) return two(days, Math.floor((milliseconds % day) / hour), 'h');
  if (milliseconds >= hour) {
    return two(`${Math.floor(milliseconds / hour)} h`, Math.floor((milliseconds % hour) / minute), 'min');
  }
  if (milliseconds >= 10 * minute) return `${Math.floor(milliseconds / minute)} min`;
  const seconds = Math.floor((milliseconds % minute) / 1_000);
  if (milliseconds >= minute) return two(`${Math.floor(milliseconds / minute)} min`, seconds, 's');
  return `${seconds} s`;
}

/** A configured duration, in whole units if possible: "7 days", "36 h", "90 s". */
export function span(seconds: number): string {
  if (seconds === 0) return 'none';
  if (seconds % 86_400 === 0) return count(seconds / 86_400, 'day');
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  if (seconds % 60 === 0) return `${seconds / 60} min`;
  return `${seconds} s`;
}

/** "3 Dec 2026, 14:00 UTC (in 7 days)". */
export function moment(time: Date, now: Date): string {
  return `${utc(time)} (${relative(time, now)})`;
}

/** "1 device", "3 devices". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en-GB')} ${number === 1 ? one : many}`;
}

/** The start of a day as a date field holds it, or of the day so many days later, for the server; '' without a date. */
export function startOfDay(day: string, later: number): string {
  const [year, month, date] = day.split('-').map(Number);
  if (!year || !month || !date) return '';
  return new Date(year, month - 1, date + later).toISOString();
}

function two(first: string, rest: number, unit: string): string {
  return rest === 0 ? first : `${first} ${rest} ${unit}`;
}
