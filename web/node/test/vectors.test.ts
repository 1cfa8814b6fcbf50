import { readdirSync, readFileSync } from 'node:fs';
import { type KeysetMark, type Roots, raiseMarks, trustRoots, verifyKeyset } from '@holdfast/client/verifier';
import { describe, expect, it } from 'vitest';
import { Refused, refusing, verifyDocument } from '../src/document.ts';

/** One file of entitlements/testdata/vectors; its README explains the members. */
interface VectorFile {
  readonly roots: Readonly<Record<string, Roots>>;
  readonly keysets?: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly name: string;
    readonly kind: 'document' | 'keyset';
    readonly input: string;
    readonly issuer: string;
    readonly roots: string;
    readonly keyset?: string;
    readonly now: number;
    readonly expect?: { subject?: string; device?: string; jkt?: string; proof?: string; revision?: number };
    readonly marks?: readonly KeysetMark[];
    readonly code?: string;
    readonly result?: unknown;
  }[];
}

const folder = new URL('../../../entitlements/testdata/vectors/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

it('finds the vectors', () => expect(names.length).toBeGreaterThan(5));

describe.each(names)('%s', (name) => {
  const file: VectorFile = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

  it.each(file.cases)('$name', async (vector) => {
    const { input, issuer, now, kind } = vector;
    const roots = await trustRoots(file.roots[vector.roots] ?? { current: {}, next: null });
    const outcome = await refusing(async () => {
      if (kind === 'keyset') {
        const marks = vector.marks ?? [];
        const { version, exp, keys, mark } = await verifyKeyset(input, { roots, issuer, marks, now });
        return { version, exp, keys: [...keys.keys()], marks: raiseMarks(marks, mark, roots) };
      }
      const keyset = await verifyKeyset(file.keysets?.[vector.keyset ?? ''] ?? '', { roots, issuer, marks: [] });
      const { subject: sub, revision: minRevision = 0, ...binding } = vector.expect ?? {};
      const expected = { ...binding, ...(sub !== undefined && { sub }), minRevision };
      const document = await verifyDocument(input, { keyset, issuer, now, ...expected });
      const { sub: user, device, rev, state, reason, iat, exp, paidThrough, plans, features, skew } = document;
      return { sub: user, device, rev, state, reason, iat, exp, paid_through: paidThrough, plans, features, skew };
    }).then(canonical, (error) => (error instanceof Refused ? error.code : error));
    expect(outcome).toBe(vector.code ?? canonical(vector.result));
  });
});

/** JSON with sorted members; includes a member named __proto__, which `toEqual` ignores. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
