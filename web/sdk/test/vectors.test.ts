/// <reference types="vite/client" />
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../src/base/error.ts';
import type { Document } from '../src/verify/document.ts';
import { type Keyset, type KeysetMark, raiseMarks, verifyKeyset } from '../src/verify/keyset.ts';
import type { Roots } from '../src/verify/roots.ts';
import { trustRoots } from '../src/verify/trusted-roots.ts';
import { judge } from './support/judge.ts';

/** One file of entitlements/testdata/vectors; its README explains the members. */
interface VectorFile {
  readonly about: string;
  readonly roots: Readonly<Record<string, Roots>>;
  readonly keysets?: Readonly<Record<string, string>>;
  readonly cases: readonly Vector[];
}

interface Vector {
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
}

// As text: a bundler's JSON import would treat a member named __proto__ as the prototype.
const files = Object.entries(
  import.meta.glob<string>('../../../entitlements/testdata/vectors/*.json', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
);

it('finds the vectors', () => {
  expect(files.length).toBeGreaterThan(5);
});

describe.each(files)('%s', (_, text) => {
  const file: VectorFile = JSON.parse(text);

  it.each(file.cases)('$name', async (vector) => {
    const roots = await trustRoots(file.roots[vector.roots] ?? { current: {}, next: null });
    const { issuer, input, now } = vector;
    const verify = async () => {
      if (vector.kind === 'keyset') {
        const marks = vector.marks ?? [];
        const keyset = await verifyKeyset(input, { roots, issuer, marks, now });
        return keysetResult(keyset, raiseMarks(marks, keyset.mark, roots));
      }
      const keyset = await verifyKeyset(file.keysets?.[vector.keyset ?? ''] ?? '', { roots, issuer, marks: [] });
      const { subject: sub, revision: minRevision = 0, ...binding } = vector.expect ?? {};
      const own = { ...binding, ...(sub !== undefined && { sub }), minRevision };
      return documentResult(await judge(input, { keyset, issuer, audience: issuer, now, ...own }));
    };
    const outcome = await verify().then(canonical, (error) => (error instanceof HoldfastError ? error.code : error));
    if (vector.code === undefined) expect(outcome).toBe(canonical(vector.result));
    else if (grantsNothing(outcome)) expect(vector.code).toMatch(/^(keyset_)?expired$/);
    else expect(outcome).toBe(vector.code === 'not_yet_valid' ? 'clock_behind' : vector.code);
  });
});

/** Whether the accepted document grants nothing: for a page it stays in force beyond its end. */
function grantsNothing(outcome: string): boolean {
  return /"state":"(none|expired|revoked)"/.test(outcome);
}

function documentResult(document: Document) {
  const { sub, device, rev, state, reason, iat, exp, paidThrough, plans, features, skew } = document;
  return { sub, device, rev, state, reason, iat, exp, paid_through: paidThrough, plans, features, skew };
}

function keysetResult({ version, exp, keys }: Keyset, marks: readonly KeysetMark[]) {
  return { version, exp, keys: [...keys.keys()], marks };
}

/** JSON with sorted members; includes a member named __proto__, which `toEqual` ignores. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
