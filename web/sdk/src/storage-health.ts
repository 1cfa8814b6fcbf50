/**
 * The health of this device's storage. Rights that were verified stay in force while the page is open, even if storage fails.
 *
 * - `well`
 * - `full`: there is no room (quota, disk). Storage can be read, but new answers of the server cannot be kept.
 * - `blocked`: another tab, with an older version of the app, keeps it from being opened. Closing that tab mends it.
 * - `newer`: a newer version of the app has written here. It is read and written all the same; reloading brings that
 *   version.
 * - `unavailable`: it cannot be opened, or fails. It is tried again by itself; signing in starts it afresh.
 * - `reset`: what was held is lost (evicted, deleted, given up as unreadable) and storage is empty. Signing in brings
 *   it back.
 *
 * @example
 * const advice = hf.storage === "full" ? "Free some space" : hf.storage === "blocked" ? "Close the other tabs" : "";
 */
export type StorageHealth = 'well' | 'full' | 'blocked' | 'newer' | 'unavailable' | 'reset';
