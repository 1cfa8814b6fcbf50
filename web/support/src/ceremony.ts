import type { SignedIn } from '@holdfast/api';
import { HoldfastError } from '@holdfast/client';
import { createPasskey, keepOffering, pickPasskey } from '@holdfast/client/prompt';
import type { Answer } from './answer.ts';
import { call } from './server.ts';

/** A ceremony lives five minutes on the server; autofill may wait for hours, so it is renewed in time. */
const ceremonyLife = 4 * 60_000;

/** Browsers run one prompt at a time: a pending autofill is aborted for the next prompt. */
let waiting: AbortController | null = null;

export async function signIn(): Promise<SignedIn> {
  waiting?.abort();
  const { ceremony, publicKey } = await begin('/v1/authentication/options', {});
  const credential = await pickPasskey(publicKey, new AbortController().signal, undefined);
  return call<SignedIn>('POST', '/v1/authentication', { body: { ceremony, credential } });
}

/** Waits in the autofill until a passkey is chosen from it. Rejects with `cancelled` when `ended`, or when another prompt begins. */
export async function autofill(ended: AbortSignal): Promise<SignedIn> {
  waiting?.abort();
  const own = new AbortController();
  waiting = own;
  const over = AbortSignal.any([ended, own.signal]);
  const shown = await keepOffering(over, async () => {
    for (;;) {
      const { ceremony, publicKey } = await begin('/v1/authentication/options', {});
      const renewal = AbortSignal.timeout(ceremonyLife);
      try {
        const credential = await pickPasskey(publicKey, AbortSignal.any([over, renewal]), 'conditional');
        return { ceremony, credential };
      } catch (error) {
        if (!renewal.aborted || over.aborted) throw error;
      }
    }
  });
  if (over.aborted) throw new HoldfastError('cancelled');
  return call<SignedIn>('POST', '/v1/authentication', { body: shown });
}

/** Creates a passkey for the account of a one-time link, which signs in. */
export async function redeem(code: string): Promise<SignedIn> {
  waiting?.abort();
  const { ceremony, publicKey } = await begin('/v1/recovery/options', { code });
  const credential = await createPasskey(publicKey, new AbortController().signal);
  return call<SignedIn>('POST', '/v1/recovery', { body: { ceremony, credential } });
}

function begin(path: string, body: unknown) {
  return call<Answer<'beginAuthentication'>>('POST', path, { body });
}
