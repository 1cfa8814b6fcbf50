import type { User } from '@holdfast/client';
import { Confirmation } from '@holdfast/kit/confirmation.tsx';
import { BackIcon } from '@holdfast/kit/icons.tsx';
import { useEffect } from 'preact/hooks';
import { confirming, outcome, user as signedIn } from '../../client.ts';
import { Devices } from './devices.tsx';
import { Export } from './export.tsx';
import { Lock } from './lock.tsx';
import { Plan } from './plan.tsx';
import { SecurityLink } from './security-link.tsx';
import { Storage } from './storage.tsx';

/**
 * What the user has and until when, what they can do about it, and the way out: one card for each matter. The devices come
 * last: their list grows when the server answers, and nothing below it has to make room.
 */
export function Account({ user }: { user: User }) {
  // How something ended is no news any more when the page is opened again; how a sign-out ended is told where it led to.
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
          <BackIcon /> Notes
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
      </div>
      <Confirmation confirming={confirming} kind="question" />
    </div>
  );
}
