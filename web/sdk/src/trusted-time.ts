/** What is known of the time, kept in storage. Milliseconds. */
export interface TrustedTime {
  /** The highest time known to have been: the taken document's iat, then every tick seen since. */
  readonly mark: number;
  /** The server's time minus this device's clock, when the last document was taken. */
  readonly skew: number;
}

/** The estimate of the time now, milliseconds, and whether the clock contradicts what is known. */
export interface Moment {
  readonly now: number;
  readonly behind: boolean;
}

/** So far may a clock fall behind the mark before it is disbelieved: 10 minutes. */
const leeway = 10 * 60 * 1000;

/**
 * The estimate never runs backwards.
 *
 * A clock that was fast when the last document was taken may have been put right since: where the corrected reading is
 * too early to be true, the clock as it stands is believed if it can be.
 */
export function estimateTime({ mark, skew }: TrustedTime, clock: number): Moment {
  const reading = [clock + skew, clock].find((candidate) => candidate >= mark - leeway);
  return { now: Math.max(mark, reading ?? mark), behind: reading === undefined };
}

/**
 * A document just taken settles the time, backwards too: its proof shows that it was made for this very request, between
 * the moments of sending and receiving. A clock that agrees with that is right; the rest is travel and rounding.
 */
export function settleTime(iat: number, sent: number, received: number): TrustedTime {
  const made = iat * 1000; // cut to a whole second
  const right = sent - 1000 < made && made <= received;
  return { mark: made, skew: right ? 0 : made - received };
}
