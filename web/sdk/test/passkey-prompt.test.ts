import { afterEach, describe, expect, it, vi } from 'vitest';
import { createPasskey, pickPasskey } from '../src/passkey-prompt.ts';
import { stubPasskeys } from './support/device.ts';

const { signal } = new AbortController();

afterEach(() => vi.unstubAllGlobals());

describe('the passkey prompt', () => {
  it('keeps PRF outputs here', async () => {
    const prf = { enabled: true, results: { first: 'secret' } };
    stubPasskeys(async () => ({
      toJSON: () => ({ id: 'AAAA', clientExtensionResults: { prf, credProps: { rk: true } } }),
    }));
    for (const credential of [await createPasskey({}, signal), await pickPasskey({}, signal, undefined)]) {
      expect(credential).toEqual({
        id: 'AAAA',
        clientExtensionResults: { prf: { enabled: true }, credProps: { rk: true } },
      });
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
    await expect(createPasskey({}, signal)).rejects.toMatchObject({ code });
  });

  it.each([
    [5_000, 'timeout'],
    [4_000, 'cancelled'],
  ])('after %i ms of 5,000 is %s', async (taken, code) => {
    vi.useFakeTimers();
    const refuse = () =>
      new Promise((_, reject) => setTimeout(() => reject(new DOMException('', 'NotAllowedError')), taken));
    stubPasskeys(refuse);
    const asked = expect(createPasskey({ timeout: 5_000 }, signal)).rejects.toMatchObject({ code });
    await vi.advanceTimersByTimeAsync(taken);
    await asked;
    vi.useRealTimers();
  });

  it('is not supported without WebAuthn', async () => {
    await expect(createPasskey({}, signal)).rejects.toMatchObject({ code: 'not_supported' });
  });

  it('passes conditional mediation on', async () => {
    const credentials = stubPasskeys();
    await pickPasskey({ challenge: 'x' }, signal, 'conditional');
    expect(credentials.get).toHaveBeenCalledWith({ publicKey: { challenge: 'x' }, signal, mediation: 'conditional' });
  });
});
