import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Holdfast, Session } from '../src/index.ts';
import { FakeLocks } from './support/browser.ts';
import { asCredential, Profile, stubPasskeys } from './support/device.ts';
import { FakeServer, json, noContent, problem } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;
let hf: Holdfast;
/** The server's answers by method and path, and the bodies that it received. */
let answers: Record<string, () => Response | Promise<Response>>;
let sent: Record<string, unknown>;

const at = '2026-01-01T12:00:00Z';

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
  sent = {};
  answers = {
    'GET /v1/session': () =>
      json(200, {
        user: server.user,
        authenticated_at: at,
        expires_at: '2026-01-02T12:00:00Z',
        notices: [{ code: 'passkey_rejected', at, passkey: 'AAAA', reason: 'sign_count' }],
      }),
  };
  server.interfere = (request) => {
    const name = `${request.method} ${new URL(request.url).pathname}`;
    const answer = answers[name];
    return (
      answer &&
      request.text().then((text) => {
        sent[name] = text && JSON.parse(text);
        return answer();
      })
    );
  };
  hf = await profile.openPremium();
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function live(): Promise<Session> {
  const session = await hf.session();
  if (!session) throw new Error('no session');
  return session;
}

describe('a live session', () => {
  it('has its user and notices', async () => {
    expect(await live()).toMatchObject({
      user: server.user,
      authenticatedAt: new Date(at),
      expiresAt: new Date('2026-01-02T12:00:00Z'),
      notices: [{ code: 'passkey_rejected', at: new Date(at), passkey: 'AAAA', reason: 'sign_count' }],
    });
  });

  it('is null when it is over', async () => {
    answers['GET /v1/session'] = () => problem(401, 'unauthenticated');
    expect(await hf.session()).toBeNull();
  });

  it('lists passkeys, sessions and recovery codes', async () => {
    answers['GET /v1/passkeys'] = () =>
      json(200, {
        passkeys: [{ id: 'AAAA', name: 'Mine', provider: 'Vault', created_at: at, last_used_at: null, synced: true }],
      });
    answers['GET /v1/sessions'] = () =>
      json(200, {
        sessions: [
          {
            id: 'one',
            user_agent: 'Firefox on Linux',
            passkey: 'AAAA',
            authenticated_at: at,
            last_active_at: at,
            expires_at: at,
            current: true,
          },
        ],
      });
    answers['GET /v1/recovery-codes'] = () => json(200, { left: 7, created_at: at });
    const session = await live();
    const time = new Date(at);
    expect(await session.passkeys()).toEqual([
      { id: 'AAAA', name: 'Mine', provider: 'Vault', createdAt: time, lastUsedAt: null, synced: true, here: true },
    ]);
    expect(await session.sessions()).toEqual([
      {
        id: 'one',
        userAgent: 'Firefox on Linux',
        passkey: 'AAAA',
        authenticatedAt: time,
        lastActiveAt: time,
        expiresAt: time,
        current: true,
      },
    ]);
    expect(await session.recoveryCodes()).toEqual({ left: 7, createdAt: time });
  });

  it('lists devices, and unlinks one', async () => {
    answers['GET /v1/devices'] = () =>
      json(200, { devices: [{ id: 'one', name: 'Phone', linked_at: at, last_reconciled_at: null }] });
    answers['DELETE /v1/devices/one'] = () => noContent();
    const session = await live();
    expect(await session.devices()).toEqual([
      { id: 'one', name: 'Phone', linkedAt: new Date(at), lastReconciledAt: null, freesUpAt: null, replaceable: true },
    ]);
    await session.unlinkDevice('one');
    expect(server.requests).toContain('DELETE /v1/devices/one');
    answers['GET /v1/devices'] = () => json(200, { devices: [{ name: 'Phone' }] });
    await expect(session.devices()).rejects.toMatchObject({ code: 'no_contact' });
  });

  it.each([
    ['no list', {}],
    ['a list with an invalid entry', { passkeys: [{ id: 'AAAA' }, null] }],
  ])('rejects %s', async (_, body) => {
    answers['GET /v1/passkeys'] = () => json(200, body);
    await expect((await live()).passkeys()).rejects.toMatchObject({ code: 'no_contact' });
  });

  it('rejects with the problem’s code', async () => {
    answers['DELETE /v1/passkeys/AAAA'] = () => problem(409, 'last_passkey');
    answers['POST /v1/recovery-codes'] = () => problem(403, 'reauthentication_required');
    const session = await live();
    await expect(session.deletePasskey('AAAA')).rejects.toMatchObject({ code: 'last_passkey' });
    await expect(session.createRecoveryCodes()).rejects.toMatchObject({ code: 'reauthentication_required' });
  });
});

