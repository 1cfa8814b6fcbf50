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
    ['fast clock that was put right since', -60 * minute, mark + minute, mark + minute, false],
    ['slow clock that was put right since', 60 * minute, mark + minute, mark + 61 * minute, false],
    ['clock a few minutes slow, as before', 5 * minute, mark - 4 * minute, mark + minute, false],
    ['fast clock set back further than it was fast', -60 * minute, mark - 11 * minute, mark, true],
  ])('%s', (_, skew, clock, now, behind) => {
    expect(estimateTime({ mark, skew }, clock)).toEqual({ now, behind });
  });

  it.each([
    ['years fast', 365 * 1440 * minute],
    ['years slow', -365 * 1440 * minute],
  ])('is settled by a document just taken, with a clock that is %s', (_, off) => {
    const clock = mark + off;
    expect(estimateTime(settleTime(mark / 1000, clock - 80, clock), clock)).toEqual({ now: mark, behind: false });
  });

  it.each([
    ['the way took a while', mark + 200, mark + 4_000],
    ['iat is cut to the second', mark + 900, mark + 990],
    ['the answer came at once', mark, mark],
  ])('takes a clock for right where %s', (_, sent, received) => {
    expect(settleTime(mark / 1000, sent, received)).toEqual({ mark, skew: 0 });
  });

  it.each([
    ['late', mark + 1_000, mark + 1_200, -1_200],
    ['early', mark - 900, mark - 700, 700],
  ])('takes a clock that is %s for wrong', (_, sent, received, skew) => {
    expect(settleTime(mark / 1000, sent, received)).toEqual({ mark, skew });
  });
});
