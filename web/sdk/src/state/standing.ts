import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { isObject } from '../base/strict-json.ts';
import { readUser, type User } from '../base/user.ts';
import { type DeviceKey, openDeviceKey } from '../server/device-key.ts';
import type { Held } from '../storage/store.ts';
import type { Document } from '../verify/document.ts';
import { type Keyset, readMarks, verifyKeyset } from '../verify/keyset.ts';
import type { TrustedRoots } from '../verify/trusted-roots.ts';
import type { TrustedTime } from '../verify/trusted-time.ts';
import { authenticateDocument, checkBinding } from '../verify/verify.ts';
import type { Context } from './context.ts';

/** The contents of storage, verified in every respect but the time. */
export interface Standing {
  readonly user: User | null;
  readonly device: string | null;
  readonly key: DeviceKey | null;
  readonly keyset: Keyset | null;
  readonly document: Document | null;
  readonly time: TrustedTime;
  /** The first failure: why a part does not count. */
  readonly error: ErrorCode | null;
  /** The document's text, which distinguishes one answer from the next. */
  readonly taken: unknown;
}

/** The standing before storage is read. */
export const unknownStanding: Standing = {
  user: null,
  device: null,
  key: null,
  keyset: null,
  document: null,
  time: { mark: 0 },
  error: null,
  taken: undefined,
};

/**
 * Verifies the contents of storage, without network. Never rejects: a part that fails is left out, and `error` says why. If
 * no root fits, the roots are loaded once more: an update may have changed them, or the last load may have returned
 * something else.
 */
export async function examine(held: Held, { roots, origin }: Pick<Context, 'roots' | 'origin'>): Promise<Standing> {
  const load = async (again: boolean) => examineWith(held, await roots(again), origin, null);
  try {
    const standing = await load(false);
    return standing.error === 'root_unknown' ? await load(true) : standing;
  } catch (error) {
    return examineWith(held, [], origin, (error as HoldfastError).code);
  }
}

async function examineWith(
  held: Held,
  roots: TrustedRoots,
  origin: string,
  failed: ErrorCode | null,
): Promise<Standing> {
  let error = failed;
  const fail = (cause: unknown) => {
    error ??= cause instanceof HoldfastError ? cause.code : 'malformed';
    return null;
  };
  const user = readUser(held.user);
  const { device, document: taken } = held;
  const marks = readMarks(held.marks);
  const key = device ? await openDeviceKey(device.pair).catch(fail) : null;
  const keyset = held.keyset ? await verifyKeyset(held.keyset, { roots, issuer: origin, marks }).catch(fail) : null;
  const document =
    user && taken !== undefined ? await examineDocument(taken, held, user, key, keyset, origin).catch(fail) : null;

  const time = readTime(held.time, document);
  return { user, device: device?.id ?? null, key, keyset, document, time, error, taken };
}

/** A document counts if the device has the private key whose thumbprint the document names (RFC 7800 §3). */
async function examineDocument(
  jws: string,
  { device, former }: Held,
  user: User,
  key: DeviceKey | null,
  keyset: Keyset | null,
  origin: string,
): Promise<Document> {
  if (!keyset) throw new HoldfastError('key_unknown');
  const document = await authenticateDocument(jws, { keyset, issuer: origin, audience: origin });
  const owner = [device, former].find((candidate) => candidate?.id === document.device);
  const ownKey = owner === device ? key : owner ? await openDeviceKey(owner.pair) : null;
  checkBinding(document, { sub: user.id, device: owner?.id ?? '', jkt: ownKey?.jkt ?? '' });
  return document;
}

/** Reads the stored time. The document's own iat is a lower bound even if the record was lost. */
export function readTime(value: unknown, document: Document | null = null): TrustedTime {
  const time = isObject(value) ? value : {};
  const number = (candidate: unknown) => (Number.isFinite(candidate) ? (candidate as number) : 0);
  const jump = isObject(time.jump) ? { by: number(time.jump.by), since: number(time.jump.since) } : undefined;
  return { mark: Math.max(number(time.mark), (document?.iat ?? 0) * 1000), jump };
}
