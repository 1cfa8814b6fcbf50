import { expect, test } from 'vitest';
import { begin, end, goOn, reachOf } from './revocations.ts';
import type { Holder, Revocation } from './shapes.ts';

function answer(revision: number, devices: Holder[], updated_at = 'then'): Revocation {
  return { subscription: { id: 'sub', updated_at } as never, revision, offline_until: null, devices, kept: {} };
}
const holder = (id: string, document_revision: number) => ({ id, document_revision }) as Holder;

test('a revoke is followed by its own revision, and what has ended stays', () => {
  begin(answer(5, [holder('a', 4), holder('b', 4)]));
  // Something else has raised the revision meanwhile: who was told of the revoke stays told.
  goOn(answer(7, [holder('b', 5)]));
  expect(reachOf('sub')).toEqual({ since: 'then', revision: 5, devices: [holder('b', 5), holder('a', 4)] });
  end('sub');
  expect(reachOf('sub')).toBeUndefined();
});

test('of an earlier revoke the present revision is taken', () => {
  goOn(answer(7, [holder('b', 5)]));
  expect(reachOf('sub')).toEqual({ since: 'then', revision: 7, devices: [holder('b', 5)] });
  end('sub');
});

test('reinstated and revoked again by a colleague, nobody has been told yet', () => {
  begin(answer(5, [holder('a', 5)]));
  goOn(answer(7, [holder('a', 6)], 'later'));
  expect(reachOf('sub')).toEqual({ since: 'later', revision: 7, devices: [holder('a', 6)] });
  end('sub');
});
