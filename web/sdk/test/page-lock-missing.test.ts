import { afterEach, expect, it, vi } from 'vitest';
import { Profile } from './support/device.ts';
import { FakeServer } from './support/fake-server.ts';

// The file that locks and opens pages does not load.
vi.mock('../src/sign-in.ts', () => {
  throw new TypeError('no such file');
});

afterEach(() => vi.restoreAllMocks());

const user = { id: '5f6d2a4e-0000-4000-8000-000000000001', name: 'Ada' };

it('a locked page stays locked, and says why it cannot be opened', async () => {
  const profile = new Profile(await FakeServer.create());
  await profile.tamper({ user, locked: { id: 'a lock', user: user.id } });
  const hf = await profile.open();
  expect(hf.locked).toBe(true);
  await expect(hf.unlock()).rejects.toMatchObject({ code: 'no_contact' });
  await expect(hf.lock()).rejects.toMatchObject({ code: 'no_contact' });
  profile.close();
});

it('a page that never locks does not need it', async () => {
  const profile = new Profile(await FakeServer.create());
  await profile.tamper({ user });
  expect((await profile.open()).locked).toBe(false);
  profile.close();
});
