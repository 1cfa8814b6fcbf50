import { isObject } from './strict-json.ts';
import type { User } from './user.ts';

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
  /** Where it is kept, such as "iCloud Keychain"; empty if unknown. */
  readonly provider: string;
  readonly createdAt: Date;
  /** null: never since it was made. */
  readonly lastUsedAt: Date | null;
  /** Whether it is backed up to the user's other devices. */
  readonly synced: boolean;
  /** Whether it was made or used on this device, and is kept by it: not by a phone near by or a security key. */
  readonly here: boolean;
}

/** Reads one entry of `passkeys`; null if it is none. `here` are the ids of those that are kept by this device. */
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

/** What an authenticator is to show a passkey as: by the name that its user gave it, or by theirs. */
export function displayNameOf({ name, provider }: Passkey, user: User): string {
  // Called by the server, until somebody gives it a name.
  return name === 'Passkey' || name === provider ? user.name : name;
}
