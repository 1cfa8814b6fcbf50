import type { Link } from '@holdfast/api';
import { useComputed, useSignal } from '@preact/signals';
import { askNothing, Frame } from './act.tsx';
import { When } from './when.tsx';

interface Props {
  readonly title: string;
  readonly text: string;
  readonly link: Link;
}

/** A one-time link, which the server returns only once. */
export function LinkMade({ title, text, link }: Props) {
  const copied = useSignal<boolean | null>(null);
  const shown = link.url ?? link.code;
  // Escape must not discard a link that is not copied yet.
  const kept = useComputed(() => copied.value !== true);
  return (
    <Frame title={title} busy={kept} wide>
      <p>{text}</p>
      <label class="field">
        <span>{link.url === null ? 'One-time code, for your app' : 'One-time link'}</span>
        <textarea class="code" rows={2} readOnly value={shown} onFocus={(event) => event.currentTarget.select()} />
        <small>
          Works once, until <When at={link.expires_at} />. It is shown only now.
        </small>
      </label>
      <div class="ends">
        <p class="outcome" role="status">
          {copied.value === true && 'Copied.'}
          {copied.value === false && 'The browser did not let it be copied: select it and copy by hand.'}
        </p>
        <button
          type="button"
          class="button primary"
          onClick={async () => {
            copied.value = await navigator.clipboard.writeText(shown).then(
              () => true,
              () => false,
            );
          }}
        >
          Copy link
        </button>
        <button type="button" class="button" onClick={askNothing}>
          Done
        </button>
      </div>
    </Frame>
  );
}
