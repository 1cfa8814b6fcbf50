import 'fake-indexeddb/auto';
import { vi } from 'vitest';
import { decodeBase64url } from '../../src/base/base64url.ts';
import type { Client } from '../../src/client.ts';
import { type Holdfast, type Options, openHoldfast } from '../../src/index.ts';
import { type Changes, type Held, Store } from '../../src/storage/store.ts';
import { epoch, type FakeServer, origin } from './fake-server.ts';

let count = 0;

/** One browser profile: a database, a clock, and any number of tabs on it. */
export class Profile {
  readonly database = `profile-${++count}`;
  readonly #server: FakeServer;
  readonly #tabs: Holdfast[] = [];
  /** The device's clock, milliseconds. */
  clock = epoch * 1000;
  /** The monotonic clock. */
  monotonic = 0;

  constructor(server: FakeServer) {
    this.#server = server;
  }

  async open(options: Partial<Options> = {}): Promise<Holdfast> {
    const tab = await openHoldfast({
      origin,
      roots: this.#server.roots,
      rpId: 'holdfast.test',
      database: this.database,
      clock: () => this.clock,
      monotonic: () => this.monotonic,
      fetch: this.#server.fetch,
      autoReconcile: false,
      ...options,
    });
    this.#tabs.push(tab);
    return tab;
  }

  /** Advances both clocks. */
  pass(milliseconds: number): void {
    this.clock += milliseconds;
    this.monotonic += milliseconds;
  }

  /** Opens a tab that is signed in, linked, and has premium. */
  async openPremium(): Promise<Holdfast> {
    const tab = await this.open();
    await tab.signIn();
    return tab;
  }

  async held(): Promise<Held> {
    const store = new Store(this.database);
    const held = await store.read();
    await store.close();
    return held;
  }

  /** Writes to storage behind the client's back. */
  async tamper(changes: Changes): Promise<void> {
    const store = new Store(this.database);
    await store.update(() => changes);
    await store.close();
  }

  close(): void {
    for (const tab of this.#tabs.splice(0)) tab.close();
  }
}

/** Builds the result of navigator.credentials from its JSON form, without the platform's toJSON method. */
export function asCredential(json: Record<string, unknown>): object {
  const { id = 'AAAA', response, clientExtensionResults = {}, authenticatorAttachment = null } = json;
  const binary = Object.entries({ clientDataJSON: 'AAAA', ...(response as object) }).map(([name, value]) => [
    name,
    typeof value === 'string' ? decodeBase64url(value)?.buffer : null,
  ]);
  return {
    id,
    rawId: decodeBase64url(String(id))?.buffer,
    type: 'public-key',
    authenticatorAttachment,
    response: Object.fromEntries(binary),
    getClientExtensionResults: () => clientExtensionResults,
  };
}

/** A browser whose authenticator answers at once with `credential`, or fails. */
export function stubPasskeys(
  answer: () => Promise<unknown> = async () => asCredential({ authenticatorAttachment: 'platform' }),
) {
  vi.stubGlobal('PublicKeyCredential', {});
  const credentials = { create: vi.fn(answer), get: vi.fn(answer) };
  vi.stubGlobal('navigator', { credentials, userAgent: 'Firefox Windows' });
  return credentials;
}

/** Reads storage again, as a page does when another tab announces a change. */
export function reload(hf: Holdfast): Promise<void> {
  return (hf as Client).state.load();
}
