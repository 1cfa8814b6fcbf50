import { noticeWords } from '@holdfast/kit/notice.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { now, requireSession } from '../../client.ts';
import { forgetNotices, notices } from '../../notices.ts';
import { go } from '../../route.ts';

/** Shows security notices at sign-in; the user must dismiss them before going on. */
export function Notices() {
  const dialog = useRef<HTMLDialogElement>(null);
  const names = useSignal<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    dialog.current?.showModal();
    requireSession()
      .then((session) => session.passkeys())
      .then(
        (passkeys) => (names.value = new Map(passkeys.map(({ id, name }) => [id, name]))),
        () => {},
      );
  }, []);
  return (
    <dialog class="question" ref={dialog} aria-labelledby="notices" onClose={forgetNotices}>
      <h2 id="notices">{t('Since you were here')}</h2>
      {notices.value.map((notice) => (
        <p key={`${notice.code} ${notice.at.getTime()}`}>
          {noticeWords(notice, names.value.get(notice.passkey) ?? null, now.value)}
        </p>
      ))}
      <form method="dialog">
        <button type="submit" class="button" onClick={() => go({ at: 'security' })}>
          {t('Look at passkeys and sessions')}
        </button>
        <button type="submit" class="button primary">
          {t('That was me')}
        </button>
      </form>
    </dialog>
  );
}
