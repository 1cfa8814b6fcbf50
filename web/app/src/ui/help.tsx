import { t } from '@holdfast/kit/words.ts';
import { here } from '../standing.ts';

/** The operator's help, where the user's state calls for it and the operator has named a place. */
export function Help() {
  const { help } = here.value;
  if (!help) return null;
  return (
    <a class="button primary" href={help} rel="noreferrer">
      {help.startsWith('mailto:') ? t('Write to support') : t('Get help')}
    </a>
  );
}
