import { beforeAll, describe, expect, it } from 'vitest';
import { type KeysetMark, raiseMarks, verifyKeyset } from '../src/verify/keyset.ts';
import { type TrustedRoots, trustRoots } from '../src/verify/trusted-roots.ts';
import { epoch, FakeServer, origin } from './support/fake-server.ts';
import { newSigner, type Signer } from './support/signer.ts';

let server: FakeServer;
let [current, next, stranger]: Signer[] = [];
let roots: TrustedRoots;

beforeAll(async () => {
  server = await FakeServer.create();
  current = server.root;
  [next, stranger] = await Promise.all([newSigner(), newSigner()]);
  roots = await trustRoots({ current: current.jwk, next: next?.jwk ?? null });
});

const now = epoch * 1000;
const open = (jws: string, marks: readonly KeysetMark[] = [], trusted = roots) =>
  verifyKeyset(jws, { roots: trusted, issuer: origin, marks, now });
const version = (value: number, root?: Signer) => server.keyset(root, (claims) => ({ ...claims, version: value }));

describe('a keyset', () => {
  it('is accepted from either root', async () => {
    for (const root of [current, next]) {
      const keyset = await open(await server.keyset(root));
      expect([...keyset.keys.keys()]).toEqual([server.signer.kid]);
    }
  });

  it('is refused with its code', async () => {
    const cases: [string, Promise<string>][] = [
      ['root_unknown', server.keyset(stranger)],
      ['claims_invalid', server.keyset(current, (claims) => ({ ...claims, version: '1' }))],
      ['claims_invalid', server.keyset(current, (claims) => ({ ...claims, keys: [] }))],
      [
        'claims_invalid',
        server.keyset(current, (claims) => ({ ...claims, keys: [{ ...(claims.keys as object[])[0], kid: 'x' }] })),
      ],
      [
        'claims_invalid',
        server.keyset(current, (claims) => ({ ...claims, keys: [{ ...(claims.keys as object[])[0], d: 'x' }] })),
      ],
      [
        'claims_invalid',
        server.keyset(current, (claims) => ({ ...claims, keys: [{ ...(claims.keys as object[])[0], alg: 'none' }] })),
      ],
      ['issuer_mismatch', server.keyset(current, (claims) => ({ ...claims, iss: 'https://other.test' }))],
      ['keyset_expired', server.keyset(current, (claims) => ({ ...claims, exp: epoch }))],
    ];
    for (const [code, jws] of cases) await expect(open(await jws), code).rejects.toMatchObject({ code });
  });
});

describe('marks', () => {
  const taken = async (...keysets: string[]) => {
    let marks: readonly KeysetMark[] = [];
    for (const jws of keysets) marks = raiseMarks(marks, (await open(jws, marks)).mark, roots);
    return marks;
  };
  const rolledBack = { code: 'keyset_rollback' };

  it('accept the same bytes again, and a higher version', async () => {
    const second = await version(2);
    const marks = await taken(await version(1), second);
    await open(second, marks);
    await open(await version(3), marks);
  });

  it('refuse a lower version, and the same version in other bytes', async () => {
    const marks = await taken(await version(2));
    await expect(open(await version(1), marks)).rejects.toMatchObject(rolledBack);
    await expect(open(await version(2), marks)).rejects.toMatchObject(rolledBack);
  });

  it('rank the next root above the current one, whatever the version', async () => {
    const marks = await taken(await version(9), await version(1, next));
    await expect(open(await version(10), marks)).rejects.toMatchObject(rolledBack);
    await open(await version(2, next), marks);
  });

  it('stay with a root that moves from next to current', async () => {
    const marks = await taken(await version(5, next));
    const moved = await trustRoots({ current: next?.jwk ?? {}, next: null });
    await expect(open(await version(4, next), marks, moved)).rejects.toMatchObject(rolledBack);
  });

  it('are dropped with a root that is no longer embedded', async () => {
    const marks = await taken(await version(5, next));
    const withdrawn = await trustRoots({ current: current?.jwk ?? {}, next: null });
    const keyset = await open(await version(1), marks, withdrawn);
    expect(raiseMarks(marks, keyset.mark, withdrawn)).toEqual([keyset.mark]);
  });
});

describe('roots', () => {
  it.each([{ current: {} }, { current: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } }])(
    '%j are refused',
    async (bad) => {
      await expect(trustRoots({ next: null, ...bad })).rejects.toMatchObject({ code: 'roots_unavailable' });
    },
  );
});
