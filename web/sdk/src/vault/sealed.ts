import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { type Bytes, equal, hkdf, listed, random, utf8 } from './bytes.ts';

// The format of sealed data: a header, then the content in chunks.
//
//   "HFV1" | epoch, 4 bytes | sequence, 8 bytes | salt, 32 bytes | id tag, 32 bytes | chunk | chunk | …
//
// Numbers are big-endian. From the epoch's content key and the salt, HKDF-SHA-256 derives a key for this object alone, so
// that nonces can be counters: those of the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015), 7 zero bytes,
// the chunk's number (4 bytes), and 1 for the last chunk. Each chunk is AES-256-GCM over 1 MiB of content, less for the last
// one, with the header as additional data. The id tag is derived from the same key, salt and the id, so the header binds the
// content to its id.

/** Bytes of content in each chunk but the last. */
export const chunkSize = 1024 * 1024;

/** The most chunks of one object: 1 TiB, far below the limits of AES-GCM for one key. */
export const maxChunks = 1024 * 1024;

const magic = utf8('HFV1');
const saltLength = 32;
const idTagLength = 32;
const tagLength = 16;
const saltAt = magic.length + 4 + 8;
export const headerLength = saltAt + saltLength + idTagLength;

/** How many other places a chunk that does not open is tried at, to name the fault. */
const maxTries = 16;

/** The numbers in a header. They are authentic once the first chunk has opened. */
export interface Numbers {
  readonly epoch: number;
  readonly sequence: number;
}

/** The key of one object with its header. */
export interface ObjectKey {
  readonly key: CryptoKey;
  readonly header: Bytes;
  /** Whether the header names the id. */
  readonly ownId: boolean;
}

/** A new object's header with a fresh random salt, and no id tag yet. */
export function newHeader({ epoch, sequence }: Numbers): Bytes {
  const header = new Uint8Array(headerLength);
  const view = new DataView(header.buffer);
  header.set(magic);
  view.setUint32(4, epoch);
  view.setBigUint64(8, BigInt(sequence));
  header.set(random(saltLength), saltAt);
  return header;
}

/** A new object's key, for the epoch's content key. */
export async function newObject(contentKey: CryptoKey, id: string, numbers: Numbers): Promise<ObjectKey> {
  const header = newHeader(numbers);
  const [key, idTag] = await derive(contentKey, id, header);
  header.set(idTag, saltAt + saltLength);
  return { key, header, ownId: true };
}

/** Reads a header. Throws `vault_truncated` if it is cut, or `malformed` if it is none. */
export function readNumbers(sealed: Bytes): Numbers {
  const begin = sealed.subarray(0, magic.length);
  if (!equal(begin, magic.subarray(0, begin.length))) throw new HoldfastError('malformed');
  if (sealed.length < headerLength) throw new HoldfastError('vault_truncated');
  const view = new DataView(sealed.buffer, sealed.byteOffset);
  const sequence = view.getBigUint64(8);
  if (sequence > BigInt(Number.MAX_SAFE_INTEGER)) throw new HoldfastError('malformed');
  return { epoch: view.getUint32(4), sequence: Number(sequence) };
}

/** The key of an object that begins with this header. */
export async function knownObject(contentKey: CryptoKey, id: string, sealed: Bytes): Promise<ObjectKey> {
  const header = sealed.slice(0, headerLength);
  const [key, idTag] = await derive(contentKey, id, header);
  return { key, header, ownId: equal(idTag, header.subarray(saltAt + saltLength)) };
}

/** Encrypts one chunk. Throws `payload_too_large` after the last number. */
export async function sealChunk(
  { key, header }: ObjectKey,
  index: number,
  last: boolean,
  content: Bytes,
): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.encrypt(parameters(header, index, last), key, content));
}

/**
 * Decrypts one chunk. Throws `vault_truncated` if the end is missing, `vault_reordered` if it is another chunk of this object,
 * `vault_id_mismatch` if the object is another id's, and otherwise `vault_tampered`.
 */
export async function openChunk(object: ObjectKey, index: number, last: boolean, sealed: Bytes): Promise<Bytes> {
  const opened = await tryChunk(object, index, last, sealed);
  if (!opened) throw new HoldfastError(await faultOf(object, index, last, sealed));
  if (!object.ownId) throw new HoldfastError('vault_id_mismatch');
  return opened;
}

