import { HoldfastError } from '../base/error.ts';
import type { Context } from '../state/context.ts';
import { type Keeper, LiveSession } from './live-session.ts';
import type { Session } from './session.ts';

/** Reads the session of this browser from the server. Null if there is none. */
export async function readSession(context: Context, keeper: Keeper): Promise<Session | null> {
  try {
    return new LiveSession(await context.server.request('GET', '/v1/session'), context, keeper);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'unauthenticated') return null;
    throw error;
  }
}
