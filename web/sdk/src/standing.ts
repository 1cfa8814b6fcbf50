import { type DeviceKey, openDeviceKey } from './device-key.ts';
import type { Document } from './document.ts';
import { HoldfastError } from './error.ts';
import type { ErrorCode } from './error-code.ts';
import { type Keyset, verifyKeyset } from './keyset.ts';
import type { Held } from './store.ts';
import { isObject } from './strict-json.ts';
import type { TrustedRoots } from './trusted-roots.ts';
import type { TrustedTime } from './trusted-time.ts';
import { readUser, type User } from './user.ts';
import { authenticateDocument, checkBinding } from './verify.ts';

/** What storage holds, verified in every respect but the time, which passes. */
export interface Standing {
  readonly user: User | null;
  readonly device: string | null;
  readonly key: DeviceKey | null;
  readonly keyset: Keyset | null;
  readonly document: Document | null;
  readonly time: TrustedTime;
  /** Why a part of it does not count: the first failure. */
  readonly error: ErrorCode | null;
  /** The document's text: tells one taken answer from the next. */
  readonly taken: unknown;
}

/** Verifies what is held, without network. Never rejects: what fails is left out, and `error` says why. */
export async function examine(held: Held, roots: TrustedRoots, origin: string): Promise<Standing> {
  let error: ErrorCode | null = null;
  const attempt = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (cause) {
      error ??= cause instanceof HoldfastError ? cause.code : 'malformed';
      return null;
    }
  };

  const user = readUser(held.user);
  const { device, document: jws } = held;
  const key = device ? await attempt(() => openDeviceKey(device.pair)) : null;
  const keyset = held.keyset
    ? await attempt(() => verifyKeyset(held.keyset ?? '', { roots, issuer: origin, marks: held.marks ?? [] }))
    : null;
  const document =
    user && jws !== undefined
      ? await attempt(async () => {
          if (!keyset) throw new HoldfastError('key_unknown');
          const authentic = await authenticateDocument(jws, { keyset, issuer: origin, audience: origin });
          // It counts where a device's private key is at hand whose thumbprint it names (RFC 7800 §3).
          const owner = [device, held.former].find((candidate) => candidate?.id === authentic.device);
          const ownKey = owner === device ? key : owner ? await openDeviceKey(owner.pair) : null;
          checkBinding(authentic, { subject: user.id, device: owner?.id ?? '', jkt: ownKey?.jkt ?? '' });
          return authentic;
        })
      : null;

  const time = readTime(held.time, document);
  return { user, device: device?.id ?? null, key, keyset, document, time, error, taken: jws };
}

/** The document's own iat is a lower bound even where the record was lost. */
function readTime(value: unknown, document: Document | null): TrustedTime {
  const time = isObject(value) ? value : {};
  const number = (candidate: unknown) => (Number.isFinite(candidate) ? (candidate as number) : 0);
  return { mark: Math.max(number(time.mark), (document?.iat ?? 0) * 1000), skew: number(time.skew) };
}
