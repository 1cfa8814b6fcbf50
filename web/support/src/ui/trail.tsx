import type { AuditEntry } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useEffect, useRef } from 'preact/hooks';
import { names as staffNames } from '../surroundings.ts';
import { actionWords, actorWords, changes, kindWords, objectOf, short } from '../words/trail.ts';
import { usePaged } from '../work.ts';
import { Id } from './id.tsx';
import { More, Waiting } from './state.tsx';
import { Timed, When } from './when.tsx';

interface Props {
  /** The user whose trail to show; null: everybody's. */
  readonly user: string | null;
  /** Parameters that select entries; '' selects all. */
  readonly filter?: string;
  /** Called with the actors seen so far, and their names. */
  readonly seen?: (actors: ReadonlyMap<string, string>) => void;
  /** A change of this value reloads the trail. */
  readonly version?: string;
}

/** The trail, newest first. */
export function Trail({ user, filter = '', seen: tell, version = '' }: Props) {
  const trail = usePaged<AuditEntry>(
    `/admin/v1/audit?limit=${user ? 20 : 50}${user ? `&user=${user}` : ''}${filter && `&${filter}`}`,
    'entries',
  );
  const seen = useRef(version);
  useEffect(() => {
    if (seen.current !== version) void trail.reload();
    seen.current = version;
  }, [version]);
  const entries = trail.items.value;
  const names = trail.names.value;
  useEffect(() => {
    const actors = (entries ?? []).map(({ actor }) => [actor, names.get(actor.slice(actor.indexOf(':') + 1))] as const);
    tell?.(new Map(actors.filter((each): each is [string, string] => each[1] !== undefined)));
  }, [entries]);
  if (!entries) return <Waiting failed={trail.failed} retry={trail.reload} />;
  return (
    <>
      {entries.length === 0 && <p>{filter === '' ? t('Nothing yet.') : t('No entry matches.')}</p>}
      <ol class={`trail ${user === null ? 'wide' : ''}`}>
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} names={names} everybody={user === null} />
        ))}
      </ol>
      {trail.failed.value !== null && <p class="outcome bad">{trail.failed.value}</p>}
      <More of={trail} />
    </>
  );
}

interface EntryProps {
  readonly entry: AuditEntry;
  readonly names: ReadonlyMap<string, string>;
  readonly everybody: boolean;
}

function Entry({ entry, names, everybody }: EntryProps) {
  // A customer who acts is "the customer", unless they are staff: those make their own passkeys as users.
  const known = entry.actor === `user:${entry.user}` ? staffNames.value : names;
  const object = objectOf(entry);
  const changed = changes(entry);
  return (
    <li>
      <p>
        {rich('{action} by {actor}', {
          action: <strong>{actionWords(entry.action)}</strong>,
          actor: actorWords(entry.actor, entry.user, known),
        })}
        {everybody && entry.user && rich(', for {customer}', { customer: <Customer id={entry.user} names={names} /> })}
      </p>
      {entry.reason !== null && <p class="reason">“{entry.reason}”</p>}
      {object && (
        <p class="object">
          {kindWords(object.kind)} <Id of={t('the id: {kind}', { kind: kindWords(object.kind) })}>{object.id}</Id>
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

/** A customer by name, or that the account was deleted. */
export function Customer({ id, names }: { id: string; names: ReadonlyMap<string, string> }) {
  const name = names.get(id);
  return name === undefined ? (
    t('a deleted account ({short})', { short: short(id) })
  ) : (
    <a href={`#/user/${id}`}>{name}</a>
  );
}
