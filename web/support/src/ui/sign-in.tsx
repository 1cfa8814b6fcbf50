import { HoldfastError, passkeySupport } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { enter, enterFromAutofill } from '../session.ts';
import { useWork } from '../work.ts';
import { Failed, WorkButton } from './button.tsx';
import { Threshold } from './threshold.tsx';

/** One tap of a passkey, or one picked from the autofill. */
export function SignIn() {
  const work = useWork();
  const usable = useSignal(true);
  const offered = useSignal(false);
  useEffect(() => {
    void passkeySupport().then((support) => {
      usable.value = support.usable;
      offered.value = support.autofill;
    });
  }, []);
  const busy = work.busy.value;
  // Autofill offers passkeys from the start, but never during a prompt that the user asked for.
  useEffect(() => {
    if (!offered.value || busy) return;
    const ended = new AbortController();
    enterFromAutofill(ended.signal).catch((error) => {
      // Report only a chosen passkey that was refused. The user asked for nothing else.
      if (
        error instanceof HoldfastError &&
        (error.code === 'credential_rejected' || error.code === 'ceremony_invalid')
      ) {
        void work.run(() => Promise.reject(error));
      }
    });
    return () => ended.abort();
  }, [offered.value, busy]);
  return (
    <Threshold>
      <h1>{t('Sign in')}</h1>
      {!usable.value && (
        <div class="callout" role="alert">
          <strong>{t('This browser cannot use passkeys.')}</strong>
          <p>{t('Open the console in an up-to-date Chrome, Edge, Firefox or Safari.')}</p>
        </div>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void work.run(enter);
        }}
      >
        {offered.value && (
          <label class="field">
            <span>{t('Your name')}</span>
            <input name="name" autocomplete="username webauthn" />
          </label>
        )}
        <WorkButton work={work} kind="primary wide" doing={t('Waiting for your passkey…')}>
          {t('Sign in with a passkey')}
        </WorkButton>
      </form>
      <Failed work={work} />
      <p class="hint">
        {t(
          'Staff only. Lost your passkey, or new here? An administrator, or whoever runs the server, can give you a one-time link.',
        )}
      </p>
    </Threshold>
  );
}
