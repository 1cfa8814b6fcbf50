import { HoldfastError } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { batch, type Signal, signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { read } from './session.ts';
import { failure } from './words/failure.ts';

/** An action of a staff member, while it runs and when it has failed. */
export interface Work {
  readonly busy: Signal<boolean>;
  /** Why it failed, in words; null: it has not failed. */
  readonly failed: Signal<string | null>;
  /** Runs one action at a time. True: it succeeded. */
  readonly run: (work: () => Promise<unknown>) => Promise<boolean>;
}

export function useWork(): Work {
  const busy = useSignal(false);
  const failed = useSignal<string | null>(null);
  const run = async (work: () => Promise<unknown>) => {
    if (busy.peek()) return false;
    batch(() => {
      busy.value = true;
      failed.value = null;
    });
    try {
      await work();
      return true;
    } catch (error) {
      failed.value = reason(error, 'change');
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { busy, failed, run };
}

/** Data read from the server for a page. */
export interface Loaded<T> {
  readonly data: Signal<T | null>;
  /** Why it could not be read; earlier data stays. */
  readonly failed: Signal<string | null>;
  readonly reload: () => Promise<void>;
}

/**
 * Reads `path` now, whenever it changes, and when the page becomes visible again, since others may have changed its data.
 * Null reads nothing. A change of path drops the earlier data.
 */
export function useLoaded<T>(path: string | null): Loaded<T> {
  const data = useSignal<T | null>(null);
  const failed = useSignal<string | null>(null);
  const newest = useSignal<AbortController | null>(null);
  const reload = async () => {
    if (path === null) return;
    newest.peek()?.abort();
    const own = new AbortController();
    newest.value = own;
    try {
      const answer = await read<T>(path, own.signal);
      if (own.signal.aborted) return;
      batch(() => {
        data.value = answer;
        failed.value = null;
      });
    } catch (error) {
      if (!own.signal.aborted) failed.value = reason(error, 'look');
    }
  };
  useEffect(() => {
    batch(() => {
      data.value = null;
      failed.value = null;
    });
    void reload();
    const seen = () => {
      if (document.visibilityState === 'visible') void reload();
    };
    document.addEventListener('visibilitychange', seen);
    return () => {
      document.removeEventListener('visibilitychange', seen);
      newest.peek()?.abort();
    };
  }, [path]);
  return { data, failed, reload };
}

/** A list that is read page by page. */
export interface Paged<T> {
  readonly items: Signal<readonly T[] | null>;
  /** The names that the answers had for ids in the items. */
  readonly names: Signal<ReadonlyMap<string, string>>;
  readonly failed: Signal<string | null>;
  readonly more: Signal<boolean>;
  readonly loading: Signal<boolean>;
  readonly next: () => Promise<void>;
  /** Reads from the start; the data shown stays until the answer arrives. */
  readonly reload: () => Promise<void>;
}

/**
 * Reads the pages of `path`, whose answer has the list as `name` and the cursor as `next`. A change of `path` starts again.
 */
export function usePaged<T>(path: string | null, name: string): Paged<T> {
  const items = useSignal<readonly T[] | null>(null);
  const names = useSignal<ReadonlyMap<string, string>>(new Map());
  const failed = useSignal<string | null>(null);
  const cursor = useSignal<string | null>(null);
  const more = useSignal(false);
  const loading = useSignal(false);
  const newest = useSignal<AbortController | null>(null);
  const load = async (from: string | null) => {
    if (path === null) return;
    newest.peek()?.abort();
    const own = new AbortController();
    newest.value = own;
    loading.value = true;
    try {
      const url = from === null ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(from)}`;
      const answer = await read<Record<string, unknown>>(url, own.signal);
      if (own.signal.aborted) return;
      const page = answer[name] as readonly T[];
      batch(() => {
        items.value = from === null ? page : [...(items.peek() ?? []), ...page];
        const known = Object.entries((answer.names ?? {}) as Readonly<Record<string, string>>);
        names.value = new Map([...(from === null ? [] : names.peek()), ...known]);
        cursor.value = (answer.next as string | null | undefined) ?? null;
        more.value = cursor.peek() !== null;
        failed.value = null;
      });
    } catch (error) {
      if (!own.signal.aborted) failed.value = reason(error, 'look');
    } finally {
      if (newest.peek() === own) loading.value = false;
    }
  };
  useEffect(() => {
    if (path === null) items.value = null;
    void load(null);
    return () => newest.peek()?.abort();
  }, [path]);
  return { items, names, failed, more, loading, next: () => load(cursor.peek()), reload: () => load(null) };
}

/** The outcome of the last action, for the whole page, with an undo where possible. */
export interface Said {
  readonly text: string;
  readonly undo?: { readonly label: string; readonly act: () => void };
}

export const said = signal<Said | null>(null);

function reason(error: unknown, what: 'change' | 'look'): string | null {
  if (error instanceof HoldfastError) return failure(error, what);
  console.error(error);
  return t('That did not work, and this page does not know why. Reload it.');
}
