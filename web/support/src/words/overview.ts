import type { DayCount } from '@holdfast/api';
import { thousands } from '@holdfast/kit/when.ts';
import { locale, t } from '@holdfast/kit/words.ts';

const day = 86_400_000;

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
  return new Intl.DateTimeFormat(locale(), { timeZone: 'UTC', day: 'numeric', month: 'short' }).format(start * 1000);
}

export function total({ counts }: Days): number {
  return counts.reduce((sum, each) => sum + each, 0);
}

/** "Most on 3 Nov: 1,440.", or empty without any. */
export function peak({ starts, counts }: Days): string {
  const most = Math.max(...counts);
  if (most <= 0) return '';
  return t('Most on {day}: {most}.', { day: dayWords(starts[counts.indexOf(most)] ?? 0), most: thousands(most) });
}

/** "12% of 340 devices". */
export function share(part: number, all: number): string {
  if (all === 0) return t('no device is linked');
  const percent = (of: number) => new Intl.NumberFormat(locale(), { style: 'percent' }).format(of);
  const small = part > 0 && part / all < 0.01;
  return small
    ? t('less than {percent} of {all, plural, one {# device} other {# devices}}', { percent: percent(0.01), all })
    : t('{percent} of {all, plural, one {# device} other {# devices}}', { percent: percent(part / all), all });
}
