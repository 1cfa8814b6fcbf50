import type { ErrorCode } from '../base/error-code.ts';
import type { Bytes } from './bytes.ts';

/**
 * Content that only a passkey of its user opens, also offline. All methods reject with {@link HoldfastError} alone.
 *
 * @example
 * if (vault.status.state === 'locked') await vault.unlock();
 * note.sealed = await vault.seal(note.id, note.text);
 */
export interface Vault {
  /** The same object until something changes. */
  readonly status: VaultStatus;
  /** Calls `listener` after every change of the status. Returns a function that unsubscribes. */
  subscribe(listener: () => void): () => void;
  /**
   * Opens the vault in this page with one passkey tap; without network if this device holds the keys for that passkey. Rejects
   * before the prompt with `signed_out`, `locked` (the page), `not_granted`, `not_supported` or `passkeys_unavailable`, and before or after it with
   * `vault_keys_missing` (`cause`: the server is needed once); as the prompt does; with `passkey_unknown`, `assertion_invalid`,
   * `prf_unavailable` or `vault_wrap_invalid`.
   */
  unlock(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Locks the vault in this page, and forgets the keys in memory. */
  lock(): void;
  /** Asks the server for the newest keys. Call it after `POST /v1/vault/epochs`; all else asks by itself. Needs an open vault. */
  refresh(): Promise<void>;
  /**
   * Encrypts text or bytes (of a Blob too) for `id`, the app's name of what is encrypted. Seal a changed version under the same
   * id, so that an earlier one cannot be put back. Rejects with `vault_locked`, `prf_unavailable`, `not_granted` or the reason
   * why no document is in force, `invalid_request` (an id that is empty, longer than 1024, or no Unicode text),
   * `vault_epoch_rollback` (the newest key could not be fetched), `payload_too_large`, `vault_tampered` (the vault's own
   * records) or `storage_unavailable`.
   */
  seal(id: string, data: string | BufferSource | Blob): Promise<Bytes>;
  /**
   * Decrypts. Rejects as `seal` does, but for the document, or with `malformed`, `vault_id_mismatch`, `vault_tampered`,
   * `vault_truncated`, `vault_reordered`, `vault_epoch_unknown`, `vault_epoch_rollback` or `vault_replayed`.
   */
  open(id: string, sealed: BufferSource | Blob, options?: OpenOptions): Promise<Bytes>;
  /** As `open`, for text. */
  openText(id: string, sealed: BufferSource | Blob, options?: OpenOptions): Promise<string>;
  /** As `seal`, for content that does not fit in memory. */
  sealStream(id: string): Promise<ReadableWritablePair<Bytes, Uint8Array>>;
  /**
   * As `open`, for content that does not fit in memory. Each chunk is genuine, but only the stream's end shows that none is
   * missing: what came before an error is not the whole.
   */
  openStream(id: string, options?: OpenOptions): Promise<ReadableWritablePair<Bytes, Uint8Array>>;
  /**
   * Decrypts a content pack that the host has encrypted with a key of the feature. Rejects with `not_granted` unless `feature`
   * may be used now, `vault_locked`, `malformed`, `header_invalid`, `vault_id_mismatch`, `vault_epoch_unknown` or
   * `vault_tampered`.
   */
  openPack(feature: string, jwe: string): Promise<Bytes>;
  /** Locks the vault and stops its timers. Methods reject with `closed` afterwards. */
  close(): void;
}

/**
 * How the vault behaves in this page.
 *
 * @example
 * const vault = await openVault(hf, { idle: 5 * 60_000, onHide: true });
 */
export interface VaultOptions {
  /** Milliseconds without activity in this page after which the vault locks; up to a tenth more. Default: 15 minutes. */
  readonly idle?: number;
  /** Lock when the page is hidden. Default: false. */
  readonly onHide?: boolean;
}

/**
 * How to open.
 *
 * @example
 * await vault.openText(id, theirs, { earlier: true });
 */
export interface OpenOptions {
  /** Opens an earlier version, too: to show history, or both sides of a conflict. */
  readonly earlier?: boolean;
}

/**
 * The vault at one moment.
 *
 * @example
 * unlockButton.hidden = vault.status.state !== 'locked';
 */
export interface VaultStatus {
  /**
   * - `signed_out`: nobody is signed in.
   * - `not_granted`: the document grants no vault, and this device holds no keys.
   * - `no_prf`: this browser, or the authenticator that was used last, cannot open a vault.
   * - `needs_server`: unlocking needs the server once.
   * - `locked`: a passkey opens it, without network.
   * - `open`
   */
  readonly state: 'signed_out' | 'not_granted' | 'no_prf' | 'needs_server' | 'locked' | 'open';
  /** The epoch that seals; null: not open, or the user has no vault of their own. */
  readonly epoch: number | null;
  /** The features whose content packs can be opened now. */
  readonly packs: readonly string[];
  /** Why the newest keys could not be fetched while the vault was open; null: they were, or are not due. */
  readonly problem: ErrorCode | null;
}
