import { afterEach, expect, it, vi } from 'vitest';
import { passkeySupport } from '../src/index.ts';

afterEach(() => vi.unstubAllGlobals());

const none = { usable: false, autofill: false, here: false, nearby: false };
const yes = async () => true;

it.each([
  ['no WebAuthn', undefined, none],
  ['WebAuthn that says nothing of itself', {}, { usable: true, autofill: false, here: false, nearby: true }],
  [
    'all there is',
    {
      getClientCapabilities: async () => ({
        conditionalGet: true,
        passkeyPlatformAuthenticator: true,
        hybridTransport: true,
      }),
    },
    { usable: true, autofill: true, here: true, nearby: true },
  ],
  [
    'capabilities that are denied, which is believed',
    {
      getClientCapabilities: async () => ({
        conditionalGet: false,
        passkeyPlatformAuthenticator: false,
        hybridTransport: false,
      }),
      isConditionalMediationAvailable: yes,
      isUserVerifyingPlatformAuthenticatorAvailable: yes,
    },
    { usable: true, autofill: false, here: false, nearby: false },
  ],
  [
    'a browser from before capabilities',
    { isConditionalMediationAvailable: yes, isUserVerifyingPlatformAuthenticatorAvailable: yes },
    { usable: true, autofill: true, here: true, nearby: true },
  ],
  [
    'questions that fail',
    { getClientCapabilities: () => Promise.reject(new DOMException('', 'NotAllowedError')) },
    { usable: true, autofill: false, here: false, nearby: true },
  ],
])('%s', async (_, browser, support) => {
  vi.stubGlobal('PublicKeyCredential', browser);
  vi.stubGlobal('navigator', { credentials: {} });
  expect(await passkeySupport()).toEqual(support);
});
