import { afterEach, expect, test, vi } from 'vitest';
import { askStorageUse, inBytes, keepStorage, storageUse } from './storage-use.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([
  [0, '0 kB'],
  [640_000, '640 kB'],
  [1_240_000, '1.2 MB'],
  [48_400_000, '48 MB'],
  [2_100_000_000, '2.1 GB'],
  [3e13, '30,000 GB'],
])('%d bytes: %s', (bytes, said) => {
  expect(inBytes(bytes, 'en-GB')).toBe(said);
});

test('shows no quota if the browser reports none', async () => {
  vi.stubGlobal('navigator', {});
  await askStorageUse();
  expect(storageUse.value).toBeNull();
  vi.stubGlobal('navigator', {
    storage: { estimate: async () => ({ usage: 5, quota: 0 }), persisted: async () => false },
  });
  await askStorageUse();
  expect(storageUse.value).toBeNull();
});

test('reports persistence after it was requested', async () => {
  let kept = false;
  const storage = {
    estimate: async () => ({ usage: 5, quota: 10 }),
    persisted: async () => kept,
    persist: async () => {
      kept = true;
      return true;
    },
  };
  vi.stubGlobal('navigator', { storage });
  await askStorageUse();
  expect(storageUse.value).toEqual({ used: 5, allowed: 10, kept: false });
  expect(await keepStorage()).toBe(true);
  expect(storageUse.value).toEqual({ used: 5, allowed: 10, kept: true });
});
