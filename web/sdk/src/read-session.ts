import { userOf } from './ceremony.ts';
import { HoldfastError } from './error.ts';
import type { Server } from './server.ts';
import type { Session } from './session.ts';

/** Asks for the session of this browser. Null if there is none. */
export async function readSession(server: Server): Promise<Session | null> {
  try {
    const body = await server.request('GET', '/v1/session');
    const [authenticatedAt, expiresAt] = [new Date(String(body.authenticated_at)), new Date(String(body.expires_at))];
    return { user: userOf(body), authenticatedAt, expiresAt };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'unauthenticated') return null;
    throw error;
  }
}
