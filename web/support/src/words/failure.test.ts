import { HoldfastError } from '@holdfast/client';
import { expect, it } from 'vitest';
import { failure } from './failure.ts';

it('says what the server says of a change whose outcome is unknown', () => {
  const sentence = 'The outcome is unknown. Look at the list of staff before you send it again.';
  const unknown = new HoldfastError('unavailable', sentence);
  expect(failure(unknown, 'change')).toBe(sentence);
  expect(failure(unknown, 'look')).toContain('Try again');
  expect(failure(new HoldfastError('unavailable'), 'change')).toContain('Try again');
});
