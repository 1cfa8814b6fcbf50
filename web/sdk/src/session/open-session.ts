import { isObject } from '../base/strict-json.ts';

/**
 * One of the user's sessions. Its IP address is not kept.
 *
 * @example
 * const others = (await session.sessions()).filter((each) => !each.current);
 */
export interface OpenSession {
  /** UUID. */
  readonly id: string;
  /** The browser in words, such as "Chrome on Windows"; empty if unknown. */
  readonly userAgent: string;
  /** The id of the passkey that opened it, which may have been deleted since; null: unknown. */
  readonly passkey: string | null;
  readonly authenticatedAt: Date;
  /** Accurate to the hour. */
  readonly lastActiveAt: Date;
  readonly expiresAt: Date;
  /** Whether it is the session of this request. */
  readonly current: boolean;
}

/** Reads one entry of `sessions`; null if it is not one. */
export function readOpenSession(value: unknown): OpenSession | null {
  if (!isObject(value) || typeof value.id !== 'string') return null;
  const date = (name: string) => new Date(String(value[name]));
  return {
    id: value.id,
    userAgent: String(value.user_agent ?? ''),
    passkey: typeof value.passkey === 'string' ? value.passkey : null,
    authenticatedAt: date('authenticated_at'),
    lastActiveAt: date('last_active_at'),
    expiresAt: date('expires_at'),
    current: value.current === true,
  };
}
