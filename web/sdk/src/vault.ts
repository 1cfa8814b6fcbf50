// The vault, `@holdfast/client/vault`: content that only a passkey of its user opens, also offline.
import type { Client } from './client.ts';
import type { Holdfast } from './holdfast.ts';
import type { State } from './state/state.ts';
import { PageVault } from './vault/page-vault.ts';
import type { Vault, VaultOptions } from './vault/vault.ts';

export { canUseVault } from './vault/can-use-vault.ts';
export type { OpenOptions, Vault, VaultOptions, VaultStatus } from './vault/vault.ts';

const opened = new WeakMap<State, PageVault>();

/**
 * Opens the vault of a client, still locked, without network. Call it once, when the page opens, so that a page whose user has
 * lost the vault forgets the keys; a later call returns the same vault. `hf` is what `openHoldfast` resolved with, not a
 * framework's proxy of it.
 *
 * @example
 * const vault = await openVault(hf, { idle: 5 * 60_000 });
 * await vault.unlock(); // one passkey tap
 * const sealed = await vault.seal(note.id, note.text);
 */
export async function openVault(hf: Holdfast, options: VaultOptions = {}): Promise<Vault> {
  const { state } = hf as unknown as Client;
  const vault = opened.get(state) ?? new PageVault(state, options);
  opened.set(state, vault);
  if (state.ended) vault.close();
  else await vault.follow();
  return vault;
}
