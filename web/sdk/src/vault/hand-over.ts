import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { decodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import { failingWith } from '../base/failing-with.ts';
import { isObject } from '../base/strict-json.ts';
import { type ProvenRequest, throwProblem } from '../server/server.ts';
import type { Context } from '../state/context.ts';
import { examine, type Standing } from '../state/standing.ts';
import { Claims, require } from '../verify/claims.ts';
import { publicJwk, thumbprint } from '../verify/key.ts';
import { authenticate, checkBinding } from '../verify/verify.ts';
import { type ContentKey, keyLength, vaultFeature } from './content-key.ts';
import type { TransportKey, VaultStore } from './store.ts';

/** The content keys that the server has handed over to this device. */
export interface HandedOver {
  readonly user: string;
  /** The epoch that seals; null: the vault is not granted. */
  readonly epoch: number | null;
  readonly keys: readonly ContentKey[];
}

interface Try extends ProvenRequest {
  readonly standing: Standing;
  readonly pair: CryptoKeyPair;
  readonly at: number;
}

const type = 'vault+jwt';
const curve = { name: 'ECDH', namedCurve: 'P-256' };

/**
 * Asks the server for the content keys of the features that it grants. The answer counts if the server signed it for this
 * user, this device and this very request. Rejects with `no_contact`, `signed_out`, `device_unknown`, the server's problem
 * code, `vault_keys_invalid`, or the verifier's code.
 */
export async function askForKeys(context: Context, store: VaultStore): Promise<HandedOver> {
  await context.roots();
  const prepare = async (): Promise<Try> => {
    const standing = await examine(await context.store.read(), context);
    const { user, device, key } = standing;
    if (!user) throw new HoldfastError('signed_out');
    if (!device || !key) throw new HoldfastError('device_unknown');
    const pair = await transportKey(store, device);
    const jwk = publicJwk(await crypto.subtle.exportKey('jwk', pair.publicKey));
    return { key, body: { device, key: jwk }, standing, pair, at: context.monotonic() };
  };
  const asked = await context.server.prove('/v1/vault/keys', prepare);
  if (!asked) throw new HoldfastError('device_unknown');
  throwProblem(asked.answer);
  const { sent, jti, answer } = asked;
  const { user, device, keyset } = sent.standing;
  if (!user || !device || !keyset) throw new HoldfastError('key_unknown');
  const text = await open(answer.body.keys, sent.pair).catch(async (error) => {
    // Some engines lose keys in storage: the next try makes another.
    await store.setTransportKey(undefined);
    throw error;
  });
  const authority = { keyset, issuer: context.origin, audience: context.origin };
  const { keys, epoch, life, ...claims } = await authenticate(text, type, authority, read);
  checkBinding(claims, { sub: user.id, device, proof: jti });
  // The proof shows that it was made after the request, whatever this device's clock says.
  if (context.monotonic() - sent.at >= life * 1000) throw new HoldfastError('expired');
  return { user: user.id, epoch, keys };
}

/** The device's second key, which only receives content keys. It cannot be exported. */
async function transportKey(store: VaultStore, device: string): Promise<CryptoKeyPair> {
  const held = await store.transportKey();
  if (isObject(held) && held.device === device && isPair(held.pair)) return held.pair;
  const pair = await failingWith('device_key_unavailable', () =>
    crypto.subtle.generateKey(curve, false, ['deriveBits']),
  );
  await store.setTransportKey({ device, pair } satisfies TransportKey);
  return pair;
}

function isPair(pair: unknown): pair is CryptoKeyPair {
  const { privateKey, publicKey } = (pair ?? {}) as Partial<CryptoKeyPair>;
  return privateKey?.type === 'private' && !privateKey.extractable && publicKey?.type === 'public';
}

/** Decrypts a JWE (RFC 7516) whose algorithms, key and content type are the agreed ones. */
async function open(jwe: unknown, pair: CryptoKeyPair): Promise<string> {
  const jwk = publicJwk(await crypto.subtle.exportKey('jwk', pair.publicKey));
  return failingWith('vault_keys_invalid', async () => {
    const { plaintext, protectedHeader } = await compactDecrypt(jwe as string, pair.privateKey, {
      keyManagementAlgorithms: ['ECDH-ES+A256KW'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    const { kid, cty, ...rest } = protectedHeader;
    const exact = Object.keys(rest).sort().join() === 'alg,enc,epk';
    if (!exact || cty !== type || !jwk || kid !== (await thumbprint(jwk))) throw new TypeError('header');
    return new TextDecoder('utf-8', { fatal: true }).decode(plaintext);
  });
}

function read(claims: Claims) {
  const [iat, exp] = [claims.time('iat'), claims.time('exp')];
  require(exp > iat, 'exp');
  const vault = claims.get('vault') === undefined ? null : claims.object('vault');
  const epoch = vault?.integer('epoch') ?? null;
  const keys = claims.list('keys').map(readKey);
  const names = new Set(keys.map((key) => `${key.feature}.${key.epoch}`));
  require(names.size === keys.length, 'keys');
  const own = keys.filter(({ feature }) => feature === vaultFeature).map((key) => key.epoch);
  require(epoch === null ? own.length === 0 : Math.max(...own) === epoch, 'vault');
  const [sub, device, proof] = [claims.text('sub'), claims.text('device'), claims.text('proof')];
  return { sub, device, proof, iat, life: exp - iat, epoch, keys };
}

function readKey(value: unknown): ContentKey {
  const claims = new Claims(value, 'keys');
  const [feature, epoch] = [claims.text('feature'), claims.integer('epoch')];
  const bytes = decodeBase64url(claims.text('k'));
  require(bytes?.length === keyLength && epoch > 0 && epoch < 2 ** 32, 'keys');
  return { feature, epoch, bytes };
}
