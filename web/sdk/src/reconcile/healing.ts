import { deleteDB } from 'idb';
import { failingWith } from '../base/failing-with.ts';
import type { Context } from '../state/context.ts';
import type { State } from '../state/state.ts';
import type { StorageHealth } from '../storage/storage-health.ts';
import { schemaVersion, withTimeout } from '../storage/store.ts';

/** Failing storage is checked again after the first wait, which doubles up to the longest one. */
const [firstLook, longestWait] = [2_000, 60_000];

/** Healing watches over storage: it names failures and repairs what needs no user, never in a loop. */
export class Healing {
  readonly #state: State;
  /** Remedies already tried: a second try would not help. */
  readonly #tried = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = firstLook;
  #closed = false;

  constructor(state: State) {
    this.#state = state;
  }

  /** Call after storage was used. `unkept`: an answer could not be stored. */
  async look(unkept = false): Promise<void> {
    if (this.#closed) return;
    const { store } = this.#state.context;
    const health = await this.#examine(unkept);
    if (this.#closed) return;
    if (health !== this.#state.storage) {
      this.#state.storage = health;
      this.#state.tell();
    }
    if (store.failure === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#wait = firstLook;
      return;
    }
    if (await this.#mend(nameOf(store.failure))) {
      void this.#state.load();
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#state.load();
    }, this.#wait);
    this.#wait = Math.min(longestWait, 2 * this.#wait);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #examine(unkept: boolean): Promise<StorageHealth> {
    const { store, name } = this.#state.context;
    const { user, taken } = this.#state.standing;
    const unclear = store.failure === undefined || nameOf(store.failure) === 'AbortError';
    if (unclear && (unkept || ['full', 'unavailable'].includes(this.#state.storage))) {
      // A successful read proves no room to write, and the requests of an aborted transaction do not name the cause. So
      // write the observed time once more, on its own.
      await store.update(({ time }) => (time ? { time } : {})).catch(() => {});
    }
    if (store.failure !== undefined) {
      if (nameOf(store.failure) === 'QuotaExceededError') return 'full';
      return store.blocked ? 'blocked' : 'unavailable';
    }
    if (user) {
      if (taken !== undefined) remember(name);
    } else if (remembered(name)) {
      // A sign-out keeps the keyset and the time, so empty storage means lost data.
      const held = await store.read().catch(() => null);
      if (held && Object.keys(held).length === 0) return 'reset';
    }
    return store.version === undefined ? 'newer' : 'well';
  }

  /** Tries each remedy that needs no user once. True: check storage again. */
  async #mend(failure: string): Promise<boolean> {
    const { store } = this.#state.context;
    if (this.#tried.has(failure)) return false;
    this.#tried.add(failure);
    switch (failure) {
      case 'VersionError':
        // Later versions only add to the schema, so this version can use the database as it is.
        store.version = undefined;
        return true;
      case 'NotFoundError':
        // A database without its object store has nothing to lose.
        return startAfresh(this.#state.context).then(
          () => true,
          () => false,
        );
      default:
        return false;
    }
  }
}

/** Deletes the unreadable database and begins with an empty one. Rejects with `storage_unavailable`. */
async function startAfresh({ store, name }: Context): Promise<void> {
  await store.close();
  await failingWith('storage_unavailable', () => withTimeout(deleteDB(name)));
  store.version = schemaVersion;
  await store.read();
}

/**
 * Replaces unreadable storage for a user who has just used a passkey and can get its contents from the server again. Never
 * earlier: the failure may be temporary, and an abandoned sign-in must not destroy data. Rejects with `storage_unavailable`
 * if nothing helps or an older version's tab blocks it.
 */
export async function makeUsable(context: Context): Promise<void> {
  await context.store.read().catch(async (error: unknown) => {
    if (context.store.blocked) throw error;
    await startAfresh(context);
  });
}

/** The localStorage key that records that a database existed; it is not lost together with the database. */
const mark = (name: string) => `${name}:kept`;

function remember(name: string): void {
  try {
    localStorage.setItem(mark(name), '1');
  } catch {
    // Without the mark, an emptied database looks like one never used.
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
