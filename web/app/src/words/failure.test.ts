import { expect, test } from 'vitest';
import { failure } from './failure.ts';

test('mentions a name or invitation only for a registration', () => {
  expect(failure('invalid_request', 'register')).toContain('name');
  expect(failure('forbidden', 'register')).toContain('invitation');
  for (const action of ['sign-in', 'enrol', 'trial', 'link'] as const) {
    expect(failure('invalid_request', action)).not.toMatch(/name/i);
    expect(failure('forbidden', action)).not.toMatch(/invitation/i);
  }
});

test('shows an unknown code as it is', () => {
  expect(failure('conflict', 'link')).toContain('conflict');
});

test('a prompt without a passkey names the other ways', () => {
  expect(failure('cancelled', 'sign-in')).toMatch(/phone .* recovery code/);
  expect(failure('cancelled', 'register')).toContain('Try again');
  expect(failure('cancelled', 'delete-passkey')).toBe('Nothing has changed.');
});

test('every passkey failure says what to do next', () => {
  const codes = [
    'cancelled',
    'timeout',
    'no_contact',
    'not_supported',
    'already_registered',
    'origin_refused',
    'prompt_failed',
    'credential_rejected',
    'ceremony_invalid',
    'rate_limited',
    'last_passkey',
    'reauthentication_required',
    'cross_origin',
    'unavailable',
  ] as const;
  for (const action of ['register', 'enrol', 'recover', 'sign-in', 'add-passkey', 'delete-passkey'] as const) {
    for (const code of codes) expect(failure(code, action), `${code}, ${action}`).not.toContain(code);
  }
});

test('an existing passkey points to the sign-in', () => {
  expect(failure('already_registered', 'register')).toContain('Sign in with it');
  expect(failure('already_registered', 'recover')).toContain('sign in with it');
  expect(failure('already_registered', 'add-passkey')).toContain('another device');
});

test('a limit says how long to wait, rounded up, without calling it a failure', () => {
  const waits = [
    [1, '1 second'],
    [6, '6 seconds'],
    [59, '59 seconds'],
    [60, '1 minute'],
    [61, '2 minutes'],
    [600, '10 minutes'],
    [3_541, '1 hour'],
    [3_601, '2 hours'],
  ] as const;
  for (const action of ['register', 'sign-in', 'recover', 'link', 'recovery-codes'] as const) {
    for (const [seconds, words] of waits) {
      expect(failure('rate_limited', action, seconds)).toBe(`Too many tries in a short time. Try again in ${words}.`);
    }
    expect(failure('rate_limited', action)).toBe('Too many tries in a short time. Try again later.');
  }
});

test('an invalid code mentions the code, an invalid link the link', () => {
  expect(failure('ceremony_invalid', 'recover')).toContain('code');
  expect(failure('ceremony_invalid', 'enrol')).toContain('used already');
});
