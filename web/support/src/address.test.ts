import { expect, test, vi } from 'vitest';
import { followAddress, parse, place } from './address.ts';

test.each([
  ['', { at: 'overview' }],
  ['#/', { at: 'overview' }],
  ['#/customers', { at: 'search' }],
  ['#/customers?state=grace', { at: 'search', state: 'grace' }],
  ['#/customers?state=', { at: 'overview' }],
  ['#/nonsense', { at: 'overview' }],
  ['#/user/5f0c8f8e-0000-4000-8000-000000000001', { at: 'user', id: '5f0c8f8e-0000-4000-8000-000000000001' }],
  ['#/user/../staff', { at: 'overview' }],
  ['#/staff', { at: 'staff' }],
  ['#invite=AB-cd_9', { at: 'invitation', code: 'AB-cd_9' }],
  ['#recover=AB-cd_9', { at: 'recovery', code: 'AB-cd_9' }],
  ['#invite=', { at: 'overview' }],
])('%s leads to %o', (fragment, expected) => {
  expect(parse(fragment)).toEqual(expected);
});

test('removes a code from the URL', () => {
  const replaceState = vi.fn();
  vi.stubGlobal('location', { hash: '#invite=secret' });
  vi.stubGlobal('history', { replaceState });
  vi.stubGlobal('addEventListener', vi.fn());
  followAddress();
  expect(place.value).toEqual({ at: 'invitation', code: 'secret' });
  expect(replaceState).toHaveBeenCalledExactlyOnceWith(null, '', '#/');
  vi.unstubAllGlobals();
});
