import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { decodeBase64url } from '@holdfast/client/verifier';

/** How long a nonce is valid, in milliseconds. */
export const nonceLife = 5 * 60_000;

/** How far the clock of the replica that issued a nonce may be ahead of this one's, in milliseconds. */
export const tolerance = 60_000;

/** Unix milliseconds and random bytes; then comes HMAC-SHA-256, cut to 128 bits. */
const headLength = 8 + 8;
const macLength = 16;

/**
 * Makes and checks the nonces of proofs, without storing them. The form is that of the Go guard, so that back ends of both
 * kinds can share a secret.
 */
export class Nonces {
  readonly #secret: Uint8Array;
  readonly #now: () => number;

  constructor(secret: Uint8Array, now: () => number) {
    if (secret.length < 32) throw new TypeError(`nonceSecret: ${secret.length} bytes are too few, 32 are needed`);
    this.#secret = secret;
    this.#now = now;
  }

  issue(): string {
    const nonce = Buffer.concat([Buffer.alloc(8), randomBytes(8)]);
    nonce.writeBigUInt64BE(BigInt(Math.trunc(this.#now())));
    return Buffer.concat([nonce, this.#mac(nonce)]).toString('base64url');
  }

  check(text: string): boolean {
    const nonce = decodeBase64url(text);
    if (nonce?.length !== headLength + macLength) return false;
    const head = Buffer.from(nonce.subarray(0, headLength));
    if (!timingSafeEqual(nonce.subarray(headLength), this.#mac(head))) return false;
    const age = this.#now() - Number(head.readBigUInt64BE());
    return age <= nonceLife && age >= -tolerance;
  }

  #mac(head: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update('holdfast nonce\0').update(head).digest().subarray(0, macLength);
  }
}
