import { describe, expect, it } from 'vitest';
import { Schedule } from '../src/reconcile/schedule.ts';

const never = Number.POSITIVE_INFINITY;

function clocked(random = 0) {
  const clock = { now: 1_000_000 };
  return { clock, schedule: new Schedule({ now: () => clock.now, random: () => random }) };
}

describe('the next run', () => {
  it('comes when due, but at least a second after the last', () => {
    const { clock, schedule } = clocked();
    schedule.settled({ outcome: 'reconciled' });
    expect(schedule.wait(90_000)).toBe(90_000);
    expect(schedule.wait(0)).toBe(1_000);
    expect(schedule.wait(never)).toBe(never);
    clock.now += 1_000;
    expect(schedule.wait(0)).toBe(0);
  });

  it('comes at the retry time after a failure, whatever is due', () => {
    const { schedule } = clocked(0.5);
    for (const outcome of ['no_contact', 'storage_unavailable'] as const) schedule.settled({ outcome });
    schedule.settled({ outcome: 'refused', code: 'signature_invalid' });
    expect(schedule.wait(90_000)).toBe(21_000);
    // A failure that only the user can resolve sets no timer.
    expect(schedule.wait(never)).toBe(never);
  });

  it('comes at once when the page becomes visible, even if nothing is due', () => {
    const { schedule } = clocked();
    schedule.settled({ outcome: 'no_contact' });
    schedule.atOnce();
    expect(schedule.wait(never)).toBe(0);
    schedule.settled({ outcome: 'no_contact' });
    expect(schedule.wait(0)).toBeGreaterThan(0);
  });

  it.each([0, 0.5, 0.99999])('comes soon after an event for all clients: %d', (random) => {
    const { schedule } = clocked(random);
    schedule.soon();
    const wait = schedule.wait(never);
    expect(wait).toBeGreaterThanOrEqual(500);
    expect(wait).toBeLessThan(5_000);
  });

  it('keeps the scheduled time when events repeat', () => {
    let drawn = 0.9;
    const schedule = new Schedule({ now: () => 0, random: () => drawn });
    schedule.soon();
    const wait = schedule.wait(never);
    drawn = 0;
    for (let events = 0; events < 100; events++) schedule.soon();
    expect(schedule.wait(never)).toBe(wait);
  });

  it('is not delayed by a further event', () => {
    const { clock, schedule } = clocked();
    schedule.soon();
    clock.now += 300;
    schedule.soon();
    expect(schedule.wait(never)).toBe(200);
  });

  it('comes no sooner than the server asked, whatever the event', () => {
    const { clock, schedule } = clocked();
    schedule.settled({ outcome: 'no_contact', retryAfter: 30 });
    schedule.atOnce();
    expect(schedule.wait(0)).toBe(30_000);
    clock.now += 30_000;
    expect(schedule.wait(0)).toBe(0);
  });

  it('is cancelled once another document is held', () => {
    const { schedule } = clocked();
    schedule.settled({ outcome: 'no_contact', retryAfter: 30 });
    schedule.atOnce();
    schedule.taken();
    expect(schedule.failing).toBe(false);
    expect(schedule.wait(never)).toBe(never);
    expect(schedule.wait(5_000)).toBe(5_000);
  });

  it('comes at once after contact, if due or failed', () => {
    const { clock, schedule } = clocked(0.9);
    schedule.settled({ outcome: 'reconciled' });
    clock.now += 60_000;
    schedule.contacted(false);
    expect(schedule.wait(never)).toBe(never);
    schedule.contacted(true);
    expect(schedule.wait(never)).toBe(0);

    for (let failures = 0; failures < 8; failures++) schedule.settled({ outcome: 'no_contact' });
    schedule.contacted(false);
    // The contact half a second ago did not help.
    expect(schedule.wait(0)).toBeGreaterThan(60_000);
    clock.now += 30_000;
    schedule.contacted(false);
    expect(schedule.wait(0)).toBe(0);
  });
});
