import type { Context } from './context.ts';
import { HoldfastError } from './error.ts';
import type { FarewellOutcome } from './farewell.ts';
import { makeUsable } from './healing.ts';
import { keptHere } from './kept-here.ts';
import { readPasskey } from './passkey.ts';
import { createPasskey, pickPasskey } from './passkey-prompt.ts';
import { rpIdOf } from './rp-id.ts';
import { signalPasskeys } from './signal-passkeys.ts';
import { nobody } from './store.ts';
import { isObject, type JsonObject } from './strict-json.ts';
import { readUser, type User } from './user.ts';
import { userHandle } from './user-handle.ts';

/** A ceremony lives five minutes on the server; autofill may wait for hours, so it gets a new one in good time. */
const ceremonyLife = 4 * 60_000;

/** Whom the server takes the one with the passkey for: by now this device's user. */
export interface SignedIn {
  readonly user: User;
  /** Never rejects. */
  readonly tellAuthenticators: () => Promise<unknown>;
}

/** Begins at `path`/options, and lets the user make a passkey. */
export async function makePasskey(
  context: Context,
  path: string,
  request: JsonObject,
  farewell: FarewellOutcome,
  ended: AbortSignal,
): Promise<SignedIn> {
  // Under the session of somebody who has left, the new passkey would become one of their account's.
  if (farewell === 'unheard') throw new HoldfastError('no_contact', 'the server has not heard of the last sign-out');
  const { server } = context;
  const begin = () => server.request('POST', `${path}/options`, request);
  const { ceremony, publicKey } = await begin().catch((error) => {
    // A session that has died is told of once; its cookie is gone with that answer.
    if (error.code === 'unauthenticated') return begin();
    throw error;
  });
  const credential = await createPasskey(publicKey, ended);
  // Before there is an account that this device could not hold.
  await makeUsable(context);
  return signedIn(context, await server.request('POST', path, { ceremony, credential }), publicKey, credential);
}

/**
 * Lets the user of the live session make one more passkey. It goes without a name, so that the server cannot take it for a new
 * account when the session has just ended.
 */
export async function addPasskey(context: Context, ended: AbortSignal): Promise<SignedIn> {
  const { server } = context;
  const begun = server.request('POST', '/v1/registration/options', {});
  const { ceremony, publicKey } = await begun.catch((error) => {
    throw error.code === 'invalid_request' || error.code === 'forbidden' ? new HoldfastError('unauthenticated') : error;
  });
  const credential = await createPasskey(publicKey, ended);
  const body = await server.request('POST', '/v1/registration', { ceremony, credential });
  return signedIn(context, body, publicKey, credential);
}

/** Lets the user sign in with a passkey that they have. With `only`, another user's is refused before the server sees it. */
export async function usePasskey(
  context: Context,
  ended: AbortSignal,
  { mediation, only }: { readonly mediation?: 'conditional' | undefined; readonly only?: User },
): Promise<SignedIn> {
  const { server } = context;
  for (;;) {
    const { ceremony, publicKey } = await server.request('POST', '/v1/authentication/options', {});
    const renewal = mediation && AbortSignal.timeout(ceremonyLife);
    let credential: JsonObject;
    try {
      credential = await pickPasskey(publicKey, renewal ? AbortSignal.any([ended, renewal]) : ended, mediation);
    } catch (error) {
      if (renewal?.aborted && !ended.aborted) continue;
      throw error;
    }
    if (only && !isOf(only, credential)) throw new HoldfastError('passkey_unknown');
    const body = await server.request('POST', '/v1/authentication', { ceremony, credential });
    return signedIn(context, body, publicKey, credential);
  }
}

/** Whether the passkey that answered is that user's. */
function isOf({ id }: User, { response }: JsonObject): boolean {
  return isObject(response) && response.userHandle === userHandle(id);
}

/** Makes the one who has just signed in this device's user. What another user left is gone. */
async function signedIn(
  context: Context,
  body: JsonObject,
  ceremonyOptions: unknown,
  credential: JsonObject,
): Promise<SignedIn> {
  const { store, server, origin } = context;
  const user = userOf(body);
  const here = credential.authenticatorAttachment === 'platform' ? [String(credential.id)] : [];
  const used = readPasskey(body.passkey, here);
  await makeUsable(context);
  await store.update((held) => ({
    ...(held.user?.id === user.id ? {} : nobody),
    user,
    here: [...new Set([...keptHere(held, user.id), ...here])],
    // Only a session of the user whose device it is can unlink it: now it can, or nobody will.
    farewell: held.farewell?.user === user.id ? { user: user.id, device: held.farewell.device } : undefined,
  }));
  const rpId = rpIdOf(ceremonyOptions) ?? new URL(origin).hostname;
  return { user, tellAuthenticators: async () => used && signalPasskeys(server, rpId, user, used) };
}

/** JSON that is not shaped like an answer was not written by the server. */
function userOf(body: JsonObject): User {
  const user = readUser(body.user);
  if (!user) throw new HoldfastError('no_contact', "the answer is not the server's");
  return user;
}
