import { expect, test } from 'vitest';
import { noticeWords } from './notice.ts';

const now = new Date(2026, 0, 10, 15, 0);
const notice = { at: new Date(2026, 0, 10, 14, 5), passkey: 'AAAA' };

test.each([
  ['account_recovered', 'recovery_code', 'with a recovery code (today, 14:05)'],
  ['account_recovered', 'recovery', 'with a link from support'],
  [
    'passkey_rejected',
    'sign_count',
    'the passkey Laptop was refused (today, 14:05). The passkey may have been copied.',
  ],
  ['passkey_rejected', 'backup_eligible', 'may have been copied'],
  ['passkey_rejected', 'user_verification', 'did not ask who is there'],
  ['of_tomorrow', '', 'Something happened'],
])('%s, %s', (code, reason, text) => {
  expect(noticeWords({ ...notice, code, reason }, 'Laptop', now)).toContain(text);
});

test('a deleted passkey has no name', () => {
  const words = noticeWords({ ...notice, code: 'passkey_rejected', reason: 'sign_count' }, null, now);
  expect(words).toContain('with a passkey was refused');
});
