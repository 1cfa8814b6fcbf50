import type { Gap } from '@holdfast/api';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { lookForGaps } from '../surroundings.ts';
import { count } from '../words/time.ts';
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
        <h1>Gaps</h1>
      </div>
      <p class="hint">
        After a backup was restored, changes that were made since it are missing. Where a customer’s device knows of
        such a change, it is listed here: a revocation may have been lost with it. Look at the customer, put right what
        is wrong, then close the gap.
      </p>
      {!list ? (
        <Waiting failed={gaps.failed} retry={gaps.reload} />
      ) : list.length === 0 ? (
        <section class="card good" aria-label="Gaps">
          <p>None is open. Every device that was in contact agrees with the database.</p>
        </section>
      ) : (
        <ul class="rows card" aria-label="Open gaps">
          {list.map((gap) => (
            <li key={gap.id}>
              <div>
                <strong>
                  <a href={`#/user/${gap.user.id}`}>{gap.user.name}</a>
                </strong>
                <small>
                  {missing(gap)} The device knows revision {gap.device_revision}, the database had{' '}
                  {gap.database_revision}.
                </small>
                <small>
                  Found <When at={gap.at} />, by device{' '}
                  <Id of={`the id of the device of ${gap.user.name}`}>{gap.device}</Id>
                </small>
              </div>
              {may('support:write') && (
                <button
                  type="button"
                  class="button"
                  aria-label={`Close the gap of ${gap.user.name}`}
                  onClick={() => ask(<Close gap={gap} changed={gaps.reload} />)}
                >
                  Close…
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
  const lostActs = `${count(acts, 'act')} that the device had recorded, with their verdicts, missing.`;
  if (changes > 0) return `${count(changes, 'change')} missing.${acts > 0 ? ` ${lostActs}` : ''}`;
  return acts > 0 ? lostActs : 'A change is missing.';
}

function Close({ gap, changed }: { gap: Gap; changed: () => Promise<void> }) {
  return (
    <Act
      title={`Close the gap of ${gap.user.name}?`}
      yes="Close it"
      doing="Closing…"
      act={async ({ reason, key }) => {
        const body = { reason };
        await call('POST', `/admin/v1/gaps/${gap.id}/close`, { body, key: key(body) });
        await changed();
        void lookForGaps();
        said.value = { text: `The gap of ${gap.user.name} is closed.` };
      }}
    >
      <p class="promise">
        You have looked at the customer, and what was lost is put right: revoked again, if that is what is missing.
      </p>
      <p>It leaves this list; the trail keeps it, with your reason. It changes nothing of what they have.</p>
    </Act>
  );
}
