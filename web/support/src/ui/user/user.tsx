import type { Account } from '@holdfast/api';
import { BackIcon } from '@holdfast/kit/icons.tsx';
import { t } from '@holdfast/kit/words.ts';
import { useLoaded } from '../../work.ts';
import { Id } from '../id.tsx';
import { Waiting } from '../state.tsx';
import { Trail } from '../trail.tsx';
import { When } from '../when.tsx';
import { Access } from './access.tsx';
import { Acts } from './acts.tsx';
import { Devices } from './devices.tsx';
import { Holdings } from './holdings.tsx';
import { Notes } from './notes.tsx';

/** One user: rights with reasons, devices, access, and trail. */
export function UserPage({ id }: { id: string }) {
  const { data, failed, reload } = useLoaded<Account>(`/admin/v1/users/${id}`);
  const account = data.value;
  return (
    <>
      <a class="button quiet back" href="#/customers">
        <BackIcon /> {t('Customers')}
      </a>
      {account ? (
        <>
          <header class="person">
            <h1>{account.user.name}</h1>
            {account.role && <span class="badge attention">{t('staff: {role}', { role: account.role })}</span>}
            <dl class="ids">
              <div>
                <dt>{t('Customer id')}</dt>
                <dd>
                  {account.user.external_id ? <Id of={t('the customer id')}>{account.user.external_id}</Id> : t('none')}
                </dd>
              </div>
              <div>
                <dt>{t('User id')}</dt>
                <dd>
                  <Id of={t('the user id')}>{account.user.id}</Id>
                </dd>
              </div>
              {account.billing_url !== null && (
                <div>
                  <dt>{t('Billing')}</dt>
                  <dd>
                    <a href={account.billing_url} target="_blank" rel="noreferrer">
                      {t('open the customer there')}
                    </a>
                  </dd>
                </div>
              )}
              <div>
                <dt>{t('Since')}</dt>
                <dd>
                  <When at={account.user.created_at} />
                </dd>
              </div>
            </dl>
          </header>
          {failed.value !== null && (
            <div class="callout" role="alert">
              <p>
                {failed.value} {t('What is shown may be out of date.')}
              </p>
              <button type="button" class="button" onClick={() => void reload()}>
                {t('Try again')}
              </button>
            </div>
          )}
          <div class="columns">
            <div class="column">
              <Holdings account={account} changed={reload} />
              <Devices account={account} changed={reload} />
              <Acts account={account} changed={reload} />
            </div>
            <div class="column">
              <Notes account={account} changed={reload} />
              <Access account={account} changed={reload} />
              <section class="card" aria-labelledby="trail">
                <h2 id="trail">{t('What was done')}</h2>
                <Trail user={account.user.id} version={account.audit[0]?.id ?? ''} />
              </section>
            </div>
          </div>
        </>
      ) : (
        <>
          <h1 class="unseen">{t('Customer')}</h1>
          <Waiting failed={failed} retry={reload} />
        </>
      )}
    </>
  );
}
