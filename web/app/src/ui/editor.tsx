import { BackIcon, BinIcon } from '@holdfast/kit/icons.tsx';
import { inWords } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { useEffect, useRef } from 'preact/hooks';
import { now } from '../client.ts';
import { changeNote } from '../notes/book.ts';
import { type Note, nameOf } from '../notes/note.ts';
import { deleteOpenNote } from './list.tsx';
import { Question } from './question.tsx';

/** One note, open for editing. Every keystroke is stored. */
export function Editor({ note }: { note: Note }) {
  const title = useRef<HTMLInputElement>(null);
  const text = useRef<HTMLTextAreaElement>(null);
  const question = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    if (!note.title && !note.text) title.current?.focus();
  }, []);

  return (
    <article class="editor">
      <div class="pane-head">
        <a class="button quiet back" href="#/">
          <BackIcon /> {t('Notes')}
        </a>
        <p class="changed">{t('Changed {time}', { time: inWords(new Date(note.changedAt), now.value) })}</p>
        <button type="button" class="button quiet" onClick={() => question.current?.showModal()}>
          <BinIcon /> {t('Delete')}
        </button>
      </div>
      <input
        class="title"
        ref={title}
        aria-label={t('Title')}
        placeholder={t('Title')}
        autocomplete="off"
        enterkeyhint="next"
        value={note.title}
        onInput={(event) => changeNote(note, { title: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.isComposing) return;
          event.preventDefault();
          text.current?.focus();
        }}
      />
      <textarea
        class="text"
        ref={text}
        aria-label={t('Text')}
        placeholder={t('Write…')}
        value={note.text}
        onInput={(event) => changeNote(note, { text: event.currentTarget.value })}
      />
      <Question
        dialog={question}
        id="delete-question"
        title={t('Delete this note?')}
        no={t('Keep it')}
        yes={t('Delete note')}
        onYes={() => deleteOpenNote(note)}
      >
        <p>{t('“{note}” will be deleted from this device for good.', { note: nameOf(note) })}</p>
      </Question>
    </article>
  );
}
