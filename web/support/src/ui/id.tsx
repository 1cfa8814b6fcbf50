import { CopyIcon, DoneIcon } from '@holdfast/kit/icons.tsx';
import { useSignal } from '@preact/signals';

/** An id with a button that copies it. `of` names the button: "Copy the user id". */
export function Id({ children, of }: { children: string; of: string }) {
  return (
    <span class="id">
      <code>{children}</code>
      <Copy text={children} of={of} />
    </span>
  );
}

export function Copy({ text, of }: { text: string; of: string }) {
  const copied = useSignal<boolean | null>(null);
  return (
    <>
      <button
        type="button"
        class="copy"
        aria-label={`Copy ${of}`}
        title={`Copy ${of}`}
        onBlur={() => (copied.value = null)}
        onClick={async () => {
          copied.value = await navigator.clipboard.writeText(text).then(
            () => true,
            () => false,
          );
        }}
      >
        {copied.value ? <DoneIcon /> : <CopyIcon />}
      </button>
      <span class="unseen" role="status">
        {copied.value === true && 'Copied.'}
        {copied.value === false && 'The browser did not let it be copied.'}
      </span>
    </>
  );
}
