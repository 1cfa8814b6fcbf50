import type { AdminUser } from '@holdfast/api';
import { SearchIcon } from '@holdfast/kit/icons.tsx';
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { go } from '../address.ts';
import type { Answer } from '../answer.ts';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { count, utc } from '../words/time.ts';
import { usePaged } from '../work.ts';
import { Act, ask } from './act.tsx';
import { LinkMade } from './link-made.tsx';
import { More } from './state.tsx';

/** The search text, kept while a result is open. */
const query = signal('');

/** Milliseconds without another key before the request. */
const pause = 150;

export function Search() {
  const wanted = useSignal(query.peek().trim());
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus({ preventScroll: true }), []);
  const text = query.value;
  useEffect(() => {
    const timer = setTimeout(() => {
      wanted.value = text.trim();
    }, pause);
    return () => clearTimeout(timer);
  }, [text]);
  const asked = wanted.value;
  const found = usePaged<AdminUser>(
    asked === '' ? null : `/admin/v1/users?limit=25&q=${encodeURIComponent(asked)}`,
    'users',
  );
  const users = asked === '' ? null : found.items.value;
  // Enter may precede the answer.
  const entered = useRef(false);
  const openTheOne = () => {
    const [one, another] = found.items.peek() ?? [];
    if (!entered.current || found.loading.peek() || asked !== query.peek().trim() || !one || another) return;
    entered.current = false;
    go({ at: 'user', id: one.id });
  };
  useEffect(openTheOne, [found.items.value, found.loading.value]);
  return (
    <>
      <div class="page-head">
        <h1>Customers</h1>
        {may('support:write') && (
          <button type="button" class="button" onClick={() => ask(<NewCustomer />)}>
            New customer
          </button>
        )}
      </div>
      <form
        class="search"
        onSubmit={(event) => {
          event.preventDefault();
          entered.current = true;
          wanted.value = query.peek().trim();
          openTheOne();
        }}
      >
        <SearchIcon />
        <input
          ref={field}
          type="search"
          aria-label="Search customers"
          placeholder="Name, customer id or billing id"
          autocomplete="off"
          spellcheck={false}
          maxLength={200}
          value={query}
          onInput={(event) => {
            entered.current = false;
            query.value = event.currentTarget.value;
          }}
        />
      </form>
      <p class="hint" role="status">
        {found.failed.value ?? hint(asked, users, found.more.value)}
      </p>
      {users && users.length > 0 && (
        <ul class="found" aria-label="Found">
          {users.map((user) => (
            <li key={user.id}>
              <a href={`#/user/${user.id}`}>
                <strong>{user.name}</strong>
                <span>{user.external_id ?? 'no customer id'}</span>
                <span class="since">since {utc(new Date(user.created_at))}</span>
                <code>{user.id}</code>
              </a>
            </li>
          ))}
        </ul>
      )}
      {users && <More of={found} />}
    </>
  );
}

function hint(asked: string, users: readonly AdminUser[] | null, more: boolean): string {
  if (asked === '') return 'Search by the beginning of a name, or by a whole id. Enter opens a single match.';
  if (users === null) return '';
  if (users.length === 0) return `Nobody is called “${asked}…” or has this id.`;
  return more ? `The first ${users.length}. Type more to find fewer.` : `${count(users.length, 'customer')} found.`;
}

function NewCustomer() {
  const name = useSignal('');
  const id = useSignal('');
  return (
    <Act
      title="Prepare an account for a customer?"
      yes="Prepare account"
      doing="Preparing…"
      act={async ({ reason, key }) => {
        const body = { name: name.peek().trim(), external_id: id.peek().trim(), reason };
        const made = await call<Answer<'createUser'>>('POST', '/admin/v1/users', { body, key: key(body) });
        query.value = made.user.external_id ?? made.user.name;
        ask(
          <LinkMade
            title={`The account of ${made.user.name} is ready`}
            text="Give this link to the customer: with it they make their first passkey. Nobody else may get it."
            link={made.enrolment}
          />,
        );
      }}
    >
      <p>
        For somebody who is a customer already. You get a one-time link, good for 15 minutes, for their first passkey.
      </p>
      <label class="field">
        <span>Name</span>
        <input
          autocomplete="off"
          maxLength={100}
          required
          value={name}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span>Customer id</span>
        <input
          autocomplete="off"
          spellcheck={false}
          maxLength={200}
          value={id}
          onInput={(event) => (id.value = event.currentTarget.value)}
        />
        <small>What your other systems call them. It can be left out, but not added later.</small>
      </label>
    </Act>
  );
}
