import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { decodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import { failingWith } from '../base/failing-with.ts';
import { parseJsonObject } from '../base/strict-json.ts';
import type { Bytes } from './bytes.ts';

/**
 * Reads the epoch that a content pack's JWE names in its kid, `<feature>.<epoch>`. Throws `malformed`, `header_invalid`, or
 * `vault_id_mismatch` if it is of another feature.
 */
export function packEpoch(feature: string, jwe: string): number {
  const [head = '', ...rest] = jwe.split('.');
  const bytes = decodeBase64url(head);
  const header = bytes && parseJsonObject(bytes);
  // jose takes several spellings of the same bytes.
  const spelled = rest.length === 4 && rest.every((part) => decodeBase64url(part) !== null);
  if (!header || !spelled) throw new HoldfastError('malformed');
  const { alg, enc, kid } = header;
  const exact = Object.keys(header).sort().join() === 'alg,enc,kid' && alg === 'dir' && enc === 'A256GCM';
  const [, name, epoch] = typeof kid === 'string' ? (/^(.+)\.([1-9]\d{0,8})$/.exec(kid) ?? []) : [];
  if (!exact || name === undefined) throw new HoldfastError('header_invalid');
  if (name !== feature) throw new HoldfastError('vault_id_mismatch');
  return Number(epoch);
}

/** Decrypts a pack. Throws `vault_tampered`. */
export async function openPack(jwe: string, key: CryptoKey): Promise<Bytes> {
  return failingWith('vault_tampered', async () => {
    const how = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };
    const { plaintext } = await compactDecrypt(jwe, key, how);
    return plaintext as Bytes;
  });
}
