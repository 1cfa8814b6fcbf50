import { describe, expect, it } from 'vitest';
import { estimateTime, settleTime } from '../src/trusted-time.ts';

const minute = 60_000;
const mark = 1_767_225_600_000;

describe('the estimate of time', () => {
  it.each([
    ['right clock', 0, mark + minute, mark + minute, false],
    ['clock at the mark', 0, mark, mark, false],
    ['clock a little behind', 0, mark - 9 * minute, mark, false],
    ['clock exactly ten minutes behind', 0, mark - 10 * minute, mark, false],
    ['clock more than ten minutes behind', 0, mark - 10 * minute - 1, mark, true],
    ['clock years behind', 0, 0, mark, true],
    ['clock known to be an hour slow', 60 * minute, mark - 59 * minute, mark + minute, false],
    ['clock known to be a year fast', -365 * 1440 * minute, mark + 365 * 1440 * minute, mark, false],
    ['fast clock that was put right since', -60 * minute, mark + minute, mark, true],
    ['slow clock that was put right since', 60 * minute, mark + minute, mark + 61 * minute, false],
  ])('%s', (_, skew, clock, now, behind) => {
    expect(estimateTime({ mark, skew }, clock)).toEqual({ now, behind });
  });

  it('is settled by a document just taken, backwards too', () => {
    const clock = mark + 365 * 1440 * minute;
    expect(estimateTime(settleTime(mark / 1000, clock), clock)).toEqual({ now: mark, behind: false });
  });
});
