import type { Gap } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { sentences, t } from '@holdfast/kit/words.ts';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { lookForGaps } from '../surroundings.ts';
import { said, usePaged } from '../work.ts';
import { Act, ask } from './act.tsx';
import { Id } from './id.tsx';
import { More, Waiting } from './state.tsx';
import { When } from './when.tsx';

/** Users whose devices know of later changes than the database does, since it was restored from a backup. */
export function Gaps() {
  const gaps = usePaged<Gap>('/admin/v1/gaps?limit=50', 'gaps');
  const list = gaps.items.value;
  return (
    <>
      <div class="page-head">
        <h1>{t('Gaps')}</h1>
      </div>
      <p class="hint">
        {t(
          'After a backup was restored, changes that were made since it are missing. Where a customer’s device knows of such a change, it is listed here: a revocation may have been lost with it. Look at the customer, put right what is wrong, then close the gap.',
        )}
      </p>
      {!list ? (
        <Waiting failed={gaps.failed} retry={gaps.reload} />
      ) : list.length === 0 ? (
        <section class="card good" aria-label={t('Gaps')}>
          <p>{t('None is open. Every device that was in contact agrees with the database.')}</p>
        </section>
      ) : (
        <ul class="rows card" aria-label={t('Open gaps')}>
          {list.map((gap) => (
            <li key={gap.id}>
              <div>
                <strong>
                  <a href={`#/user/${gap.user.id}`}>{gap.user.name}</a>
                </strong>
                <small>
                  {t('{missing} The device knows revision {known}, the database had {had}.', {
                    missing: missing(gap),
                    known: gap.device_revision,
                    had: gap.database_revision,
                  })}
                </small>
                <small>
                  {rich('Found {when}, by device {id}', {
                    when: <When at={gap.at} />,
                    id: <Id of={t('the id of the device of {name}', { name: gap.user.name })}>{gap.device}</Id>,
                  })}
                </small>
              </div>
              {may('support:write') && (
                <button
                  type="button"
                  class="button"
                  aria-label={t('Close the gap of {name}', { name: gap.user.name })}
                  onClick={() => ask(<Close gap={gap} changed={gaps.reload} />)}
                >
                  {t('Close…')}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {list && <More of={gaps} />}
    </>
  );
}

/**
 * Changes since the restore may have raised the database's revision to the device's, although another change is still
 * missing.
 */
function missing({ device_revision, database_revision, device_acts, database_acts }: Gap): string {
  const changes = device_revision - database_revision;
  const acts = device_acts - database_acts;
  const lostActs = t(
    '{count, plural, one {# act} other {# acts}} that the device had recorded, with their verdicts, missing.',
    { count: acts },
  );
  if (changes > 0)
    return sentences(
      t('{count, plural, one {# change} other {# changes}} missing.', { count: changes }),
      acts > 0 && lostActs,
    );
  return acts > 0 ? lostActs : t('A change is missing.');
}

function Close({ gap, changed }: { gap: Gap; changed: () => Promise<void> }) {
  return (
    <Act
      title={t('Close the gap of {name}?', { name: gap.user.name })}
      yes={t('Close it')}
      doing={t('Closing…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/gaps/${gap.id}/close`, { body, key: key(body) });
        await changed();
        void lookForGaps();
        said.value = { text: t('The gap of {name} is closed.', { name: gap.user.name }) };
      }}
    >
      <p class="promise">
        {t(
          'You have looked at the customer, and what was lost is put right: revoked again, if that is what is missing.',
        )}
      </p>
      <p>{t('It leaves this list; the trail keeps it, with your reason. It changes nothing of what they have.')}</p>
    </Act>
  );
}
