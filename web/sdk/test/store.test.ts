import { afterEach, expect, it, vi } from 'vitest';
import { Store } from '../src/storage/store.ts';

const { openDB } = vi.hoisted(() => ({ openDB: vi.fn() }));
vi.mock('idb', () => ({ openDB }));

afterEach(() => {
  vi.useRealTimers();
  openDB.mockReset();
});

/** A database whose every transaction fails in this way. */
function broken(name: string) {
  return {
    close: vi.fn(),
    transaction: vi.fn(() => {
      throw new DOMException('Connection to Indexed Database server lost. Refresh the page to try again', name);
    }),
  };
}

it.each(['InvalidStateError', 'UnknownError'])('a lost connection (%s) is reopened once', async (name) => {
  const whole = {
    close: vi.fn(),
    transaction: () => ({ objectStore: () => holding({ lineage: 'one' }), done: Promise.resolve(), error: null }),
  };
  openDB.mockResolvedValueOnce(broken(name)).mockResolvedValueOnce(whole);
  expect(await new Store('any').read()).toEqual({ lineage: 'one' });
  expect(openDB).toHaveBeenCalledTimes(2);
});

it('a connection lost again is not reopened in a loop', async () => {
  const database = broken('UnknownError');
  openDB.mockResolvedValue(database);
  await expect(new Store('any').read()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(openDB).toHaveBeenCalledTimes(2);
  expect(database.transaction).toHaveBeenCalledTimes(2);
});

it('other failures are not retried', async () => {
  openDB.mockResolvedValue(broken('QuotaExceededError'));
  await expect(new Store('any').read()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(openDB).toHaveBeenCalledTimes(1);
});

it('a late connection is closed, since it would block the next version', async () => {
  vi.useFakeTimers();
  const late = deferred<{ close: () => void }>();
  openDB.mockReturnValue(late.promise);
  const reading = expect(new Store('any').read()).rejects.toMatchObject({ code: 'storage_unavailable' });
  await vi.advanceTimersByTimeAsync(5_000);
  await reading;
  const database = { close: vi.fn() };
  late.resolve(database);
  await vi.advanceTimersByTimeAsync(0);
  expect(database.close).toHaveBeenCalledOnce();
});

function holding(records: Record<string, unknown>) {
  return { getAllKeys: async () => Object.keys(records), getAll: async () => Object.values(records) };
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
