import { t } from '@holdfast/kit/words.ts';
/** The link to the page about passkeys and sessions. */
export function SecurityLink() {
  return (
    <section class="card" aria-labelledby="security">
      <h3 id="security">{t('Passkeys and sessions')}</h3>
      <p>{t('How you sign in, where you are signed in, recovery codes, and everything stored about you.')}</p>
      <div class="actions">
        <a class="button" href="#/security">
          {t('Manage passkeys and sessions')}
        </a>
      </div>
    </section>
  );
}
