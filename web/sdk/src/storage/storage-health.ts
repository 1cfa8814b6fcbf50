/**
 * The health of this device's storage. Verified rights stay in force while the page is open, even if storage fails.
 *
 * - `well`
 * - `full`: no room (quota, disk). Storage can be read, but new answers of the server cannot be stored.
 * - `blocked`: another tab, with an older version of the app, prevents opening it. Closing that tab resolves it.
 * - `newer`: a newer version of the app has written here. This version can still read and write it; a reload loads the newer
 *   one.
 * - `unavailable`: it cannot be opened, or fails. It is retried automatically; signing in replaces it.
 * - `reset`: the data was lost (evicted, deleted, discarded as unreadable) and storage is empty. Signing in restores it.
 *
 * @example
 * const advice = hf.storage === "full" ? "Free some space" : hf.storage === "blocked" ? "Close the other tabs" : "";
 */
export type StorageHealth = 'well' | 'full' | 'blocked' | 'newer' | 'unavailable' | 'reset';
