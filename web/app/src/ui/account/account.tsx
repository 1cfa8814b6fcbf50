import type { User } from '@holdfast/client';
import { Confirmation } from '@holdfast/kit/confirmation.tsx';
import { BackIcon } from '@holdfast/kit/icons.tsx';
import { LanguageChoice } from '@holdfast/kit/language-choice.tsx';
import { t } from '@holdfast/kit/words.ts';
import { useEffect } from 'preact/hooks';
import { confirming, outcome, user as signedIn } from '../../client.ts';
import { Devices } from './devices.tsx';
import { Export } from './export.tsx';
import { Lock } from './lock.tsx';
import { Plan } from './plan.tsx';
import { SecurityLink } from './security-link.tsx';
import { Storage } from './storage.tsx';

export { Replaceable } from '../replaceable.tsx';

/**
 * The user's rights and their end, the possible actions, and signing out, with one card each. The devices come last: their
 * list grows when the server answers, and nothing below it moves.
 */
export function Account({ user }: { user: User }) {
  // Outcomes are not shown again when the page is reopened; a sign-out's outcome appears on the page that follows it.
  useEffect(
    () => () => {
      if (signedIn.peek()) outcome.value = null;
    },
    [],
  );
  return (
    <div class="account">
      <div class="pane-head">
        <a class="button quiet back" href="#/">
          <BackIcon /> {t('Notes')}
        </a>
      </div>
      <div class="account-body">
        <h2>{user.name}</h2>
        <Plan />
        <Export />
        <SecurityLink />
        <Lock />
        <Storage />
        <Devices />
        <p class="choice">
          {t('Language')} <LanguageChoice label={t('Language')} />
        </p>
      </div>
      <Confirmation confirming={confirming} kind="question" />
    </div>
  );
}
