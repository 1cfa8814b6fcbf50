import { isObject, type JsonObject } from '../base/strict-json.ts';

/**
 * A security event of the account since the signed-in passkey's previous use, to be shown to the user.
 *
 * @example
 * if (notice.code === "account_recovered") warn(`Recovered on ${notice.at.toLocaleString()}`);
 */
export interface Notice {
  /**
   * `account_recovered`: a passkey was registered with a code or link, and all other sessions were ended.
   * `passkey_rejected`: a passkey was refused because it may have been copied. Other codes may follow.
   */
  readonly code: string;
  readonly at: Date;
  /** The id of the passkey concerned, which may have been deleted since. */
  readonly passkey: string;
  /** `recovery_code` or `recovery` (support's link); or `sign_count`, `backup_eligible`, `user_verification`. */
  readonly reason: string;
}

/** Reads the `notices` of an answer; anything else counts as an empty list. */
export function readNotices(value: unknown): Notice[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isObject).map(({ code, at, passkey, reason }: JsonObject) => ({
    code: String(code),
    at: new Date(String(at)),
    passkey: String(passkey),
    reason: String(reason),
  }));
}
