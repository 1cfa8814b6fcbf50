import { maxSkew } from './document.ts';

/** The known bounds of the time, as stored. Milliseconds. */
export interface TrustedTime {
  /** The earliest possible time now: the iat of the last document taken, plus the time that pages have observed since. */
  readonly mark: number;
  readonly jump?: Jump | undefined;
}

/** Readings have been ahead of the mark by at least this much ever since the mark was at `since`. */
export interface Jump {
  readonly by: number;
  readonly since: number;
}

/** The clocks of a device, milliseconds. */
export interface Clocks {
  /** The time of day, which may be wrong and can be set. */
  readonly wall: number;
  /** A clock that cannot be set. It may stop while the machine sleeps, and differs from page to page. */
  readonly monotonic: number;
}

/** One page's view of the time. */
export interface Watch extends TrustedTime {
  /** The monotonic clock when the mark was raised last. */
  readonly at: number;
  /** How far the wall clock was ahead at this page's own last contact; null: no contact yet. */
  readonly ahead: number | null;
}

/** The current time in milliseconds, and how far the wall clock is behind the known time; 0: within the leeway. */
export interface Moment {
  readonly now: number;
  readonly behind: number;
}

/** A reading may be this far below the mark: 10 minutes. */
const leeway = 10 * 60_000;

/** A jump of the wall clock raises the mark once it has lasted this long by the monotonic clock: 10 minutes. */
const settling = 10 * 60_000;

/**
 * Reads the clocks. `skew`, in seconds, is that of the held document: the correction that the server has signed for this
 * clock and has counted in the bound that it reports to support.
 *
 * - The mark rises with the monotonic clock. If readings are further ahead (the page was closed, the machine slept, the
 *   clock was set), the difference raises it once it has lasted.
 * - A reading counts unchanged or minus the skew: the smaller one that is not below the mark. So a clock that was set right
 *   is believed, and one that is still ahead is corrected.
 * - The largest skew means that the clock was off by that or more. Such a clock never raises the mark; while it runs as fast
 *   as the monotonic clock, a page that has itself had contact knows the time without it.
 *
 * So no document counts after its end plus |skew|, unless the clock is now further behind than the skew says, or behind the
 * true time where there is no skew. And no correct clock locks anybody out, unless a page saw it ahead for ten minutes.
 */
export function readClocks(watch: Watch, skew: number, { wall, monotonic }: Clocks): { watch: Watch; moment: Moment } {
  const floor = watch.mark + Math.max(0, monotonic - watch.at);
  const far = Math.abs(skew) >= maxSkew;
  const own = far && watch.ahead !== null ? wall - watch.ahead : Number.NaN;
  const readings = Math.abs(own - floor) <= leeway ? [own] : [wall, wall - skew * 1000];
  const reading = Math.min(...readings.filter((candidate) => candidate >= floor - leeway));
  const behind = reading === Number.POSITIVE_INFINITY;
  const now = behind ? floor : Math.max(floor, reading);

  const by = far ? 0 : Math.min(now - floor, watch.jump?.by ?? Number.POSITIVE_INFINITY);
  const since = watch.jump?.since ?? floor;
  const stood = by > 0 && floor - since >= settling;
  const mark = stood ? floor + by : floor;
  const jump = by > 0 && !stood ? { by, since } : undefined;
  return {
    watch: { mark, jump, at: monotonic, ahead: watch.ahead },
    moment: { now, behind: behind ? floor - wall : 0 },
  };
}
