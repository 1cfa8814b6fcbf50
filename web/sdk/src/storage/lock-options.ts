import { isObject } from '../base/strict-json.ts';

/**
 * When pages lock by themselves. A lock encrypts nothing: it keeps out somebody who picks up the device, not somebody who
 * opens the developer tools.
 *
 * @example
 * await hf.setLock({ onStart: true, idle: 5 * 60_000 });
 */
export interface LockOptions {
  /** Every page begins locked, also after a reload. Default: false. */
  readonly onStart?: boolean;
  /**
   * Milliseconds without a key, a pointer's move or a turn of the wheel in any page, after which all of them lock; it may
   * take up to a tenth longer. Time in which no page was open counts. Default: never.
   */
  readonly idle?: number;
}

/** Reads lock options from options or storage and ignores invalid members. */
export function readLockOptions(value: unknown): LockOptions {
  const { onStart, idle } = isObject(value) ? value : {};
  return Object.freeze({
    ...(onStart === true && { onStart }),
    ...(typeof idle === 'number' && idle > 0 && { idle }),
  });
}
