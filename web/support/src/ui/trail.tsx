import type { AuditEntry } from '@holdfast/api';
import { useEffect, useRef } from 'preact/hooks';
import { names } from '../surroundings.ts';
import { actionWords, actorWords, changes, objectOf, short } from '../words/trail.ts';
import { usePaged } from '../work.ts';
import { Id } from './id.tsx';
import { More, Waiting } from './state.tsx';
import { Timed, When } from './when.tsx';

interface Props {
  /** The user whose trail to show; null: everybody's. */
  readonly user: string | null;
  /** A change of this value reloads the trail. */
  readonly version?: string;
}

/** The trail, newest first. */
export function Trail({ user, version = '' }: Props) {
  const trail = usePaged<AuditEntry>(
    `/admin/v1/audit?limit=${user ? 20 : 50}${user ? `&user=${user}` : ''}`,
    'entries',
  );
  const seen = useRef(version);
  useEffect(() => {
    if (seen.current !== version) void trail.reload();
    seen.current = version;
  }, [version]);
  const entries = trail.items.value;
  if (!entries) return <Waiting failed={trail.failed} retry={trail.reload} />;
  return (
    <>
      {entries.length === 0 && <p>Nothing yet.</p>}
      <ol class={`trail ${user === null ? 'wide' : ''}`}>
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} everybody={user === null} />
        ))}
      </ol>
      {trail.failed.value !== null && <p class="outcome bad">{trail.failed.value}</p>}
      <More of={trail} />
    </>
  );
}

function Entry({ entry, everybody }: { entry: AuditEntry; everybody: boolean }) {
  const object = objectOf(entry);
  const changed = changes(entry);
  return (
    <li>
      <p>
        <strong>{actionWords(entry.action)}</strong> by {actorWords(entry.actor, entry.user, names.value)}
        {everybody && entry.user && (
          <>
            , for <a href={`#/user/${entry.user}`}>user {short(entry.user)}</a>
          </>
        )}
      </p>
      {entry.reason !== null && <p class="reason">“{entry.reason}”</p>}
      {object && (
        <p class="object">
          {object.kind} <Id of={`the id of the ${object.kind}`}>{object.id}</Id>
        </p>
      )}
      {changed.length > 0 && (
        <p class="change">
          <Timed words={() => changes(entry).join('; ')} />
        </p>
      )}
      <small>
        <When at={entry.at} />
      </small>
    </li>
  );
}