/** Seals content that is in memory. */
export async function sealBytes(object: ObjectKey, content: Bytes): Promise<Bytes> {
  const sealed = new Uint8Array(headerLength + content.length + tagLength * countOf(content.length, chunkSize));
  sealed.set(object.header);
  const seal = async (part: Bytes, index: number, last: boolean) =>
    sealed.set(await sealChunk(object, index, last, part), headerLength + index * (chunkSize + tagLength));
  await Promise.all(
    pieces(content, chunkSize).map((part, index, { length }) => seal(part, index, index === length - 1)),
  );
  return sealed;
}

/** Opens sealed data that is in memory. */
export async function openBytes(object: ObjectKey, sealed: Bytes): Promise<Bytes> {
  const body = sealed.subarray(headerLength);
  const parts = pieces(body, chunkSize + tagLength);
  const content = new Uint8Array(Math.max(0, body.length - tagLength * parts.length));
  const open = async (part: Bytes, index: number) =>
    content.set(await openChunk(object, index, index === parts.length - 1, part), index * chunkSize);
  // The faults of the first chunks are those of the header.
  const [first = body, ...rest] = parts;
  await open(first, 0);
  await Promise.all(rest.map((part, index) => open(part, index + 1)));
  return content;
}

/**
 * Cuts a stream into pieces of `size`, the last one shorter or equal: an empty stream is one empty piece. `take` gets each
 * piece with its number.
 */
export function cutter(
  size: number,
  take: (piece: Bytes, index: number, last: boolean) => Promise<void>,
): { push(bytes: Uint8Array): Promise<void>; end(): Promise<void> } {
  let buffer = new Uint8Array(size);
  let used = 0;
  let index = 0;
  return {
    async push(bytes) {
      for (let at = 0; at < bytes.length; ) {
        if (used === size) {
          await take(buffer, index++, false);
          buffer = new Uint8Array(size);
          used = 0;
        }
        const part = bytes.subarray(at, at + size - used);
        buffer.set(part, used);
        used += part.length;
        at += part.length;
      }
    },
    end: () => take(buffer.subarray(0, used), index, true),
  };
}

/** The size of a sealed chunk. */
export const sealedChunkSize = chunkSize + tagLength;

function derive(contentKey: CryptoKey, id: string, header: Bytes): Promise<[CryptoKey, Bytes]> {
  const salt = header.slice(saltAt, saltAt + saltLength);
  const target = { name: 'AES-GCM', length: 256 };
  const [forKey, forTag] = [hkdf(salt, utf8('holdfast vault object')), hkdf(salt, listed('holdfast vault id', id))];
  return Promise.all([
    crypto.subtle.deriveKey(forKey, contentKey, target, false, ['encrypt', 'decrypt']),
    crypto.subtle.deriveBits(forTag, contentKey, idTagLength * 8).then((bits) => new Uint8Array(bits)),
  ]);
}

function parameters(header: Bytes, index: number, last: boolean) {
  if (index >= maxChunks) throw new HoldfastError('payload_too_large');
  const iv = new Uint8Array(12);
  const view = new DataView(iv.buffer);
  view.setUint32(7, index);
  view.setUint8(11, last ? 1 : 0);
  return { name: 'AES-GCM', iv, additionalData: header };
}

async function tryChunk(
  { key, header }: ObjectKey,
  index: number,
  last: boolean,
  sealed: Bytes,
): Promise<Bytes | null> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt(parameters(header, index, last), key, sealed));
  } catch {
    return null;
  }
}

async function faultOf(object: ObjectKey, index: number, last: boolean, sealed: Bytes): Promise<ErrorCode> {
  if (sealed.length < tagLength) return 'vault_truncated';
  if (last && (await tryChunk(object, index, false, sealed))) return 'vault_truncated';
  const from = Math.max(0, index - maxTries / 2);
  for (let other = from; other < from + maxTries; other++) {
    if (other === index) continue;
    for (const end of [false, true]) if (await tryChunk(object, other, end, sealed)) return 'vault_reordered';
  }
  return 'vault_tampered';
}

const countOf = (length: number, size: number) => Math.max(1, Math.ceil(length / size));

function pieces(bytes: Bytes, size: number): Bytes[] {
  return Array.from({ length: countOf(bytes.length, size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
