import { sentences, t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { enrol, recover, user } from '../../client.ts';
import { go } from '../../route.ts';
import { ActionButton } from '../action-button.tsx';
import { Mark } from '../mark.tsx';
import { Outcome } from '../outcome.tsx';

/** How the user got here: by either kind of support's link, or to type one of their own codes. */
type Way = 'enrolment' | 'recovery' | 'typed';

function words(way: Way) {
  const kept = t('It is kept by this device or your password manager, and signs you in from now on.');
  const back = [t('One tap makes a new passkey for it.'), t('All other sessions are ended.')];
  switch (way) {
    case 'enrolment':
      return {
        heading: t('Your account is ready.'),
        promises: [t('One tap makes a passkey for it.'), t('No password, now or later.'), t('This link works once.')],
        task: t('Make your passkey'),
        about: kept,
      };
    case 'recovery':
      return {
        heading: t('Back into your account.'),
        promises: [...back, t('This link works once.')],
        task: t('Make a new passkey'),
        about: kept,
      };
    case 'typed':
      return {
        heading: t('Back into your account.'),
        promises: [...back, t('A code works once.')],
        task: t('Use a recovery code'),
        about: t('You made ten of them when you still had a passkey. Capitals and hyphens do not matter.'),
      };
  }
}

/**
 * The page where a one-time code creates a passkey: the first one of an account prepared by support, or one to replace lost
 * ones.
 */
export function Recovery({ way, code }: { way: Way; code: string | null }) {
  const typed = useSignal('');
  const present = user.value;
  const { heading, promises, task, about } = words(way);
  const start = async () => {
    const entered = await (code === null ? recover(typed.value.trim()) : enrol(code));
    // If linking failed afterwards, the account page offers the remedy.
    if (entered) go({ at: way === 'enrolment' ? 'list' : 'recovered' }, true);
  };
  return (
    <main class="threshold">
      <div class="threshold-intro">
        <p class="brand">
          <Mark /> Fieldbook
        </p>
        <h1>{heading}</h1>
        <ul class="promises">
          {promises.map((promise) => (
            <li key={promise}>{promise}</li>
          ))}
        </ul>
      </div>
      <form
        class="threshold-card"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <h2>{task}</h2>
        <p>
          {sentences(
            about,
            present && t('You are signed in as {name} here; going on ends that.', { name: present.name }),
          )}
        </p>
        {code === null && (
          <label class="field">
            <span>{t('Recovery code')}</span>
            <input
              class="code"
              autocomplete="off"
              autocapitalize="characters"
              spellcheck={false}
              maxLength={64}
              required
              value={typed}
              onInput={(event) => (typed.value = event.currentTarget.value)}
            />
          </label>
        )}
        <ActionButton
          kind="primary wide"
          action={code === null ? 'recover' : 'enrol'}
          doing={t('Waiting for your passkey…')}
        >
          {t('Create passkey')}
        </ActionButton>
        <button type="button" class="button quiet wide" onClick={() => go({ at: 'list' }, true)}>
          {t('Not now')}
        </button>
        <Outcome />
        {code === null && (
          <p class="hint">
            {t('No code left? Support can send you a link that does the same, once they know that it is you.')}
          </p>
        )}
      </form>
    </main>
  );
}
