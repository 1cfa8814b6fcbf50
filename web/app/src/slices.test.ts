import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { inSlices } from './slices.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A step that takes this many milliseconds. */
const taking = (milliseconds: number) => vi.fn((_at: number) => void vi.advanceTimersByTime(milliseconds));

test('work that fits into a slice runs at once without progress', async () => {
  const step = taking(1);
  const onProgress = vi.fn();
  await inSlices(5, step, { onProgress });
  expect(step.mock.calls).toEqual([[0], [1], [2], [3], [4]]);
  expect(onProgress).not.toHaveBeenCalled();
});

test('longer work pauses between slices and reports progress', async () => {
  const step = taking(5);
  const onProgress = vi.fn();
  const done = inSlices(6, step, { onProgress });
  expect(step).toHaveBeenCalledTimes(2);
  await vi.runAllTimersAsync();
  await done;
  expect(step).toHaveBeenCalledTimes(6);
  expect(onProgress.mock.calls).toEqual([[2], [4], [6]]);
});

test('a signal ends the work between two slices', async () => {
  const step = taking(10);
  const ending = new AbortController();
  const done = inSlices(6, step, { signal: ending.signal });
  ending.abort(new Error('enough'));
  const refused = expect(done).rejects.toThrow('enough');
  await vi.runAllTimersAsync();
  await refused;
  expect(step).toHaveBeenCalledTimes(1);
});
