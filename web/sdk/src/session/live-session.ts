import { HoldfastError } from '../base/error.ts';
import { type LinkedDevice, readLinkedDevice } from '../base/linked-device.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { readUser, type User } from '../base/user.ts';
import { displayNameOf, type Passkey, readPasskey } from '../passkey/passkey.ts';
import { rpIdOf } from '../passkey/rp-id.ts';
import { signalDeleted, signalName, signalNone } from '../passkey/signal-passkeys.ts';
import { withLock } from '../reconcile/with-lock.ts';
import type { Server } from '../server/server.ts';
import type { Context } from '../state/context.ts';
import { keptHere } from '../storage/kept-here.ts';
import { type Notice, readNotices } from './notice.ts';
import { type OpenSession, readOpenSession } from './open-session.ts';
import type { Session } from './session.ts';

/** The acts that change the signed-in user, which a session cannot do alone. */
export interface Keeper {
  /** Signs in again, only as `user`. */
  confirm(user: User): Promise<void>;
  addPasskey(): Promise<void>;
  /** Forgets the user of a deleted account: nothing is left to tell the server. */
  forget(user: User): Promise<void>;
}

/** LiveSession implements {@link Session} over the routes that the session's cookie authorises. */
export class LiveSession implements Session {
  readonly user: User;
  readonly authenticatedAt: Date;
  readonly expiresAt: Date;
  readonly notices: readonly Notice[];
  readonly #context: Context;
  readonly #server: Server;
  readonly #keeper: Keeper;

  constructor(body: JsonObject, context: Context, keeper: Keeper) {
    const user = readUser(body.user);
    if (!user) throw notTheServers();
    this.user = user;
    this.authenticatedAt = new Date(String(body.authenticated_at));
    this.expiresAt = new Date(String(body.expires_at));
    this.notices = readNotices(body.notices);
    this.#context = context;
    this.#server = context.server;
    this.#keeper = keeper;
  }

  confirm(): Promise<void> {
    return this.#keeper.confirm(this.user);
  }

  async passkeys(): Promise<readonly Passkey[]> {
    const [body, here] = await Promise.all([this.#server.request('GET', '/v1/passkeys'), this.#here()]);
    return readList(body, 'passkeys', (passkey) => readPasskey(passkey, here));
  }

  addPasskey(): Promise<void> {
    return this.#keeper.addPasskey();
  }

  async renamePasskey(id: string, name: string): Promise<void> {
    const [body, here] = await Promise.all([this.#server.request('PATCH', passkeyPath(id), { name }), this.#here()]);
    const renamed = readPasskey(body, here);
    // An authenticator without this passkey would give the name to the one that it holds.
    if (renamed?.here) void this.#tell((rpId) => signalName(rpId, this.user, displayNameOf(renamed, this.user)));
  }

  async deletePasskey(id: string, { endSessions = false }: { readonly endSessions?: boolean } = {}): Promise<void> {
    await this.#server.request('DELETE', passkeyPath(id), { end_sessions: endSessions });
    void this.#tell((rpId) => signalDeleted(rpId, id));
  }

  async sessions(): Promise<readonly OpenSession[]> {
    return readList(await this.#server.request('GET', '/v1/sessions'), 'sessions', readOpenSession);
  }

  async endSession(id: string): Promise<void> {
    await this.#server.request('DELETE', `/v1/sessions/${encodeURIComponent(id)}`);
  }

  async endOtherSessions(): Promise<void> {
    await this.#server.request('DELETE', '/v1/sessions');
  }

  async devices(): Promise<readonly LinkedDevice[]> {
    return readList(await this.#server.request('GET', '/v1/devices'), 'devices', readLinkedDevice);
  }

  async unlinkDevice(id: string): Promise<void> {
    await this.#server.request('DELETE', `/v1/devices/${encodeURIComponent(id)}`);
  }

  async recoveryCodes() {
    const { left, created_at } = await this.#server.request('GET', '/v1/recovery-codes');
    if (typeof left !== 'number') throw notTheServers();
    return { left, createdAt: created_at ? new Date(String(created_at)) : null };
  }

  async createRecoveryCodes(): Promise<readonly string[]> {
    const body = await this.#server.request('POST', '/v1/recovery-codes');
    return readList(body, 'codes', (code) => (typeof code === 'string' ? code : null));
  }

  exportAccount(): Promise<JsonObject> {
    return this.#server.request('GET', '/v1/account/export');
  }

  async deleteAccount(): Promise<void> {
    // The server announces the end of the session, too: no reconcile in between may ask for a device that is gone.
    await withLock(this.#context.name, async () => {
      await this.#server.request('DELETE', '/v1/account');
      void this.#tell((rpId) => signalNone(rpId, this.user));
      await this.#keeper.forget(this.user);
    });
  }

  /** Empty if storage fails. */
  async #here(): Promise<readonly string[]> {
    return keptHere(await this.#context.store.read().catch(() => ({})), this.user.id);
  }

  /** Signals authenticators where the browser supports it. The server names its own relying party id. */
  async #tell(signal: (rpId: string) => Promise<void>): Promise<void> {
    const { rpId, origin } = this.#context;
    if (rpId) return signal(rpId);
    const begun = await this.#server.request('POST', '/v1/authentication/options', {}).catch(() => null);
    if (begun) await signal(rpIdOf(begun.publicKey) ?? new URL(origin).hostname);
  }
}

function passkeyPath(id: string): string {
  return `/v1/passkeys/${encodeURIComponent(id)}`;
}

/** Reads a list, all or nothing: the user could not end or delete a missing entry. */
function readList<T>(body: JsonObject, name: string, read: (value: unknown) => T | null): T[] {
  const list = body[name];
  if (!Array.isArray(list)) throw notTheServers();
  return list.map((value) => {
    const item = read(value);
    if (item === null) throw notTheServers();
    return item;
  });
}

function notTheServers(): HoldfastError {
  return new HoldfastError('no_contact', "the answer is not the server's");
}
