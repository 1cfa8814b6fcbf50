import { expect, test } from 'vitest';
import { parse } from './route.ts';

test.each([
  ['', { at: 'list' }],
  ['#/', { at: 'list' }],
  ['#/elsewhere', { at: 'list' }],
  ['#/new', { at: 'new' }],
  ['#/account', { at: 'account' }],
  ['#/security', { at: 'security' }],
  ['#/recovery', { at: 'recovery', code: null }],
  ['#/recovered', { at: 'recovered' }],
  ['#recover=aB3_-x', { at: 'recovery', code: 'aB3_-x' }],
  ['#recover=', { at: 'list' }],
  ['#/note/6f1c-2', { at: 'note', id: '6f1c-2' }],
  ['#enrol=aB3_-x', { at: 'enrolment', code: 'aB3_-x' }],
  ['#enrol=', { at: 'list' }],
  ['#enrol=a b', { at: 'list' }],
])('%s', (fragment, route) => {
  expect(parse(fragment)).toEqual(route);
});
