import { HoldfastError } from '../base/error.ts';
import { isObject, type JsonObject } from '../base/strict-json.ts';
import { readUser, type User } from '../base/user.ts';
import { userHandle } from '../base/user-handle.ts';
import { readPasskey } from '../passkey/passkey.ts';
import { createPasskey, pickPasskey } from '../passkey/passkey-prompt.ts';
import { rpIdOf } from '../passkey/rp-id.ts';
import { signalDeleted, signalPasskeys } from '../passkey/signal-passkeys.ts';
import { makeUsable } from '../reconcile/healing.ts';
import type { Context } from '../state/context.ts';
import { keptHere } from '../storage/kept-here.ts';
import { nobody } from '../storage/store.ts';

/** A ceremony lives five minutes on the server; autofill may wait for hours, so it is renewed in time. */
const ceremonyLife = 4 * 60_000;

/** The user the server authenticated, who is now this device's user. */
export interface SignedIn {
  readonly user: User;
  /** Never rejects. */
  readonly tellAuthenticators: () => Promise<unknown>;
}

/** A credential that an authenticator has created or returned, and its ceremony. */
export interface Answer {
  readonly ceremony: unknown;
  readonly publicKey: unknown;
  readonly credential: JsonObject;
}

/** Begins the ceremony at `path`/options and lets the user create a passkey. */
export async function makePasskey(
  { server }: Context,
  path: string,
  request: JsonObject,
  ended: AbortSignal,
): Promise<Answer> {
  const begin = () => server.request('POST', `${path}/options`, request);
  const { ceremony, publicKey } = await begin().catch((error) => {
    // The server reports a dead session once and deletes its cookie with that answer.
    if (error.code === 'unauthenticated') return begin();
    throw error;
  });
  return { ceremony, publicKey, credential: await createPasskey(publicKey, ended) };
}

/**
 * Sends a new passkey to the server. May be called again with the same one after a failure that left the outcome unknown. If
 * the server has certainly rejected it, it is removed from the user's list where the browser supports that, since it would
 * never work.
 */
export async function enterPasskey(
  context: Context,
  path: string,
  made: Answer,
  ended: AbortSignal,
): Promise<SignedIn> {
  // Storage must work before an account exists that this device could not keep.
  await makeUsable(context);
  try {
    return await postPasskey(context, path, made);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'ceremony_invalid') throw error;
    // The ceremony was spent by an earlier try whose answer was lost, or it expired. A sign-in with the passkey finds out
    // which.
    const allow = String(made.credential.id);
    return await usePasskey(context, ended, { allow }).catch((refusal: HoldfastError) => {
      if (refusal.code !== 'credential_rejected') throw refusal;
      void discard(context, made);
      throw error;
    });
  }
}

/**
 * Lets the user of the live session add a passkey. The request carries no name, so that the server cannot create a new
 * account if the session has just ended.
 */
export async function addPasskey(context: Context, ended: AbortSignal): Promise<SignedIn> {
  const path = '/v1/registration';
  const begun = context.server.request('POST', `${path}/options`, {});
  const { ceremony, publicKey } = await begun.catch((error) => {
    throw error.code === 'invalid_request' || error.code === 'forbidden' ? new HoldfastError('unauthenticated') : error;
  });
  return postPasskey(context, path, { ceremony, publicKey, credential: await createPasskey(publicKey, ended) });
}

async function postPasskey(context: Context, path: string, made: Answer): Promise<SignedIn> {
  const { ceremony, credential } = made;
  try {
    return await signedIn(context, await context.server.request('POST', path, { ceremony, credential }), made);
  } catch (error) {
    if (isRefusal(error)) void discard(context, made);
    throw error;
  }
}

/**
 * Whether the server has refused a passkey for good. A spent ceremony is not a refusal: the same passkey may have spent it.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof HoldfastError) || error.status === undefined) return false;
  return error.status < 500 && error.status !== 429 && error.code !== 'ceremony_invalid';
}

function discard(context: Context, { publicKey, credential }: Answer): Promise<void> {
  return signalDeleted(rpIdOf(publicKey) ?? new URL(context.origin).hostname, String(credential.id));
}

/** The conditions on the passkey that answers a prompt. */
export interface Question {
  readonly mediation?: 'conditional' | undefined;
  /** The credential id of the only passkey that may answer. */
  readonly allow?: string;
  /** The only user whose passkey may answer; another's is refused before the server sees it. */
  readonly only?: User;
}

/** Lets the user sign in with an existing passkey. */
export async function usePasskey(context: Context, ended: AbortSignal, question: Question = {}): Promise<SignedIn> {
  return enter(context, await showPasskey(context, ended, question));
}

/** Lets the user choose an existing passkey, without signing in: {@link enter} does that. */
export async function showPasskey(
  { server }: Context,
  ended: AbortSignal,
  { mediation, allow, only }: Question,
): Promise<Answer> {
  for (;;) {
    const { ceremony, publicKey } = await server.request('POST', '/v1/authentication/options', {});
    const allowed = allow !== undefined && { allowCredentials: [{ type: 'public-key', id: allow }] };
    const renewal = mediation && AbortSignal.timeout(ceremonyLife);
    const signal = renewal ? AbortSignal.any([ended, renewal]) : ended;
    try {
      const credential = await pickPasskey({ ...Object(publicKey), ...allowed }, signal, mediation);
      if (only && !isOf(only, credential)) throw new HoldfastError('passkey_unknown');
      return { ceremony, publicKey, credential };
    } catch (error) {
      if (!renewal?.aborted || ended.aborted) throw error;
    }
  }
}

/** Signs in with a passkey that {@link showPasskey} returned. */
export async function enter(context: Context, shown: Answer): Promise<SignedIn> {
  const { ceremony, credential } = shown;
  return signedIn(context, await context.server.request('POST', '/v1/authentication', { ceremony, credential }), shown);
}

/** Whether the response is from a passkey of that user's. */
function isOf({ id }: User, { response }: JsonObject): boolean {
  return isObject(response) && response.userHandle === userHandle(id);
}

/** Stores the user who has just signed in as this device's user and deletes another user's data. */
async function signedIn(context: Context, body: JsonObject, { publicKey, credential }: Answer): Promise<SignedIn> {
  const { store, server, origin } = context;
  const user = userOf(body);
  const here = credential.authenticatorAttachment === 'platform' ? [String(credential.id)] : [];
  const used = readPasskey(body.passkey, here);
  await makeUsable(context);
  await store.update((held) => ({
    ...(held.user?.id === user.id ? {} : nobody),
    user,
    here: [...new Set([...keptHere(held, user.id), ...here])],
    // Only a session of the device's own user can unlink it. After another user's sign-in there will be none.
    farewell: held.farewell?.user === user.id ? { user: user.id, device: held.farewell.device } : undefined,
  }));
  const rpId = rpIdOf(publicKey) ?? new URL(origin).hostname;
  return { user, tellAuthenticators: async () => used && signalPasskeys(server, rpId, user, used) };
}

/** JSON of another shape does not come from the server. */
function userOf(body: JsonObject): User {
  const user = readUser(body.user);
  if (!user) throw new HoldfastError('no_contact', "the answer is not the server's");
  return user;
}
