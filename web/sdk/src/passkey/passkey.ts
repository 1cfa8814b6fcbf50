import { isObject } from '../base/strict-json.ts';
import type { User } from '../base/user.ts';

/**
 * One of the user's passkeys, as the server knows it.
 *
 * @example
 * const kind = passkey.synced ? "synced" : "on one device only";
 */
export interface Passkey {
  /** The credential id, base64url. */
  readonly id: string;
  readonly name: string;
  /** Where it is stored, such as "iCloud Keychain"; empty if unknown. */
  readonly provider: string;
  readonly createdAt: Date;
  /** null: not since it was made. */
  readonly lastUsedAt: Date | null;
  /** Whether it is backed up to the user's other devices. */
  readonly synced: boolean;
  /** Whether it was made or used on this device and is stored by it, not by a phone nearby or a security key. */
  readonly here: boolean;
}

/** Reads one entry of `passkeys`; null if it is not one. `here` lists the ids of those stored by this device. */
export function readPasskey(value: unknown, here: readonly string[] = []): Passkey | null {
  if (!isObject(value) || typeof value.id !== 'string') return null;
  const { id, name, provider, created_at, last_used_at, synced } = value;
  return {
    id,
    name: String(name),
    provider: String(provider ?? ''),
    createdAt: new Date(String(created_at)),
    lastUsedAt: last_used_at ? new Date(String(last_used_at)) : null,
    synced: synced === true,
    here: here.includes(id),
  };
}

/** The name that an authenticator should show for a passkey: the one its user gave it, or the user's. */
export function displayNameOf({ name, provider }: Passkey, user: User): string {
  // Names given by the server, until the user chooses one.
  return name === 'Passkey' || name === provider ? user.name : name;
}
