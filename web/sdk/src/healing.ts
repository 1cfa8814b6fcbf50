import { deleteDB } from 'idb';
import type { Context } from './context.ts';
import { failingWith } from './failing-with.ts';
import type { Standing } from './standing.ts';
import type { StorageHealth } from './storage-health.ts';
import { schemaVersion, withTimeout } from './store.ts';

/** Storage that fails is looked at again after this long, then after twice that, up to the longest wait. */
const [firstLook, longestWait] = [2_000, 60_000];

/** The part of Client that healing uses. */
export interface Subject {
  readonly standing: Standing;
  storage: StorageHealth;
  load(): Promise<void>;
  tell(changed: boolean): void;
}

/** Looks after storage: names what is wrong with it, mends what can be mended without the user, and never in a loop. */
export class Healing {
  readonly #context: Context;
  readonly #client: Subject;
  /** Remedies that were tried: a second time would help no more. */
  readonly #tried = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = firstLook;
  #closed = false;

  constructor(context: Context, client: Subject) {
    this.#context = context;
    this.#client = client;
  }

  /** Storage was used just now. `unkept`: an answer could not be kept. */
  async look(unkept = false): Promise<void> {
    if (this.#closed) return;
    const { store } = this.#context;
    const health = await this.#examine(unkept);
    if (this.#closed) return;
    if (health !== this.#client.storage) {
      this.#client.storage = health;
      this.#client.tell(true);
    }
    if (store.failure === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#wait = firstLook;
      return;
    }
    if (await this.#mend(nameOf(store.failure))) {
      void this.#client.load();
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#client.load();
    }, this.#wait);
    this.#wait = Math.min(longestWait, 2 * this.#wait);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #examine(unkept: boolean): Promise<StorageHealth> {
    const { store, name } = this.#context;
    const { user, taken } = this.#client.standing;
    const unclear = store.failure === undefined || nameOf(store.failure) === 'AbortError';
    if (unclear && (unkept || ['full', 'unavailable'].includes(this.#client.storage))) {
      // To have read since says nothing of room to write, and an aborted transaction's requests do not say why: what was
      // seen of the time is written once more, by itself.
      await store.update(({ time }) => (time ? { time } : {})).catch(() => {});
    }
    if (store.failure !== undefined) {
      if (nameOf(store.failure) === 'QuotaExceededError') return 'full';
      return store.blocked ? 'blocked' : 'unavailable';
    }
    if (user) {
      if (taken !== undefined) remember(name);
    } else if (remembered(name)) {
      // A sign-out leaves the keyset and the time: where there is nothing at all, it was lost.
      const held = await store.read().catch(() => null);
      if (held && Object.keys(held).length === 0) return 'reset';
    }
    return store.version === undefined ? 'newer' : 'well';
  }

  /** What needs no user, once each. True: storage is worth another look. */
  async #mend(failure: string): Promise<boolean> {
    const { store } = this.#context;
    if (this.#tried.has(failure)) return false;
    this.#tried.add(failure);
    switch (failure) {
      case 'VersionError':
        // Later versions only add to the schema: what is there can be used as it is.
        store.version = undefined;
        return true;
      case 'NotFoundError':
        // Without its object store, a database holds nothing that could be lost.
        return startAfresh(this.#context).then(
          () => true,
          () => false,
        );
      default:
        return false;
    }
  }
}

/** Throws away what cannot be read, and begins with nothing. Rejects with `storage_unavailable`. */
async function startAfresh({ store, name }: Context): Promise<void> {
  await store.close();
  await failingWith('storage_unavailable', () => withTimeout(deleteDB(name)));
  store.version = schemaVersion;
  await store.read();
}

/**
 * For somebody who has just shown a passkey: what storage that cannot be read holds, they get anew. Not before: storage may fail
 * for a moment only, and a sign-in that comes to nothing must not cost them what it holds. Rejects with
 * `storage_unavailable` where nothing helps, and where an older version's tab stands in the way.
 */
export async function makeUsable(context: Context): Promise<void> {
  await context.store.read().catch(async (error: unknown) => {
    if (context.store.blocked) throw error;
    await startAfresh(context);
  });
}

/** Where nothing is lost together with the database, it is known that there was one. */
const mark = (name: string) => `${name}:kept`;

function remember(name: string): void {
  try {
    localStorage.setItem(mark(name), '1');
  } catch {
    // Without it, an emptied database looks like one never used.
  }
}

function remembered(name: string): boolean {
  try {
    return localStorage.getItem(mark(name)) !== null;
  } catch {
    return false;
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
