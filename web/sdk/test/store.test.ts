import 'fake-indexeddb/auto';
import { afterEach, expect, it, vi } from 'vitest';
import type * as database from '../src/database.ts';
import { Store } from '../src/store.ts';

const { openDatabase } = vi.hoisted(() => ({ openDatabase: vi.fn() }));
vi.mock('../src/database.ts', async (original) => ({ ...(await original<typeof database>()), openDatabase }));

afterEach(() => {
  vi.useRealTimers();
  openDatabase.mockReset();
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
  const { openDatabase: open } = await vi.importActual<typeof database>('../src/database.ts');
  const whole = await open(name, { blocking: () => {}, terminated: () => {} });
  whole.transaction('state', 'readwrite').objectStore('state').put('one', 'lineage');
  openDatabase.mockResolvedValueOnce(broken(name)).mockResolvedValueOnce(whole);
  expect(await new Store('any').read()).toEqual({ lineage: 'one' });
  expect(openDatabase).toHaveBeenCalledTimes(2);
});

it('and never in a loop', async () => {
  const database = broken('UnknownError');
  openDatabase.mockResolvedValue(database);
  await expect(new Store('any').read()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(openDatabase).toHaveBeenCalledTimes(2);
  expect(database.transaction).toHaveBeenCalledTimes(2);
});

it('what is no lost connection is not tried again', async () => {
  openDatabase.mockResolvedValue(broken('QuotaExceededError'));
  await expect(new Store('any').read()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(openDatabase).toHaveBeenCalledTimes(1);
});

it('an opening that comes too late is closed: it would stand in the way of the next version', async () => {
  vi.useFakeTimers();
  const late = deferred<{ close: () => void }>();
  openDatabase.mockReturnValue(late.promise);
  const reading = expect(new Store('any').read()).rejects.toMatchObject({ code: 'storage_unavailable' });
  await vi.advanceTimersByTimeAsync(5_000);
  await reading;
  const database = { close: vi.fn() };
  late.resolve(database);
  await vi.advanceTimersByTimeAsync(0);
  expect(database.close).toHaveBeenCalledOnce();
});

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
