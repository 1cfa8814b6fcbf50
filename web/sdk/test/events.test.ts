import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '../src/base/error.ts';
import { EventStream } from '../src/reconcile/events.ts';
import { FakeEventSource, FakeLocks } from './support/browser.ts';

const ada = '5f6d2a4e-0000-4000-8000-000000000001';
let random = 0.5;
let streams: EventStream[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  FakeEventSource.stub();
  vi.stubGlobal('navigator', { locks: new FakeLocks() });
  random = 0.5;
});

afterEach(() => {
  for (const stream of streams) stream.close();
  streams = [];
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function tab(hasSession: () => Promise<boolean> = async () => true) {
  const audience = { heard: vi.fn(), acted: vi.fn(), sessionEnded: vi.fn(), hasSession: vi.fn(hasSession) };
  const chance = { now: () => performance.now(), random: () => random };
  const stream = new EventStream('https://holdfast.test', 'holdfast', audience, chance);
  streams.push(stream);
  return { stream, audience };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

describe('the event stream', () => {
  it('opens for the signed-in user, and receives revisions', async () => {
    const { stream, audience } = tab();
    stream.follow(null);
    await settled();
    expect(FakeEventSource.opened).toHaveLength(0);
    stream.follow(ada);
    stream.follow(ada);
    await settled();
    expect(FakeEventSource.opened).toHaveLength(1);
    expect(FakeEventSource.last).toMatchObject({ url: 'https://holdfast.test/v1/events', withCredentials: true });
    FakeEventSource.last.accept();
    for (const data of ['{"revision":12}', 'rubbish', '{}', '{"revision":"13"}', 'null', '{"revision":1.5}']) {
      FakeEventSource.last.send(data);
    }
    expect(audience.heard.mock.calls).toEqual([[12]]);
  });

  it('is shared by all tabs; when its tab closes, the next one takes over', async () => {
    const [first, second] = [tab(), tab()];
    first.stream.follow(ada);
    second.stream.follow(ada);
    await settled();
    expect(FakeEventSource.opened).toHaveLength(1);
    first.stream.close();
    await settled();
    expect(FakeEventSource.open).toHaveLength(1);
    FakeEventSource.last.send('{"revision":2}');
    expect(first.audience.heard).not.toHaveBeenCalled();
    expect(second.audience.heard).toHaveBeenCalledWith(2);
  });

  it('ends at sign-out, also for a tab waiting for its turn', async () => {
    const [first, second] = [tab(), tab()];
    for (const { stream } of [first, second]) stream.follow(ada);
    await settled();
    for (const { stream } of [second, first]) stream.follow(null);
    await settled();
    expect(FakeEventSource.open).toHaveLength(0);
    expect(FakeEventSource.opened).toHaveLength(1);
  });

  it('is replaced for another user', async () => {
    const { stream } = tab();
    stream.follow(ada);
    await settled();
    const former = FakeEventSource.last;
    stream.follow('another');
    await settled();
    expect(former.readyState).toBe(2);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('reopens after a random wait, not the browser’s', async () => {
    const { stream } = tab();
    stream.follow(ada);
    await settled();
    for (const [drawn, wait] of [
      [0, 1_000],
      [0.5, 31_000],
      [0.5, 61_000],
    ] as const) {
      random = drawn;
      const count = FakeEventSource.opened.length;
      FakeEventSource.last.lose();
      expect(FakeEventSource.open).toHaveLength(0);
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(FakeEventSource.opened).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(1);
      expect(FakeEventSource.opened).toHaveLength(count + 1);
    }
    // Once open, the waits start over.
    FakeEventSource.last.accept();
    FakeEventSource.last.lose();
    await vi.advanceTimersByTimeAsync(16_000);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('reopens once the server was reached', async () => {
    const { stream } = tab();
    stream.follow(ada);
    await settled();
    stream.reachable();
    expect(FakeEventSource.opened).toHaveLength(1);
    FakeEventSource.last.lose();
    stream.reachable();
    expect(FakeEventSource.opened).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(FakeEventSource.opened).toHaveLength(2);
  });

  it('asks the server within seconds after a broken stream, which shows whether it is in reach', async () => {
    const { stream, audience } = tab(() => Promise.reject(new HoldfastError('no_contact')));
    stream.follow(ada);
    await settled();
    FakeEventSource.last.accept();
    random = 0.9;
    FakeEventSource.last.lose();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(audience.hasSession).toHaveBeenCalledOnce();
    expect(FakeEventSource.opened).toHaveLength(1);
    stream.close();
  });

  it('stays closed without a session, until a sign-in in any tab', async () => {
    const [first, second] = [tab(async () => false), tab(async () => false)];
    first.stream.follow(ada);
    second.stream.follow(ada);
    await settled();
    FakeEventSource.last.refuse();
    await settled();
    expect(first.audience.sessionEnded).not.toHaveBeenCalled();
    first.stream.signedIn();
    await settled();
    FakeEventSource.last.accept();
    FakeEventSource.last.send('{}', 'session_ended');
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    first.stream.reachable();
    second.stream.reachable();
    expect(FakeEventSource.opened).toHaveLength(2);
    expect(first.audience.sessionEnded).toHaveBeenCalledOnce();
    second.stream.signedIn();
    vi.useRealTimers();
    await vi.waitFor(() => expect(FakeEventSource.open).toHaveLength(1));
    expect(FakeEventSource.opened).toHaveLength(3);
    first.stream.signedIn();
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('refused for another reason is retried, no sooner than the server asked', async () => {
    const { stream } = tab(async () => {
      throw new HoldfastError('unavailable', undefined, { retryAfter: 100 });
    });
    stream.follow(ada);
    await settled();
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(99_000);
    stream.reachable();
    expect(FakeEventSource.opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(17_000);
    expect(FakeEventSource.opened).toHaveLength(2);
  });

  it('that was ended during the session check stays ended', async () => {
    let answer = (_: boolean) => {};
    const { stream } = tab(() => new Promise((resolve) => (answer = resolve)));
    stream.follow(ada);
    await settled();
    FakeEventSource.last.refuse();
    stream.follow(null);
    answer(true);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(FakeEventSource.opened).toHaveLength(1);
  });

  it('is one per tab without locks, and absent without EventSource', async () => {
    vi.stubGlobal('navigator', {});
    tab().stream.follow(ada);
    await settled();
    expect(FakeEventSource.open).toHaveLength(1);
    vi.stubGlobal('EventSource', undefined);
    tab().stream.follow(ada);
    await settled();
    expect(FakeEventSource.opened).toHaveLength(1);
  });
});
