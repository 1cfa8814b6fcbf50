import { describe, expect, it } from 'vitest';
import { Retry } from '../src/reconcile/retry.ts';

function clocked(random: number) {
  const clock = { now: 0 };
  return { clock, retry: new Retry(5_000, { now: () => clock.now, random: () => random }) };
}

describe('retrying', () => {
  it('honours Retry-After for at most ten minutes', () => {
    const { clock, retry } = clocked(0);
    retry.failed(999_999);
    expect(retry.barred).toBe(600_000);
    clock.now = 599_999;
    expect(retry.barred).toBe(1);
    clock.now = 600_000;
    expect(retry.barred).toBe(0);
  });

  it('doubles its range up to ten minutes, and resets after success', () => {
    const { retry } = clocked(1);
    const waits = Array.from({ length: 9 }, () => {
      retry.failed();
      return retry.wait / 1000;
    });
    expect(waits).toEqual([6, 11, 21, 41, 81, 161, 321, 601, 601]);
    retry.succeeded();
    retry.failed();
    expect(retry.wait).toBe(6_000);
  });

  it('draws from the whole range', () => {
    const { retry } = clocked(0);
    retry.failed();
    expect(retry.wait).toBe(1_000);
  });

  it('waits at least as long as the server asked', () => {
    const { clock, retry } = clocked(0);
    retry.failed(30);
    expect(retry.wait).toBe(31_000);
    clock.now = 30_000;
    expect(retry.barred).toBe(0);
    expect(retry.wait).toBe(1_000);
  });
});
