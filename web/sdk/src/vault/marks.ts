import { encodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import { type Bytes, hkdf, listed, utf8 } from './bytes.ts';
import type { Numbers } from './sealed.ts';
import type { Mark, VaultStore } from './store.ts';

/**
 * Marks keeps, for each id, the newest sealing that this device has made or opened, and the highest epoch that it has seen.
 * Each mark is authenticated by a key that only an open vault has, and is stored under a name that does not show the id.
 * Somebody who writes to the whole profile can still put back an old state of it.
 */
export class Marks {
  readonly #store: VaultStore;
  readonly #key: CryptoKey;

  private constructor(store: VaultStore, key: CryptoKey) {
    this.#store = store;
    this.#key = key;
  }

  /** `contentKey` is that of the user's first epoch, which does not change. */
  static async open(store: VaultStore, contentKey: CryptoKey): Promise<Marks> {
    const target = { name: 'HMAC', hash: 'SHA-256', length: 256 };
    const how = hkdf(new Uint8Array(), utf8('holdfast vault marks'));
    return new Marks(store, await crypto.subtle.deriveKey(how, contentKey, target, false, ['sign', 'verify']));
  }

  /** The highest epoch seen; 0: none. */
  async highestEpoch(): Promise<number> {
    return (await this.#read(await this.#name('epoch', '')))?.epoch ?? 0;
  }

  /** Throws `vault_epoch_rollback` if a higher epoch has been seen. */
  async raiseEpoch(epoch: number): Promise<void> {
    await this.#advance(await this.#name('epoch', ''), (mark) => {
      if (epoch < (mark?.epoch ?? 0)) throw new HoldfastError('vault_epoch_rollback');
      return { epoch, sequence: 0 };
    });
  }

  /** The numbers of a new sealing: later than all that this device knows of the id, and by the clock if it is later. */
  next(id: string, epoch: number, clock: number): Promise<Numbers> {
    return this.#advanceId(id, (mark) => {
      if (epoch < (mark?.epoch ?? 0)) throw new HoldfastError('vault_epoch_rollback');
      return { epoch, sequence: Math.max(Math.floor(clock), (mark?.sequence ?? 0) + 1) };
    });
  }

  /**
   * Takes a sealing that has opened. Throws `vault_replayed` if a later one of the id is known, or `vault_epoch_rollback` if it
   * is the latest but under an earlier epoch.
   */
  async admit(id: string, { epoch, sequence }: Numbers): Promise<void> {
    await this.#advanceId(id, (mark) => {
      if (mark && sequence < mark.sequence) throw new HoldfastError('vault_replayed');
      if (mark && epoch < mark.epoch) throw new HoldfastError('vault_epoch_rollback');
      return { epoch, sequence };
    });
  }

  async #advanceId(id: string, change: (mark: Mark | null) => Numbers): Promise<Numbers> {
    return this.#advance(await this.#name('id', id), change);
  }

  /** Compares and swaps: a transaction cannot wait for a signature. */
  async #advance(name: string, change: (mark: Mark | null) => Numbers): Promise<Numbers> {
    for (;;) {
      const before = await this.#read(name);
      const { epoch, sequence } = change(before);
      if (before?.epoch === epoch && before.sequence === sequence) return before;
      const mac = new Uint8Array(await crypto.subtle.sign('HMAC', this.#key, covered(name, epoch, sequence)));
      if (await this.#store.swapMark(name, before, { epoch, sequence, mac })) return { epoch, sequence };
    }
  }

  async #read(name: string): Promise<Mark | null> {
    const mark = await this.#store.mark(name);
    if (mark === undefined) return null;
    const { epoch, sequence, mac } = (mark ?? {}) as Partial<Mark>;
    const genuine =
      mac instanceof Uint8Array &&
      (await crypto.subtle.verify('HMAC', this.#key, mac, covered(name, epoch, sequence)).catch(() => false));
    if (!genuine) throw new HoldfastError('vault_tampered', 'vault_tampered: mark');
    return mark as Mark;
  }

  async #name(kind: 'id' | 'epoch', id: string): Promise<string> {
    const name = await crypto.subtle.sign('HMAC', this.#key, listed('name', kind, id));
    return encodeBase64url(new Uint8Array(name));
  }
}

function covered(name: string, epoch: unknown, sequence: unknown): Bytes {
  return listed('mark', name, epoch, sequence);
}
