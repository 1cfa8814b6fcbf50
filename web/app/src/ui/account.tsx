import type { User } from '@holdfast/client';
import { useEffect, useRef } from 'preact/hooks';
import { busy, checkNow, entitlement, may, now, outcome, replaceable, signIn, signOut, startTrial } from '../client.ts';
import { notes } from '../notes/book.ts';
import { exportName, toMarkdown } from '../notes/markdown.ts';
import { here } from '../standing.ts';
import { inFull } from '../when.ts';
import { dates, type Remedy } from '../words.ts';
import { Devices } from './devices.tsx';
import { BackIcon } from './icons.tsx';
import { Outcome } from './outcome.tsx';

/** What the user has and until when, what they can do about it, and the way out. */
export function Account({ user }: { user: User }) {
  // How something ended is no news any more when the page is opened again.
  useEffect(
    () => () => {
      outcome.value = null;
    },
    [],
  );
  return (
    <div class="account">
      <div class="pane-head">
        <a class="button quiet back" href="#/">
          <BackIcon /> Notes
        </a>
      </div>
      <div class="account-body">
        <h2>{user.name}</h2>
        <Plan />
        <Export />
        <ThisDevice />
      </div>
    </div>
  );
}

function Plan() {
  const { tone, headline, meaning, advice, remedy } = here.value;
  const lines = dates(entitlement.value, now.value);
  return (
    <section class={`card ${tone}`} aria-labelledby="plan">
      <h3 id="plan">{headline}</h3>
      <p>{meaning}</p>
      {advice && <p>{advice}</p>}
      {lines.length > 0 && (
        <dl>
          {lines.map(({ term, value }) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <div class="actions">
        <Remedies remedy={remedy} />
      </div>
      <Outcome />
      {replaceable.value.length > 0 && <Devices />}
    </section>
  );
}

function Remedies({ remedy }: { remedy: Remedy }) {
  const doing = busy.value;
  return (
    <>
      {remedy === 'trial' && (
        <button type="button" class="button primary" disabled={doing !== null} onClick={() => void startTrial()}>
          Start the 14-day trial
        </button>
      )}
      {(remedy === 'sign-in' || outcome.value?.signIn) && (
        <button type="button" class="button primary" disabled={doing !== null} onClick={() => void signIn()}>
          {doing === 'sign-in' ? 'Waiting for your passkey…' : 'Sign in with a passkey'}
        </button>
      )}
      {remedy !== 'sign-in' && (
        <button
          type="button"
          class={`button ${remedy === 'connect' ? 'primary' : ''}`}
          disabled={doing !== null}
          onClick={() => void checkNow()}
        >
          Check now
        </button>
      )}
    </>
  );
}

function Export() {
  const allowed = entitlement.value.features.export !== undefined;
  const { headline, tone } = here.value;
  const locked =
    tone === 'calm'
      ? 'This is part of premium.'
      : `Locked: ${headline.charAt(0).toLocaleLowerCase()}${headline.slice(1)}.`;
  return (
    <section class="card" aria-labelledby="export">
      <h3 id="export">Export</h3>
      <p id="export-about">All notes as one Markdown file, made on this device. {!allowed && locked}</p>
      <div class="actions">
        <button
          type="button"
          class="button"
          disabled={!allowed || notes.value.length === 0}
          aria-describedby="export-about"
          onClick={download}
        >
          Export all notes
        </button>
      </div>
    </section>
  );
}

function ThisDevice() {
  const question = useRef<HTMLDialogElement>(null);
  return (
    <section class="card" aria-labelledby="device">
      <h3 id="device">This device</h3>
      <p>
        {entitlement.value.signInNeeded
          ? 'It is not linked to your account.'
          : 'It is linked to your account: what you have works here without the network.'}{' '}
        Notes are kept in this browser only.
      </p>
      <div class="actions">
        <button
          type="button"
          class="button"
          disabled={busy.value !== null}
          onClick={() => question.current?.showModal()}
        >
          Sign out
        </button>
      </div>
      <dialog class="question" ref={question} aria-labelledby="sign-out-question">
        <h2 id="sign-out-question">Sign out of this device?</h2>
        <p>Your notes stay in this browser and open again when you sign in. Premium does not work here until then.</p>
        <form method="dialog">
          <button type="submit" class="button">
            Stay
          </button>
          <button
            type="button"
            class="button danger"
            onClick={() => {
              question.current?.close();
              void signOut();
            }}
          >
            Sign out
          </button>
        </form>
      </dialog>
    </section>
  );
}

/** Hands the file to the browser. The right is asked for once more: it may have ended since the button was drawn. */
function download(): void {
  if (!may('export')) return;
  const at = new Date();
  const file = new Blob([toMarkdown(notes.value, at, (time) => inFull(time))], { type: 'text/markdown' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = exportName(at);
  link.click();
  // The download has taken its own hold on the data by the next task.
  setTimeout(() => URL.revokeObjectURL(link.href));
}
