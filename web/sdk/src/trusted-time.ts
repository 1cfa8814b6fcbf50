/** What is known of the time, kept in storage. Milliseconds. */
export interface TrustedTime {
  /** The highest time known to have been: the taken document's iat, then every tick seen since. */
  readonly mark: number;
  /** The server's time minus this device's clock, when the last document was taken. */
  readonly skew: number;
}

/** So far may a clock fall behind the mark before it is disbelieved: 10 minutes. */
const leeway = 10 * 60 * 1000;

/** The estimate of the time now, and whether the clock contradicts what is known. The estimate never runs backwards. */
export function estimateTime(known: TrustedTime, clock: number): { now: number; behind: boolean } {
  const corrected = clock + known.skew;
  return { now: Math.max(corrected, known.mark), behind: corrected < known.mark - leeway };
}

/** A document just taken settles the time, backwards too: its proof shows that it was made for this very request. */
export function settleTime(iat: number, clock: number): TrustedTime {
  return { mark: iat * 1000, skew: iat * 1000 - clock };
}
