import { maxSkew } from './document.ts';

/** The known bounds of the time, kept in storage. Milliseconds. */
export interface TrustedTime {
  /** The earliest time that it can be now: the iat of the last document taken, raised by the time that pages have seen since. */
  readonly mark: number;
  readonly jump?: Jump | undefined;
}

/** Readings have been ahead of the mark, by this much or more, ever since the mark was at `since`. */
export interface Jump {
  readonly by: number;
  readonly since: number;
}

/** The clocks of a device, milliseconds. */
export interface Clocks {
  /** The time of day, which may be wrong and can be set. */
  readonly wall: number;
  /** Nobody can set it. It may stand still while the machine sleeps, and differs from page to page. */
  readonly monotonic: number;
}

/** A page that follows the time. */
export interface Watch extends TrustedTime {
  /** The monotonic clock when the mark was raised last. */
  readonly at: number;
  /** How far the wall clock was ahead when this page itself last heard the server; null: it has not. */
  readonly ahead: number | null;
}

/** The time now, milliseconds, and how far the wall clock is behind what is known; 0: not so far that it matters. */
export interface Moment {
  readonly now: number;
  readonly behind: number;
}

/** A reading may be this far below the mark: 10 minutes. */
const leeway = 10 * 60_000;

/** A jump of the wall clock raises the mark once it has stood for so long, by the monotonic clock: 10 minutes. */
const settling = 10 * 60_000;

/**
 * Reads the clocks. `skew` is that of the document held: what the server has signed that this clock may be corrected
 * for, in seconds, and has counted in the bound that support is told.
 *
 * - The mark rises with the monotonic clock. Where readings are further ahead (the page was closed, the machine slept,
 *   the clock was set) the difference raises it once it has stood.
 * - A reading counts as it is or less the skew: the smaller one that is not below the mark. So a clock that was put right
 *   is believed, and one that was ahead, and still is, is corrected for.
 * - The largest skew says that the clock was off by that or more. Such a clock never raises the mark; while it goes as fast
 *   as the monotonic clock, a page that has heard the server itself knows the time without it.
 *
 * So no document counts after its end and |skew|, unless the clock is now further behind than the skew says, or than the
 * truth where that says nothing. And no clock that is right locks anybody out, unless a page saw it ahead for ten minutes.
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
