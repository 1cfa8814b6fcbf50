import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Holdfast, Session } from '../src/index.ts';
import { Profile, stubPasskeys } from './support/device.ts';
import { FakeServer, json, noContent, problem } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;
let hf: Holdfast;
/** What the server answers, by method and path, and the bodies that it was sent. */
let answers: Record<string, () => Response>;
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
  it('says whose it is, and what the user should hear of', async () => {
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
      { id: 'AAAA', name: 'Mine', provider: 'Vault', createdAt: time, lastUsedAt: null, synced: true },
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

  it.each([
    ['no list', {}],
    ['a list with something else in it', { passkeys: [{ id: 'AAAA' }, null] }],
  ])('takes %s for no answer', async (_, body) => {
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

describe('one more passkey', () => {
  it('is made without a name: it is never an account of its own', async () => {
    answers['POST /v1/registration/options'] = () => json(200, { ceremony: 'c', publicKey: {} });
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

describe('authenticators hear of it', () => {
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

  it('when a passkey is renamed', async () => {
    answers['PATCH /v1/passkeys/AAAA'] = () => json(200, {});
    await (await live()).renamePasskey('AAAA', 'Laptop');
    expect(sent['PATCH /v1/passkeys/AAAA']).toEqual({ name: 'Laptop' });
    await vi.waitFor(() =>
      expect(signals.all).toHaveBeenCalledWith({ rpId, userId, allAcceptedCredentialIds: ['AAAA'] }),
    );
    expect(signals.details).toHaveBeenCalledWith({ rpId, userId, name: 'Ada', displayName: 'Ada' });
  });

  it('when one is deleted, and of that one alone', async () => {
    answers['DELETE /v1/passkeys/BBBB'] = () => noContent();
    await (await live()).deletePasskey('BBBB', { endSessions: true });
    expect(sent['DELETE /v1/passkeys/BBBB']).toEqual({ end_sessions: true });
    await vi.waitFor(() => expect(signals.unknown).toHaveBeenCalledWith({ rpId, credentialId: 'BBBB' }));
    expect(signals.all).not.toHaveBeenCalled();
  });

  it('when the server refused, nothing', async () => {
    answers['DELETE /v1/passkeys/BBBB'] = () => problem(404, 'not_found');
    await expect((await live()).deletePasskey('BBBB')).rejects.toMatchObject({ code: 'not_found' });
    expect(signals.unknown).not.toHaveBeenCalled();
  });

  it('when the account is deleted; and nothing of the user is left here, nor left to be said', async () => {
    answers['DELETE /v1/account'] = () => noContent();
    await (await live()).deleteAccount();
    expect(hf.user).toBeNull();
    expect(Object.keys(await profile.held()).sort()).toEqual(['keyset', 'marks', 'time']);
    await vi.waitFor(() => expect(signals.all).toHaveBeenCalledWith({ rpId, userId, allAcceptedCredentialIds: [] }));
  });
});
