import { expect, test } from 'vitest';
import { failure } from './failure.ts';

test('only a registration is about a name or an invitation', () => {
  expect(failure('invalid_request', 'register')).toContain('name');
  expect(failure('forbidden', 'register')).toContain('invitation');
  for (const action of ['sign-in', 'enrol', 'trial', 'link'] as const) {
    expect(failure('invalid_request', action)).not.toMatch(/name/i);
    expect(failure('forbidden', action)).not.toMatch(/invitation/i);
  }
});

test('a prompt that the user has ended is no failure to talk about', () => {
  expect(failure('cancelled', 'sign-in')).toBeNull();
  expect(failure('conflict', 'link')).toContain('conflict');
});
