import type { DayCount } from '@holdfast/api';
import { count } from './time.ts';

const day = 86_400_000;
const short = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });

/** The numbers of consecutive days, for a plot and its table. */
export interface Days {
  /** The starts of the days, in unix seconds. */
  readonly starts: readonly number[];
  readonly counts: readonly number[];
}

/** Fills in the days without any, from `first` for at least `length` days, and to the last day that has some. */
export function fillDays(some: readonly DayCount[], first: Date, length: number): Days {
  const start = Math.floor(first.getTime() / day) * day;
  const found = new Map(some.map((each) => [Date.parse(each.day), each.count]));
  const end = Math.max(start + (length - 1) * day, ...found.keys());
  const days = Array.from({ length: Math.round((end - start) / day) + 1 }, (_, n) => start + n * day);
  return { starts: days.map((each) => each / 1000), counts: days.map((each) => found.get(each) ?? 0) };
}

/** "3 Nov": a day of UTC. */
export function dayWords(start: number): string {
  return short.format(new Date(start * 1000));
}

export function total({ counts }: Days): number {
  return counts.reduce((sum, each) => sum + each, 0);
}

/** "Most on 3 Nov: 1,440.", or empty without any. */
export function peak({ starts, counts }: Days): string {
  const most = Math.max(...counts);
  return most > 0 ? `Most on ${dayWords(starts[counts.indexOf(most)] ?? 0)}: ${most.toLocaleString('en-GB')}.` : '';
}

/** "12 % of 340 devices". */
export function share(part: number, all: number): string {
  if (all === 0) return 'no device is linked';
  const percent = (100 * part) / all;
  const rounded = percent > 0 && percent < 1 ? 'less than 1' : Math.round(percent);
  return `${rounded} % of ${count(all, 'device')}`;
}
