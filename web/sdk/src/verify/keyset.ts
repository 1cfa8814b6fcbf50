import { digest } from '../base/digest.ts';
import { HoldfastError } from '../base/error.ts';
import { failingWith } from '../base/failing-with.ts';
import { isObject } from '../base/strict-json.ts';
import { Claims, require } from './claims.ts';
import { verifyJws } from './jws.ts';
import { readPublicKey } from './key.ts';
import type { TrustedRoots } from './trusted-roots.ts';

/** The signing keys that a root vouches for. Times in unix seconds. */
export interface Keyset {
  readonly version: number;
  readonly exp: number;
  readonly keys: ReadonlyMap<string, SigningKey>;
  /** The mark to store once this keyset is taken. */
  readonly mark: KeysetMark;
}

/** A signing key and the range of iat of the documents that it may sign. */
export interface SigningKey {
  readonly key: CryptoKey;
  readonly nbf: number;
  readonly exp: number;
}

/** The newest keyset taken from one root. */
export interface KeysetMark {
  /** The root's kid; its slot is looked up when needed, because roots move from next to current. */
  readonly root: string;
  readonly version: number;
  /** The digest of the keyset's compact form. */
  readonly digest: string;
}

/** See {@link verifyKeyset}. */
export interface KeysetExpectations {
  readonly roots: TrustedRoots;
  readonly issuer: string;
  readonly marks: readonly KeysetMark[];
  /**
   * Milliseconds since 1970. Omitted where the keyset's end is checked together with that of a document, which never
   * outlives it.
   */
  readonly now?: number;
}

/** Verifies a keyset against the embedded roots and the marks of the keysets taken before. */
export async function verifyKeyset(jws: string, expected: KeysetExpectations): Promise<Keyset> {
  const { roots, issuer, marks, now } = expected;
  const findRoot = (kid: string) => roots.find((root) => root.kid === kid);
  const { claims, signer } = await verifyJws(jws, 'keyset+jwt', findRoot, 'root_unknown');

  const iss = claims.text('iss');
  const exp = claims.time('exp');
  require(exp > claims.time('iat'), 'exp');
  const version = claims.integer('version');
  require(version > 0, 'version');
  const keys = await readKeys(claims.list('keys'));
  if (iss !== issuer) throw new HoldfastError('issuer_mismatch');
  if (now !== undefined && now >= exp * 1000) throw new HoldfastError('keyset_expired');

  const mark = { root: signer.kid, version, digest: await digest(jws) };
  if (isRolledBack(mark, marks, roots)) throw new HoldfastError('keyset_rollback');
  return { version, exp, keys, mark };
}

/** Reads marks from storage and ignores anything that is not a mark. */
export function readMarks(value: unknown): readonly KeysetMark[] {
  return Array.isArray(value) ? (value.filter(isObject) as unknown as KeysetMark[]) : [];
}

/** The marks to keep once the keyset of `mark` is taken; those of roots that are no longer embedded are dropped. */
export function raiseMarks(marks: readonly KeysetMark[], mark: KeysetMark, roots: TrustedRoots): readonly KeysetMark[] {
  return [...marks.filter(({ root }) => root !== mark.root && slot(root, roots) >= 0), mark];
}

/** A keyset by the next root outranks all by the current one; below that, the version decides. */
function isRolledBack(keyset: KeysetMark, marks: readonly KeysetMark[], roots: TrustedRoots): boolean {
  return marks.some((mark) => {
    if (mark.root !== keyset.root) return slot(mark.root, roots) > slot(keyset.root, roots);
    return keyset.version < mark.version || (keyset.version === mark.version && keyset.digest !== mark.digest);
  });
}

function slot(root: string, roots: TrustedRoots): number {
  return roots.findIndex(({ kid }) => kid === root);
}

async function readKeys(list: readonly unknown[]): Promise<ReadonlyMap<string, SigningKey>> {
  const keys = new Map<string, SigningKey>();
  for (const value of list) {
    const key = new Claims(value, 'keys');
    require(key.text('alg') === 'ES256' && key.text('use') === 'sig', 'keys');
    const [nbf, exp] = [key.time('nbf'), key.time('exp')];
    const imported = await failingWith('claims_invalid', () => readPublicKey(value));
    const { kid } = imported;
    require(exp > nbf && kid === key.get('kid') && !keys.has(kid), 'keys');
    keys.set(kid, { ...imported, nbf, exp });
  }
  require(keys.size > 0, 'keys');
  return keys;
}
