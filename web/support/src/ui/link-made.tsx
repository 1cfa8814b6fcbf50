import type { Link } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useComputed, useSignal } from '@preact/signals';
import type { Qr } from '../qr.ts';
import { useWork } from '../work.ts';
import { askNothing, Frame } from './act.tsx';
import { Failed, WorkButton } from './button.tsx';
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
        <span>{link.url === null ? t('One-time code, for your app') : t('One-time link')}</span>
        <textarea class="code" rows={2} readOnly value={shown} onFocus={(event) => event.currentTarget.select()} />
        <small>
          {rich('Works once, until {when}. It is shown only now.', { when: <When at={link.expires_at} /> })}
        </small>
      </label>
      <QrCode text={shown} />
      <div class="ends">
        <p class="outcome" role="status">
          {copied.value === true && t('Copied.')}
          {copied.value === false && t('The browser did not let it be copied: select it and copy by hand.')}
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
          {t('Copy link')}
        </button>
        <button type="button" class="button" onClick={askNothing}>
          {t('Done')}
        </button>
      </div>
    </Frame>
  );
}

/** The link as a picture for the camera of the device that it is for. It is drawn in this page: the link goes nowhere else. */
function QrCode({ text }: { text: string }) {
  const code = useSignal<Qr | null>(null);
  const work = useWork();
  const { value: drawn } = code;
  if (!drawn) {
    return (
      <>
        <WorkButton
          work={work}
          onClick={() => work.run(async () => (code.value = (await import('../qr.ts')).qr(text)))}
        >
          {t('Show as QR code')}
        </WorkButton>
        <Failed work={work} />
      </>
    );
  }
  return (
    <svg class="qr" viewBox={`0 0 ${drawn.size} ${drawn.size}`} role="img" aria-label={t('The link as a QR code')}>
      <path d={drawn.path} shape-rendering="crispEdges" />
    </svg>
  );
}
