import type { OpenSession, Passkey } from '@holdfast/client';
import { expect, test } from 'vitest';
import { aboutPasskey, aboutSession } from './passkey.ts';

const now = new Date(2026, 0, 10, 15, 0);
const passkey: Passkey = {
  id: 'AAAA',
  name: 'Laptop',
  provider: 'iCloud Keychain',
  createdAt: new Date(2026, 0, 9, 9, 0),
  lastUsedAt: new Date(2026, 0, 10, 14, 5),
  synced: true,
  here: false,
};
const session: OpenSession = {
  id: 'one',
  userAgent: 'Firefox on Linux',
  passkey: 'AAAA',
  authenticatedAt: new Date(2026, 0, 10, 9, 30),
  lastActiveAt: new Date(2026, 0, 10, 9, 0),
  expiresAt: now,
  current: false,
};

test('a passkey', () => {
  expect(aboutPasskey(passkey, now)).toBe(
    'iCloud Keychain, synced between your devices. Added yesterday, 09:00, last used today, 14:05.',
  );
  expect(aboutPasskey({ ...passkey, provider: '', synced: false, lastUsedAt: null }, now)).toBe(
    'On one device only. Added yesterday, 09:00, not used yet.',
  );
});

test('a session', () => {
  expect(aboutSession(session, [passkey], now)).toBe('Signed in today, 09:30 with Laptop. Last active today, 09:30.');
  expect(aboutSession({ ...session, current: true }, [], now)).toBe(
    'Signed in today, 09:30 with a passkey that is deleted.',
  );
  expect(aboutSession({ ...session, current: true, passkey: null }, [], now)).toBe('Signed in today, 09:30.');
});
