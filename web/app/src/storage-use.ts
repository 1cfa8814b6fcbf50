import { signal } from '@preact/signals';

/** The app's storage use and quota in bytes, and whether the storage is persistent. */
export interface StorageUse {
  readonly used: number;
  readonly allowed: number;
  readonly kept: boolean;
}

/** Null: not asked yet, or the browser does not say. */
export const storageUse = signal<StorageUse | null>(null);

export async function askStorageUse(): Promise<void> {
  try {
    const [{ usage, quota }, kept] = await Promise.all([navigator.storage.estimate(), navigator.storage.persisted()]);
    storageUse.value = usage === undefined || !quota ? null : { used: usage, allowed: quota, kept };
  } catch {
    storageUse.value = null;
  }
}

/** Asks the browser for persistent storage. False: not granted for now. */
export async function keepStorage(): Promise<boolean> {
  const kept = await navigator.storage.persist().catch(() => false);
  await askStorageUse();
  return kept;
}

/** A number of bytes in human-readable form: "640 kB", "1.2 MB", "2.1 GB". */
export function inBytes(bytes: number, locale?: string): string {
  const units = ['kilobyte', 'megabyte', 'gigabyte'];
  let [size, unit] = [bytes / 1000, 0];
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  const digits = size < 10 && unit > 0 ? 1 : 0;
  return new Intl.NumberFormat(locale, { style: 'unit', unit: units[unit], maximumFractionDigits: digits }).format(
    size,
  );
}
