import { afterEach, describe, expect, it, vi } from 'vitest';
import { createPasskey, pickPasskey } from '../src/passkey/passkey-prompt.ts';
import { asCredential, stubPasskeys } from './support/device.ts';

const { signal } = new AbortController();
const options = { challenge: 'AQID', user: { id: 'BAUG' }, rpId: 'holdfast.test' };

afterEach(() => vi.unstubAllGlobals());

describe('the passkey prompt', () => {
  it('removes PRF outputs', async () => {
    const prf = { enabled: true, results: { first: 'secret' } };
    stubPasskeys(async () => asCredential({ clientExtensionResults: { prf, credProps: { rk: true } } }));
    for (const credential of [await createPasskey(options, signal), await pickPasskey(options, signal, undefined)]) {
      expect(credential.clientExtensionResults).toEqual({ prf: { enabled: true }, credProps: { rk: true } });
    }
    expect(prf.results.first).toBe('secret');
  });

  it.each([
    ['NotAllowedError', 'cancelled'],
    ['AbortError', 'cancelled'],
    ['InvalidStateError', 'already_registered'],
    ['NotSupportedError', 'not_supported'],
    ['ConstraintError', 'not_supported'],
    ['SecurityError', 'origin_refused'],
    ['TimeoutError', 'timeout'],
  ])('%s is %s', async (name, code) => {
    stubPasskeys(async () => Promise.reject(new DOMException('', name)));
    await expect(createPasskey(options, signal)).rejects.toMatchObject({ code });
  });

  it.each([
    [5_000, 'timeout'],
    [4_000, 'cancelled'],
  ])('after %i ms of 5,000 is %s', async (taken, code) => {
    vi.useFakeTimers();
    const refuse = () =>
      new Promise((_, reject) => setTimeout(() => reject(new DOMException('', 'NotAllowedError')), taken));
    stubPasskeys(refuse);
    const asked = expect(createPasskey({ ...options, timeout: 5_000 }, signal)).rejects.toMatchObject({ code });
    await vi.advanceTimersByTimeAsync(taken);
    await asked;
    vi.useRealTimers();
  });

  it('is not supported without WebAuthn', async () => {
    await expect(createPasskey(options, signal)).rejects.toMatchObject({ code: 'not_supported' });
  });

  it('works without the platform’s JSON methods', async () => {
    const bytes = (...values: number[]) => Uint8Array.from(values);
    const credentials = stubPasskeys(async () => ({
      rawId: bytes(1, 2, 3).buffer,
      authenticatorAttachment: 'platform',
      response: {
        clientDataJSON: bytes(4).buffer,
        // A view, as extensions make them.
        attestationObject: bytes(0, 5, 0).subarray(1, 2),
        getTransports: () => ['internal'],
      },
      toJSON: () => {
        throw new TypeError('Illegal invocation');
      },
    }));
    const excluded = { type: 'public-key', id: 'BwgJ' };
    await expect(createPasskey({ ...options, excludeCredentials: [excluded] }, signal)).resolves.toEqual({
      id: 'AQID',
      rawId: 'AQID',
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: { clientDataJSON: 'BA', attestationObject: 'BQ', transports: ['internal'] },
    });
    expect(credentials.create).toHaveBeenCalledWith({
      publicKey: {
        challenge: bytes(1, 2, 3),
        user: { id: bytes(4, 5, 6) },
        rpId: 'holdfast.test',
        excludeCredentials: [{ type: 'public-key', id: bytes(7, 8, 9) }],
      },
      signal,
    });
  });

  it.each([
    ['a TypeError', () => Promise.reject(new TypeError('Illegal invocation'))],
    ['an error of another name', () => Promise.reject(new DOMException('', 'NotReadableError'))],
    ['a result that is not a credential', async () => ({ id: 'AAAA' })],
    ['a credential without a response', async () => ({ id: 'AAAA', rawId: new ArrayBuffer(3), response: {} })],
  ])('%s is no cancellation', async (_, answer) => {
    stubPasskeys(answer);
    for (const asked of [createPasskey(options, signal), pickPasskey(options, signal, undefined)]) {
      await expect(asked).rejects.toMatchObject({ name: 'HoldfastError', code: 'prompt_failed' });
    }
  });

  it('aborted by its signal is cancelled, whatever the reason', async () => {
    const ended = new AbortController();
    ended.abort('enough');
    stubPasskeys(() => Promise.reject(ended.signal.reason));
    await expect(createPasskey(options, ended.signal)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it.each([[null], [{}], [{ challenge: 'A+' }], [{ challenge: 'AQID', user: { id: 7 } }]])(
    'options that the server does not write are not its answer: %j',
    async (odd) => {
      stubPasskeys();
      await expect(createPasskey(odd, signal)).rejects.toMatchObject({ code: 'no_contact' });
    },
  );

  it('passes conditional mediation on', async () => {
    const credentials = stubPasskeys();
    await pickPasskey(options, signal, 'conditional');
    const publicKey = expect.objectContaining({ challenge: Uint8Array.of(1, 2, 3) });
    expect(credentials.get).toHaveBeenCalledWith({ publicKey, signal, mediation: 'conditional' });
  });
});
