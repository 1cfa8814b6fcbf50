import 'fake-indexeddb/auto';
import { vi } from 'vitest';
import { type Holdfast, type Options, openHoldfast } from '../../src/index.ts';
import { type Changes, type Held, Store } from '../../src/store.ts';
import { epoch, type FakeServer, origin } from './fake-server.ts';

let count = 0;

/** One browser profile: a database, a clock, and any number of tabs on it. */
export class Profile {
  readonly database = `profile-${++count}`;
  readonly #server: FakeServer;
  readonly #tabs: Holdfast[] = [];
  /** The device's clock, milliseconds. */
  clock = epoch * 1000;

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
      fetch: this.#server.fetch,
      autoReconcile: false,
      ...options,
    });
    this.#tabs.push(tab);
    return tab;
  }

  /** A tab that is signed in, linked, and holds premium. */
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

/** A browser whose authenticator answers at once with `credential`, or fails. */
export function stubPasskeys(
  answer: () => Promise<unknown> = async () => ({
    toJSON: () => ({ id: 'AAAA', authenticatorAttachment: 'platform' }),
  }),
) {
  vi.stubGlobal('PublicKeyCredential', {
    parseCreationOptionsFromJSON: (options: unknown) => options,
    parseRequestOptionsFromJSON: (options: unknown) => options,
  });
  const credentials = { create: vi.fn(answer), get: vi.fn(answer) };
  vi.stubGlobal('navigator', { credentials, userAgent: 'Firefox Windows' });
  return credentials;
}
