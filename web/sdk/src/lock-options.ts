import { isObject } from './strict-json.ts';

/**
 * When pages lock by themselves. Nothing is encrypted by a lock: it keeps out somebody who picks up the device, not
 * somebody who opens the developer tools.
 *
 * @example
 * await hf.setLock({ onStart: true, idle: 5 * 60_000 });
 */
export interface LockOptions {
  /** Every page begins locked, a reloaded one too. Default: false. */
  readonly onStart?: boolean;
  /**
   * Milliseconds without a key, a pointer's move or a turn of the wheel in any page, after which all of them lock; up
   * to a tenth more. Time in which no page was open counts. Default: never.
   */
  readonly idle?: number;
}

/** What is wanted, from options or storage; anything odd is left out. */
export function readLockOptions(value: unknown): LockOptions {
  const { onStart, idle } = isObject(value) ? value : {};
  return Object.freeze({
    ...(onStart === true && { onStart }),
    ...(typeof idle === 'number' && idle > 0 && { idle }),
  });
}
