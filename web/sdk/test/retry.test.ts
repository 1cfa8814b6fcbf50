import { describe, expect, it } from 'vitest';
import { Retry } from '../src/retry.ts';

function clocked(random: number) {
  const clock = { now: 0 };
  return {
    clock,
    retry: new Retry(
      () => clock.now,
      () => random,
    ),
  };
}

describe('retrying', () => {
  it('waits for what is due after success', () => {
    const { retry } = clocked(1);
    retry.settled({ outcome: 'reconciled' });
    expect(retry.wait(90_000)).toBe(90_000);
    expect(retry.wait(0)).toBe(1_000);
    expect(retry.wait(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  it('keeps a wait that was asked for, but not for more than ten minutes', () => {
    const { clock, retry } = clocked(0);
    retry.settled({ outcome: 'no_contact', retryAfter: 999_999 });
    clock.now = 599_999;
    expect(retry.barred).toBe(true);
    clock.now = 600_000;
    expect(retry.barred).toBe(false);
  });

  it('doubles its range up to ten minutes, and starts anew after success', () => {
    const { retry } = clocked(1);
    const waits = Array.from({ length: 9 }, () => {
      retry.settled({ outcome: 'no_contact' });
      return retry.wait(0) / 1000;
    });
    expect(waits).toEqual([6, 11, 21, 41, 81, 161, 321, 601, 601]);
    retry.settled({ outcome: 'reconciled' });
    retry.settled({ outcome: 'no_contact' });
    expect(retry.wait(0)).toBe(6_000);
  });

  it('draws from the whole range', () => {
    const { retry } = clocked(0);
    retry.settled({ outcome: 'no_contact' });
    expect(retry.wait(0)).toBe(1_000);
  });

  it('comes no sooner than the server asked, online or not', () => {
    const { clock, retry } = clocked(0);
    retry.settled({ outcome: 'no_contact', retryAfter: 30 });
    expect(retry.wait(0)).toBe(31_000);
    expect(retry.barred).toBe(true);
    clock.now = 30_000;
    expect(retry.barred).toBe(false);
  });

  it('does not wait for what only the user can do', () => {
    const { retry } = clocked(0);
    retry.settled({ outcome: 'no_contact' });
    expect(retry.wait(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});
