import { describe, expect, it } from 'vitest';
import { unhurried } from '../src/reconcile/spread.ts';
import { Arrivals, Crowd } from './support/crowd.ts';

// A hundred thousand devices meet the same event in the same millisecond. Random numbers are the same in every run; the
// test's output shows the requests that arrive at the server.
const devices = 100_000;
const hour = 3_600_000;

/** The signatures per second of one server on two cores, with a margin. */
const capacity = 2_000;

describe('a hundred thousand devices at once', { timeout: 120_000 }, () => {
  it('come back over ten minutes after an hour of downtime', () => {
    const few = devices / 5; // an hour takes long to simulate
    const crowd = new Crowd(few, { up: (now) => now >= hour, capacity });
    // When it goes down, all streams break and all clients have a request.
    for (const member of crowd.members) {
      member.streamBreaks();
      member.hear((schedule) => schedule.soon());
    }
    crowd.agenda.run(2 * hour);
    console.log(crowd.reconciles.draw('server back after an hour: reconciles', 3_540, 4_320, 30));
    console.log(crowd.streams.draw('server back after an hour: event streams', 3_540, 4_320, 30));
    expect(crowd.served).toBe(few);
    // While it is down, and when it is back.
    for (const arrivals of [crowd.reconciles, crowd.streams]) expect(arrivals.peak(1_800)).toBeLessThan(170);
    expect(crowd.reconciles.total(3_600, 4_202)).toBeGreaterThanOrEqual(few);
  });

  it('come back online: each asks within five seconds, and refused ones come back spread', () => {
    const crowd = new Crowd(devices, { capacity });
    for (const member of crowd.members) member.hear((schedule) => schedule.soon());
    crowd.agenda.run(hour);
    console.log(crowd.reconciles.draw('online, or told by push, all at once', 0, 120, 3));
    expect(crowd.served).toBe(devices);
    expect(crowd.reconciles.total(0, 6)).toBeGreaterThanOrEqual(devices);
    expect(crowd.reconciles.peak()).toBeLessThan(25_000);
    expect(crowd.reconciles.peak(30)).toBeLessThan(5_000);
    // A refused device needs a few tries, not dozens.
    expect(crowd.reconciles.total() / devices).toBeLessThan(6);
  });

  it('come back online with a failing network: tries spread further with every failure', () => {
    const crowd = new Crowd(devices, { up: (now) => now >= 60_000 });
    for (const member of crowd.members) member.hear((schedule) => schedule.soon());
    crowd.agenda.run(hour);
    console.log(crowd.reconciles.draw('online all at once, contact a minute later', 0, 240, 6));
    expect(crowd.served).toBe(devices);
    expect(crowd.reconciles.peak(60)).toBeLessThan(3_000);
  });

  it('lose their event streams when the server restarts', () => {
    const crowd = new Crowd(devices, { up: (now) => now >= 3_000 });
    for (const member of crowd.members) member.streamBreaks();
    crowd.agenda.run(hour);
    console.log(crowd.streams.draw('event streams after a restart of three seconds', 0, 80, 2));
    expect(crowd.streams.peak()).toBeLessThan(3_700);
    expect(crowd.reconciles.total()).toBe(0);
  });

  it('renew documents of the same second', () => {
    const crowd = new Crowd(devices, { capacity });
    const [refreshAfter, exp] = [0, 6 * 86_400];
    for (const member of crowd.members) member.holds(member.schedule.spread({ refreshAfter, exp }));
    crowd.agenda.run(2 * hour);
    console.log(crowd.reconciles.draw('due at once', 0, 3_600, 120));
    expect(crowd.served).toBe(devices);
    expect(crowd.reconciles.total()).toBe(devices);
    expect(crowd.reconciles.peak()).toBeLessThan(60);
  });

  it('are woken for a sync while no page is open', () => {
    const { random } = new Crowd(0);
    const arrivals = new Arrivals();
    for (let device = 0; device < devices; device++) arrivals.add(unhurried(random));
    console.log(arrivals.draw('service workers woken at once', 0, 31, 1));
    expect(arrivals.peak()).toBeLessThan(3_700);
  });
});

it('a document that lives an hour is renewed well before its end', () => {
  const crowd = new Crowd(1_000);
  const [refreshAfter, exp] = [1_800, 3_600];
  for (const { schedule } of crowd.members) expect(schedule.spread({ refreshAfter, exp })).toBeLessThan(450_000);
});
