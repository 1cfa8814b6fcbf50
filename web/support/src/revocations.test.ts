import type { Holder, Revocation } from '@holdfast/api';
import { expect, test } from 'vitest';
import { begin, end, goOn, reachOf } from './revocations.ts';

function answer(revision: number, devices: Holder[], updated_at = 'then'): Revocation {
  return { subscription: { id: 'sub', updated_at } as never, revision, offline_until: null, devices, kept: {} };
}
const holder = (id: string, document_revision: number) => ({ id, document_revision }) as Holder;

test('follows a revoke by its own revision, and keeps ended documents', () => {
  begin(answer(5, [holder('a', 4), holder('b', 4)]));
  // Another change has raised the revision meanwhile: devices that were told of the revoke stay told.
  goOn(answer(7, [holder('b', 5)]));
  expect(reachOf('sub')).toEqual({ since: 'then', revision: 5, devices: [holder('b', 5), holder('a', 4)] });
  end('sub');
  expect(reachOf('sub')).toBeUndefined();
});

test('uses the current revision for an earlier revoke', () => {
  goOn(answer(7, [holder('b', 5)]));
  expect(reachOf('sub')).toEqual({ since: 'then', revision: 7, devices: [holder('b', 5)] });
  end('sub');
});

test('starts over when a colleague has reinstated and revoked again', () => {
  begin(answer(5, [holder('a', 5)]));
  goOn(answer(7, [holder('a', 6)], 'later'));
  expect(reachOf('sub')).toEqual({ since: 'later', revision: 7, devices: [holder('a', 6)] });
  end('sub');
});
