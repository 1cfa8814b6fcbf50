import { CopyIcon, DoneIcon } from '@holdfast/kit/icons.tsx';
import { t } from '@holdfast/kit/words.ts';
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
        aria-label={t('Copy {of}', { of })}
        title={t('Copy {of}', { of })}
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
        {copied.value === true && t('Copied.')}
        {copied.value === false && t('The browser did not let it be copied.')}
      </span>
    </>
  );
}
