import { now } from '../clock.ts';
import { inUtc, moment, utc } from '../words/time.ts';

/** A moment and its distance from now: "3 Dec 2026, 15:00 CET (in 7 days)"; under the pointer, in UTC. */
export function When({ at }: { at: string }) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={utc(time)}>
      {moment(time, now.value)}
    </time>
  );
}

/** Words with moments in them; under the pointer, with those in UTC. */
export function Timed({ words }: { words: () => string }) {
  return <span title={inUtc(words)}>{words()}</span>;
}