describe('a passkey confirmation', () => {
  const shows = (user: string) => stubPasskeys(async () => asCredential({ response: { userHandle: user } }));

  it('confirms its user', async () => {
    const session = await live();
    shows('X20qTgAAQACAAAAAAAAAAQ');
    await session.confirm();
    expect(server.requests.filter((request) => request === 'POST /v1/authentication')).toHaveLength(2);
  });

  it('confirms the user also if there is no room for this device', async () => {
    const session = await live();
    Object.assign(server, { deviceCookie: null, deviceLimit: 0 });
    server.devices.clear();
    shows('X20qTgAAQACAAAAAAAAAAQ');
    await session.confirm();
    await expect(hf.link()).rejects.toMatchObject({ code: 'device_limit' });
  });

  it.each([['X20qTgAAQACAAAAAAAAAAg'], ['']])(
    'confirms nobody else, and the server never sees it: %s',
    async (other) => {
      const session = await live();
      const before = await profile.held();
      shows(other);
      await expect(session.confirm()).rejects.toMatchObject({ code: 'passkey_unknown' });
      expect(server.requests.filter((request) => request === 'POST /v1/authentication')).toHaveLength(1);
      expect(await profile.held()).toEqual(before);
      expect(hf.user).toEqual(server.user);
    },
  );
});

describe('a passkey stored by this device', () => {
  const listed = async () => {
    answers['GET /v1/passkeys'] = () =>
      json(200, { passkeys: ['AAAA', 'BBBB'].map((id) => ({ id, name: 'Mine', provider: '', created_at: at })) });
    return (await (await live()).passkeys()).filter(({ here }) => here).map(({ id }) => id);
  };
  const uses = (id: string, authenticatorAttachment: string | null) =>
    stubPasskeys(async () => asCredential({ id, authenticatorAttachment }));

  it('is known once it was made or used here', async () => {
    expect(await listed()).toEqual(['AAAA']);
    uses('BBBB', 'platform');
    await (await live()).addPasskey();
    expect(await listed()).toEqual(['AAAA', 'BBBB']);
  });

  it.each([['cross-platform'], [null]])('does not include other attachments: %s', async (attachment) => {
    uses('BBBB', attachment);
    await hf.signIn();
    expect(await listed()).toEqual(['AAAA']);
  });

  it('is forgotten with its user', async () => {
    await hf.signOut();
    expect((await profile.held()).here).toBeUndefined();
    uses('BBBB', 'platform');
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Bob' };
    await hf.signIn();
    expect(await listed()).toEqual(['BBBB']);
  });
});

