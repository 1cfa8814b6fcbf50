import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdleWatch, quietSince } from '../src/lock/idle-watch.ts';

const second = 1000;
const limit = 60 * second;

/** One page with its own events; the pages of a test share the stored activity and the clock. */
class TestPage {
  static clock = 0;
  static noted: number | undefined;
  readonly idle = vi.fn(async () => {});
  readonly note = vi.fn(async (at: number) => {
    TestPage.noted = at;
  });
  readonly events = new EventTarget();
  readonly watch: IdleWatch;

  constructor() {
    // The watch listens to the global object; here, each page has its own.
    vi.stubGlobal('addEventListener', this.events.addEventListener.bind(this.events));
    this.watch = new IdleWatch(limit, {
      clock: () => TestPage.clock,
      lastNoted: async () => TestPage.noted,
      note: this.note,
      idle: this.idle,
    });
  }

  on(event: string): void {
    this.events.dispatchEvent(new Event(event));
  }
}

/** Advances all clocks; `asleep` stops the timers and the monotonic clock. */
async function pass(time: number, asleep = false): Promise<void> {
  for (let left = time; left > 0; left -= second) {
    TestPage.clock += Math.min(left, second);
    if (!asleep) await vi.advanceTimersByTimeAsync(Math.min(left, second));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  TestPage.clock = 1_767_225_600_000;
  TestPage.noted = undefined;
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/**
 * The steps, and whether the page is found idle after them. Numbers are seconds, `!` seconds asleep; the rest are events.
 */
const table: [string, (number | string)[], boolean][] = [
  ['not before the limit', [59], false],
  ['within a tenth after the limit', [67], true],
  ['a key counts', [50, 'keydown', 50], false],
  ['a pointer counts', [50, 'pointermove', 50, 'pointerdown', 50], false],
  ['the wheel counts', [50, 'wheel', 50], false],
  ['the limit runs from the last activity', [50, 'keydown', 67], true],
  ['scrolling does not count', [50, 'scroll', 17], true],
  ['coming back does not count', [50, 'focus', 5, 'visibilitychange', 12], true],
  ['many events count like one', [...Array.from({ length: 80 }, () => [1, 'pointermove']).flat(), 59], false],
  [
    'after many events the limit runs out too',
    [...Array.from({ length: 80 }, () => [1, 'pointermove']).flat(), 67],
    true,
  ],
  ['sleep counts once the page is visible again', ['!3600', 'visibilitychange'], true],
  ['sleep counts once the page is shown from the cache', ['!3600', 'pageshow'], true],
  ['the key that wakes the machine does not count', ['!3600', 'keydown'], true],
  ['moving the mouse to wake it does not count', ['!3600', 'pointermove', 'pointermove'], true],
  ['a short sleep does not lock', ['!30', 'visibilitychange', 'keydown', 50], false],
  ['sleep and waking add up', [30, '!30', 7, 10], true],
];

describe('a page is found idle', () => {
  it.each(table)('%s', async (_, steps, expected) => {
    const page = new TestPage();
    for (const step of steps) {
      if (typeof step === 'number') await pass(step * second);
      else if (step.startsWith('!')) await pass(Number(step.slice(1)) * second, true);
      else page.on(step);
    }
    await vi.advanceTimersByTimeAsync(0);
    expect(page.idle.mock.calls.length > 0).toBe(expected);
  });

  it('again, if it stays unlocked', async () => {
    const page = new TestPage();
    await pass(4 * limit);
    expect(page.idle.mock.calls.length).toBeGreaterThanOrEqual(2);
  });

  it('never after it was stopped', async () => {
    const page = new TestPage();
    page.watch.stop();
    await pass(2 * limit);
    page.on('keydown');
    await vi.advanceTimersByTimeAsync(0);
    expect(page.idle).not.toHaveBeenCalled();
  });

  it('by elapsed time if the clock is set back; at once if it is set ahead', async () => {
    const back = new TestPage();
    TestPage.clock -= 3600 * second;
    await pass(67 * second);
    expect(back.idle).toHaveBeenCalled();

    const ahead = new TestPage();
    TestPage.clock += 3600 * second;
    ahead.on('focus');
    await vi.advanceTimersByTimeAsync(0);
    expect(ahead.idle).toHaveBeenCalled();
  });

  it('with a limit longer than any timer', async () => {
    vi.stubGlobal('addEventListener', () => {});
    const idle = vi.fn(async () => {});
    const clock = () => TestPage.clock;
    const watch = new IdleWatch(2 ** 40, { clock, lastNoted: async () => undefined, note: async () => {}, idle });
    await pass(300 * second);
    expect(idle).not.toHaveBeenCalled();
    watch.stop();
  });
});

describe('pages count together', () => {
  it('a page in use keeps the other open, and both become idle together', async () => {
    const used = new TestPage();
    const other = new TestPage();
    for (let i = 0; i < 30; i++) {
      await pass(10 * second);
      used.on('keydown');
    }
    expect(other.idle).not.toHaveBeenCalled();
    await pass(59 * second);
    expect(used.idle).not.toHaveBeenCalled();
    expect(other.idle).not.toHaveBeenCalled();
    await pass(8 * second);
    expect(used.idle).toHaveBeenCalled();
    expect(other.idle).toHaveBeenCalled();
  });

  it('a frozen page checks before it locks', async () => {
    const frozen = new TestPage();
    TestPage.clock += 600 * second;
    TestPage.noted = TestPage.clock - 5 * second;
    frozen.on('resume');
    await vi.advanceTimersByTimeAsync(0);
    expect(frozen.idle).not.toHaveBeenCalled();
    frozen.on('keydown');
    await pass(59 * second);
    expect(frozen.idle).not.toHaveBeenCalled();
  });

  it('activity is stored rarely, and finally on leaving', async () => {
    const page = new TestPage();
    for (let i = 0; i < 600; i++) {
      await pass(100);
      page.on('pointermove');
    }
    expect(page.note.mock.calls.length).toBeLessThanOrEqual(11);
    await pass(2 * second);
    page.on('keydown');
    const last = TestPage.clock;
    await pass(2 * second);
    page.on('pagehide');
    expect(TestPage.noted).toBe(last);
  });
});

it('a stored time in the future means a changed clock, not activity', () => {
  const now = 1_767_225_600_000;
  expect(quietSince(now, now, limit)).toBe(0);
  expect(quietSince(now - 5 * second, now, limit)).toBe(0);
  expect(quietSince(now - 66 * second, now, limit)).toBe(limit);
  expect(quietSince(now + 66 * second, now, limit)).toBe(limit);
});
