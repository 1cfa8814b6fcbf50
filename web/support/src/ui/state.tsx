import type { Signal } from '@preact/signals';

/** What stands where nothing can be shown yet: why, or that it is on its way, said only once it takes a while. */
export function Waiting({ failed, retry }: { failed: Signal<string | null>; retry: () => unknown }) {
  if (failed.value === null) return <p class="waiting">One moment…</p>;
  return (
    <div class="callout" role="alert">
      <p>{failed.value}</p>
      <button type="button" class="button" onClick={() => void retry()}>
        Try again
      </button>
    </div>
  );
}

/** Where the role does not reach. The server would refuse it, too. */
export function NotAllowed() {
  return (
    <div class="callout" role="alert">
      <strong>This takes an administrator.</strong>
      <p>Your role is support. Ask an administrator to do it, or to change your role.</p>
    </div>
  );
}

/** The way to the rest of a list. */
export function More({ of }: { of: { more: Signal<boolean>; loading: Signal<boolean>; next: () => unknown } }) {
  if (!of.more.value) return null;
  return (
    <button
      type="button"
      class={`button more ${of.loading.value ? 'held' : ''}`}
      aria-disabled={of.loading.value}
      onClick={() => !of.loading.peek() && void of.next()}
    >
      Show more
    </button>
  );
}
