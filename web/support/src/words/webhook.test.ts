import { expect, test } from 'vitest';
import { tries } from './webhook.ts';

test.each([
  [{ attempts: 0, state: 'pending', last_status: null, last_error: null }, 'Not tried yet.'],
  [{ attempts: 1, state: 'delivered', last_status: 200, last_error: null }, '1 try.'],
  [{ attempts: 3, state: 'pending', last_status: 500, last_error: 'status' }, /^3 tries; .* it answered 500\.$/],
  [{ attempts: 9, state: 'dead', last_status: null, last_error: 'timeout' }, /no answer in time\.$/],
  [{ attempts: 9, state: 'dead', last_status: null, last_error: 'moon' }, /failed: moon\.$/],
])('%o', (delivery, words) => {
  expect(tries(delivery as never)).toMatch(words);
});
