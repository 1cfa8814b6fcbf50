import { now } from '../clock.ts';
import { moment } from '../words/time.ts';

/** A moment in UTC and relative to now: "3 Dec 2026, 14:00 UTC (in 7 days)". */
export function When({ at }: { at: string }) {
  const time = new Date(at);
  return <time dateTime={at}>{moment(time, now.value)}</time>;
}
