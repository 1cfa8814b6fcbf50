import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { paced } from './paced.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a network that flaps for a minute causes few calls, the last one after the last flap', async () => {
  const asked: number[] = [];
  const ask = paced(() => asked.push(performance.now()), 10_000);
  const begun = performance.now();
  for (let flaps = 0; flaps < 143; flaps++) {
    ask();
    await vi.advanceTimersByTimeAsync(420);
  }
  const last = performance.now() - 420;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked[0]).toBe(begun);
  expect(asked.length).toBeLessThanOrEqual(8);
  expect(asked.at(-1)).toBeGreaterThanOrEqual(last);
});

test('a single call is made at once, also after a while', async () => {
  const ask = vi.fn();
  const question = paced(ask, 10_000);
  for (const times of [1, 2]) {
    question();
    await vi.advanceTimersByTimeAsync(0);
    expect(ask).toHaveBeenCalledTimes(times);
    await vi.advanceTimersByTimeAsync(10_000);
  }
});
