import { isObject, type JsonObject } from './strict-json.ts';

/**
 * Something that has happened to the account since the passkey that signed in was last used, and that its user should hear of.
 *
 * @example
 * if (notice.code === "account_recovered") warn(`Recovered on ${notice.at.toLocaleString()}`);
 */
export interface Notice {
  /**
   * `account_recovered`: a passkey was registered with a code or link, and all other sessions ended. `passkey_rejected`: a
   * passkey was refused because it may have been copied. More may come.
   */
  readonly code: string;
  readonly at: Date;
  /** Id of the passkey that it is about; it may be deleted by now. */
  readonly passkey: string;
  /** `recovery_code` or `recovery` (support's link); or `sign_count`, `backup_eligible`, `user_verification`. */
  readonly reason: string;
}

/** Reads the `notices` of an answer; what is not such a list is an empty one. */
export function readNotices(value: unknown): Notice[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isObject).map(({ code, at, passkey, reason }: JsonObject) => ({
    code: String(code),
    at: new Date(String(at)),
    passkey: String(passkey),
    reason: String(reason),
  }));
}
