import { HoldfastError } from '@holdfast/client';
import { expect, it } from 'vitest';
import { failure } from './failure.ts';

it('shows the server’s advice for an unknown outcome', () => {
  const sentence = 'The outcome is unknown. Look at the list of staff before you send it again.';
  const unknown = new HoldfastError('unavailable', sentence);
  expect(failure(unknown, 'change')).toBe(sentence);
  expect(failure(unknown, 'look')).toContain('Try again');
  expect(failure(new HoldfastError('unavailable'), 'change')).toContain('Try again');
});

it('says what an unanswered request means, and that another try is safe', () => {
  const unanswered = new HoldfastError('no_contact');
  expect(failure(unanswered, 'change')).toMatch(/may or may not have been done\. You can safely try again/);
  expect(failure(unanswered, 'look')).toBe(
    'The server cannot be reached right now. Check your connection and try again.',
  );
});
