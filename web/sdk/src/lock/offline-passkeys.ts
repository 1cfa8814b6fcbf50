import { HoldfastError } from '../base/error.ts';
import type { Context } from '../state/context.ts';
import type { Device } from '../storage/store.ts';
import { verifyKeyset } from '../verify/keyset.ts';
import { importPasskeyKey, type PasskeyKey } from '../verify/passkey-key.ts';
import { verifyPasskeys } from '../verify/passkeys.ts';

/** The signed-in user's passkeys that this device can verify without network. At least one. */
export interface OfflinePasskeys {
  /** The user's id. */
  readonly user: string;
  readonly rpId: string;
  /** By credential id (base64url). */
  readonly keys: ReadonlyMap<string, PasskeyKey>;
}

/**
 * Reads the held passkeys document. It counts if the server signed it for this user and this device, whatever its end and
 * the clock: users whose subscription is over still open their own notes. Rejects with `passkeys_unavailable` if it does not
 * count or names no key that this browser can use, or with `signed_out`, `storage_unavailable` or `roots_unavailable`.
 */
export async function readOfflinePasskeys({ store, roots, origin, rpId }: Context): Promise<OfflinePasskeys> {
  const held = await store.read();
  const user = held.user?.id;
  if (!user) throw new HoldfastError('signed_out');
  const trusted = await roots();
  try {
    const keyset = await verifyKeyset(held.keyset ?? '', { roots: trusted, issuer: origin, marks: held.marks ?? [] });
    const authority = { keyset, issuer: origin, audience: origin };
    const verify = (device: Device | undefined) =>
      verifyPasskeys(held.passkeys ?? '', { ...authority, sub: user, device: device?.id ?? '', rpId });
    // As with the entitlement document, the previous device's document stays valid until this one has its own.
    const document = await verify(held.device).catch(() => verify(held.former));
    const keys = new Map<string, PasskeyKey>();
    for (const { id, jwk } of document.passkeys) {
      const key = await importPasskeyKey(jwk);
      if (key) keys.set(id, key);
    }
    if (keys.size === 0) throw new TypeError('no key can be used here');
    return { user, rpId: document.rpId, keys };
  } catch (cause) {
    throw new HoldfastError('passkeys_unavailable', undefined, { cause });
  }
}
