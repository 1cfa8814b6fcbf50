import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { decodeBase64url, type Keyset, verifyJws } from '@holdfast/client/verifier';
import { Refused, refusing } from './document.ts';

/** The most entries of a list. */
const maxLength = 1 << 20;

/** How far in the future a list's iat may be, in milliseconds: a list is often fetched in its first second. */
const leeway = 60_000;

/** A verified status list. */
export interface StatusList {
  /** Unix seconds. */
  readonly exp: number;
  /** For how many seconds a fetched copy may be used. */
  readonly ttl: number;
  /** The status at an index: 0 valid, 1 invalid, 2 suspended. Undefined: outside the list. */
  readonly at: (index: number) => number | undefined;
}

/**
 * Verifies a status list token that was fetched from `uri`, which a verified document names, at `now` in milliseconds
 * (draft-ietf-oauth-status-list-20 §8.3). Rejects with {@link Refused}.
 */
export async function verifyStatusList(jws: string, uri: string, keyset: Keyset, now: number): Promise<StatusList> {
  return refusing(async () => {
    const { claims, signer } = await verifyJws(jws, 'statuslist+jwt', (kid) => keyset.keys.get(kid), 'key_unknown');
    const [sub, iat, exp, ttl] = [claims.text('sub'), claims.time('iat'), claims.time('exp'), claims.time('ttl')];
    const list = claims.object('status_list');
    const bits = list.integer('bits');
    const packed = await unpack(list.text('lst'), bits);
    if (iat >= exp || ttl === 0 || !packed) throw new Refused('claims_invalid');
    if (sub !== uri) throw new Refused('subject_mismatch');
    if (iat < signer.nbf || iat >= signer.exp) throw new Refused('key_outside_validity');
    if (now >= keyset.exp * 1000) throw new Refused('keyset_expired');
    if (now + leeway < iat * 1000) throw new Refused('not_yet_valid');
    if (now >= exp * 1000) throw new Refused('expired');
    return { exp, ttl, at: (index) => entry(packed, bits, index) };
  });
}

/** Decompresses DEFLATE in the ZLIB format (§4.1). Null if it is not a list, or too long. */
async function unpack(text: string, bits: number): Promise<Uint8Array | null> {
  const compressed = decodeBase64url(text);
  if (!compressed || ![1, 2, 4, 8].includes(bits)) return null;
  return promisify(inflate)(compressed, { maxOutputLength: (maxLength * bits) / 8 }).catch(() => null);
}

/** Bytes are in their natural order, entries begin with the least significant bits (§4.1). */
function entry(packed: Uint8Array, bits: number, index: number): number | undefined {
  const perByte = 8 / bits;
  const byte = packed[Math.floor(index / perByte)];
  return byte === undefined ? undefined : (byte >> ((index % perByte) * bits)) & ((1 << bits) - 1);
}
