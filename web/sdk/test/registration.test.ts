import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asCredential, Profile, stubPasskeys } from './support/device.ts';
import { FakeServer, problem } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;
let credentials: ReturnType<typeof stubPasskeys>;
const signalled = vi.fn(async (_: unknown) => {});

beforeEach(async () => {
  server = await FakeServer.create();
  profile = new Profile(server);
  signalled.mockClear();
  credentials = stubPasskeys(async () => asCredential({ id: 'AAAA' }));
  vi.stubGlobal('PublicKeyCredential', { signalUnknownCredential: signalled });
});

afterEach(() => {
  profile.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const posted = () => server.requests.filter((request) => request === 'POST /v1/registration').length;

/** The outcomes, in order, of requests that send a new passkey to the server; undefined: it passes. */
function meddle(...outcomes: ((pass: () => Promise<Response>) => Promise<Response>)[]): void {
  server.interfere = (request, pass) => {
    if (new URL(request.url).pathname !== '/v1/registration') return undefined;
    return outcomes.shift()?.(pass);
  };
}

const offline = async () => Promise.reject(new TypeError('Failed to fetch'));
const lost = async (pass: () => Promise<Response>) => pass().then(offline);
const spent = async () => problem(400, 'ceremony_invalid');

describe('a registration that fails after the passkey was made', () => {
  it('continues with that passkey when the server was not reached', async () => {
    const hf = await profile.open();
    meddle(offline);
    await expect(hf.register('Ada')).rejects.toMatchObject({ code: 'no_contact' });
    await hf.register('Ada');
    expect(hf.user?.name).toBe('Ada');
    expect(credentials.create).toHaveBeenCalledTimes(1);
    expect(signalled).not.toHaveBeenCalled();
  });

  it('signs in with that passkey when only the answer was lost', async () => {
    const hf = await profile.open();
    meddle(lost, spent);
    await expect(hf.register('Ada')).rejects.toMatchObject({ code: 'no_contact' });
    await hf.register('Ada');
    expect(hf.user?.name).toBe('Ada');
    expect(credentials.create).toHaveBeenCalledTimes(1);
    const allowCredentials = [{ type: 'public-key', id: new Uint8Array(3) }];
    expect(credentials.get).toHaveBeenCalledWith(
      expect.objectContaining({ publicKey: expect.objectContaining({ allowCredentials }) }),
    );
    expect(signalled).not.toHaveBeenCalled();
  });

  it('removes that passkey from the list when the server does not have it', async () => {
    const hf = await profile.open();
    server.interfere = (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === '/v1/registration') return spent();
      if (pathname === '/v1/authentication') return Promise.resolve(problem(400, 'credential_rejected'));
      return undefined;
    };
    await expect(hf.register('Ada')).rejects.toMatchObject({ code: 'ceremony_invalid' });
    expect(signalled).toHaveBeenCalledExactlyOnceWith({ rpId: 'holdfast.test', credentialId: 'AAAA' });
    server.interfere = () => undefined;
    await hf.register('Ada');
    expect(credentials.create).toHaveBeenCalledTimes(2);
  });

  it.each([
    [400, 'credential_rejected'],
    [403, 'forbidden'],
    [409, 'conflict'],
  ])('removes it from the list when the server refuses it: %i %s', async (status, code) => {
    const hf = await profile.open();
    meddle(async () => problem(status, code));
    await expect(hf.register('Ada')).rejects.toMatchObject({ code });
    expect(signalled).toHaveBeenCalledExactlyOnceWith({ rpId: 'holdfast.test', credentialId: 'AAAA' });
    await hf.register('Ada');
    expect(credentials.create).toHaveBeenCalledTimes(2);
  });

  it.each([
    [503, 'unavailable'],
    [429, 'rate_limited'],
    [500, 'internal'],
  ])('keeps it while the outcome is unknown: %i %s', async (status, code) => {
    const hf = await profile.open();
    meddle(async () => problem(status, code));
    await expect(hf.register('Ada')).rejects.toMatchObject({ code });
    await hf.register('Ada');
    expect([credentials.create.mock.calls.length, posted()]).toEqual([1, 2]);
    expect(signalled).not.toHaveBeenCalled();
  });

  it('is not confused with another registration', async () => {
    const hf = await profile.open();
    meddle(offline);
    await expect(hf.register('Ada')).rejects.toMatchObject({ code: 'no_contact' });
    await hf.register('Grace');
    expect(credentials.create).toHaveBeenCalledTimes(2);
  });
});

describe('an autofill', () => {
  const returning = new EventTarget();
  /** The test's clock, without storage timers. */
  const fake = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const asked = () => server.requests.filter((request) => request === 'POST /v1/authentication/options').length;

  beforeEach(() => vi.stubGlobal('addEventListener', returning.addEventListener.bind(returning)));

  it('is offered again after a failure, and signs in', async () => {
    const hf = await profile.open();
    server.interfere = offline;
    fake();
    const offer = hf.signIn({ mediation: 'conditional' });
    await vi.waitFor(() => expect(asked()).toBe(1));
    server.interfere = () => undefined;
    credentials.get.mockRejectedValueOnce(new DOMException('', 'NotAllowedError'));
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitFor(() => expect(credentials.get).toHaveBeenCalledTimes(1));
    await vi.advanceTimersByTimeAsync(9_000);
    expect(credentials.get).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    await expect(offer).resolves.toMatchObject({ name: 'Ada' });
  });

  it.each(['focus', 'online'])('is offered again at %s, but not at every event', async (type) => {
    const hf = await profile.open();
    server.interfere = offline;
    fake();
    const ended = new AbortController();
    const offer = expect(hf.signIn({ mediation: 'conditional', signal: ended.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    for (const asks of [1, 2, 3, 4]) {
      await vi.waitFor(() => expect(asked()).toBe(asks));
      await vi.advanceTimersByTimeAsync(0);
      for (let n = 0; n < 9; n++) {
        returning.dispatchEvent(new Event(type));
        await vi.advanceTimersByTimeAsync(500);
      }
      expect(asked()).toBe(asks);
      await vi.advanceTimersByTimeAsync(500);
    }
    ended.abort();
    await vi.advanceTimersByTimeAsync(0);
    vi.useRealTimers();
    await offer;
  });

  it('is not offered again after a permanent failure', async () => {
    const hf = await profile.open();
    credentials.get.mockRejectedValue(new DOMException('', 'SecurityError'));
    await expect(hf.signIn({ mediation: 'conditional' })).rejects.toMatchObject({ code: 'origin_refused' });
  });
});