describe('an additional passkey', () => {
  it('is made without a name, so that it never creates an account', async () => {
    answers['POST /v1/registration/options'] = () =>
      json(200, { ceremony: 'c', publicKey: { challenge: 'AAAA', user: { id: 'AAAA' } } });
    await (await live()).addPasskey();
    expect(sent['POST /v1/registration/options']).toEqual({});
    expect(server.requests).toContain('POST /v1/registration');
    expect(hf.user).toEqual(server.user);
  });

  it.each([
    [400, 'invalid_request'],
    [401, 'unauthenticated'],
    [403, 'forbidden'],
  ])('is not made when the session is over: %i', async (status, code) => {
    answers['POST /v1/registration/options'] = () => problem(status, code);
    const session = await live();
    await expect(session.addPasskey()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(server.requests.filter((request) => request === 'POST /v1/registration/options')).toHaveLength(1);
  });
});

it('deletes the account before a reconcile can ask for its device', async () => {
  vi.stubGlobal('navigator', { ...navigator, locks: new FakeLocks() });
  const session = await live();
  server.requests.length = 0;
  let reconciled: Promise<unknown> | undefined;
  answers['DELETE /v1/account'] = async () => {
    reconciled = hf.reconcile();
    await profile.held();
    return noContent();
  };
  await session.deleteAccount();
  expect(await reconciled).toEqual({ outcome: 'signed_out' });
  expect(server.requests).not.toContain('POST /v1/reconcile');
});

describe('authenticators are notified', () => {
  const signals = { all: vi.fn(async () => {}), details: vi.fn(async () => {}), unknown: vi.fn(async () => {}) };
  beforeEach(() => {
    for (const signal of Object.values(signals)) signal.mockClear();
    Object.assign(globalThis.PublicKeyCredential, {
      signalAllAcceptedCredentials: signals.all,
      signalCurrentUserDetails: signals.details,
      signalUnknownCredential: signals.unknown,
    });
  });
  const rpId = 'holdfast.test';
  const userId = 'X20qTgAAQACAAAAAAAAAAQ';

  it.each([
    ['Laptop', 'Laptop'],
    ['Passkey', 'Ada'],
    ['Vault', 'Ada'],
  ])('of a renamed passkey stored here: to %s', async (name, displayName) => {
    answers['PATCH /v1/passkeys/AAAA'] = () => json(200, { id: 'AAAA', name, provider: 'Vault' });
    await (await live()).renamePasskey('AAAA', name);
    expect(sent['PATCH /v1/passkeys/AAAA']).toEqual({ name });
    await vi.waitFor(() => expect(signals.details).toHaveBeenCalledWith({ rpId, userId, name: 'Ada', displayName }));
  });

  it('not of a passkey stored elsewhere: the name would go to the one stored here', async () => {
    answers['PATCH /v1/passkeys/BBBB'] = () => json(200, { id: 'BBBB', name: 'Phone', provider: '' });
    answers['DELETE /v1/passkeys/AAAA'] = () => noContent();
    const session = await live();
    await session.renamePasskey('BBBB', 'Phone');
    await session.deletePasskey('AAAA');
    await vi.waitFor(() => expect(signals.unknown).toHaveBeenCalled());
    expect(signals.details).not.toHaveBeenCalled();
  });

  it('at a sign-in: of the accepted passkeys, and the name of the one used', async () => {
    await hf.signIn();
    await vi.waitFor(() =>
      expect(signals.all).toHaveBeenCalledWith({ rpId, userId, allAcceptedCredentialIds: ['AAAA'] }),
    );
    await vi.waitFor(() =>
      expect(signals.details).toHaveBeenCalledWith({ rpId, userId, name: 'Ada', displayName: 'Ada' }),
    );
  });

  it('of a deleted passkey only', async () => {
    answers['DELETE /v1/passkeys/BBBB'] = () => noContent();
    await (await live()).deletePasskey('BBBB', { endSessions: true });
    expect(sent['DELETE /v1/passkeys/BBBB']).toEqual({ end_sessions: true });
    await vi.waitFor(() => expect(signals.unknown).toHaveBeenCalledWith({ rpId, credentialId: 'BBBB' }));
    expect(signals.all).not.toHaveBeenCalled();
  });

  it('of nothing when the server refused', async () => {
    answers['DELETE /v1/passkeys/BBBB'] = () => problem(404, 'not_found');
    await expect((await live()).deletePasskey('BBBB')).rejects.toMatchObject({ code: 'not_found' });
    expect(signals.unknown).not.toHaveBeenCalled();
  });

  it('of a deleted account; no data of the user and no pending sign-out is left here', async () => {
    answers['DELETE /v1/account'] = () => noContent();
    await (await live()).deleteAccount();
    expect(hf.user).toBeNull();
    expect(Object.keys(await profile.held()).sort()).toEqual(['keyset', 'marks', 'time']);
    await vi.waitFor(() => expect(signals.all).toHaveBeenCalledWith({ rpId, userId, allAcceptedCredentialIds: [] }));
  });
});
