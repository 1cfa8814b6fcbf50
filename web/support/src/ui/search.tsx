import type { ListedUser } from '@holdfast/api';
import { SearchIcon } from '@holdfast/kit/icons.tsx';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { go } from '../address.ts';
import type { Answer } from '../answer.ts';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { standing, states, stateWords } from '../words/standing.ts';
import { stamp, startOfDay } from '../words/time.ts';
import { useLoaded, usePaged } from '../work.ts';
import { Act, ask } from './act.tsx';
import { Copy } from './id.tsx';
import { LinkMade } from './link-made.tsx';
import { Select } from './select.tsx';
import { More } from './state.tsx';
import { Timed } from './when.tsx';

/** The search text and the filters, kept while a result is open. */
const query = signal('');
const unfiltered = { state: '', plan: '', from: '', to: '', sort: 'newest' };
const filters = signal(unfiltered);

/** Whether Enter was pressed, which opens a single match. It may precede the answer. */
let entered = false;

/** Milliseconds without another key before the request. */
const pause = 150;

const size = 25;

/** A filtered answer may be short although more follow: so many are read without a click. */
const rounds = 10;

/** With a `state`, as a link names it, the list shows all customers of that state. */
export function Search({ state }: { state: string | undefined }) {
  useMemo(() => {
    if (state === undefined || !(state === 'trial' || states.some((each) => each === state))) return;
    query.value = '';
    filters.value = { ...unfiltered, state };
  }, [state]);
  const wanted = useSignal(query.peek().trim());
  const text = query.value;
  useEffect(() => {
    const timer = setTimeout(() => {
      wanted.value = text.trim();
    }, pause);
    return () => clearTimeout(timer);
  }, [text]);
  const asked = wanted.value;
  const path = `/admin/v1/users?${parameters(asked, filters.value)}`;
  const found = usePaged<ListedUser>(path, 'users');
  const users = found.items.value;
  const openTheOne = () => {
    const [one, another] = found.items.peek() ?? [];
    if (!entered || found.loading.peek() || asked !== query.peek().trim() || !one || another) return;
    entered = false;
    go({ at: 'user', id: one.id });
  };
  useEffect(openTheOne, [found.items.value, found.loading.value]);
  const read = useRef({ path, rounds });
  useEffect(() => {
    if (read.current.path !== path) read.current = { path, rounds };
    if (!users || users.length >= size || !found.more.peek() || found.loading.peek() || read.current.rounds-- <= 0)
      return;
    void found.next();
  }, [users, found.loading.value]);
  return (
    <>
      <div class="page-head">
        <h1>{t('Customers')}</h1>
        {may('support:write') && (
          <div class="actions">
            <a class="button" href="#/many">
              {t('Revoke many')}
            </a>
            <button type="button" class="button" onClick={() => ask(<NewCustomer />)}>
              {t('New customer')}
            </button>
          </div>
        )}
      </div>
      <SearchField
        submit={() => {
          entered = true;
          wanted.value = query.peek().trim();
          openTheOne();
        }}
      />
      <Filters />
      <p class="hint" role="status">
        {found.failed.value ?? hint(asked, users, found.more.value, found.loading.value)}
      </p>
      {users && users.length > 0 && (
        <ul class="found" aria-label={t('Found')}>
          {users.map((user) => (
            <li key={user.id}>
              <a href={`#/user/${user.id}`}>
                <strong>{user.name}</strong>
                <span class="has">
                  {user.plan} <em class={`badge ${standing(user).tone}`}>{standing(user).word}</em>
                </span>
                <span class="since">
                  {rich('{id}, since {when}', {
                    id: user.external_id ?? t('no customer id'),
                    when: <Timed words={() => stamp(new Date(user.created_at))} />,
                  })}
                </span>
                <code>{user.id}</code>
              </a>
              <Copy text={user.id} of={t('the user id of {name}', { name: user.name })} />
            </li>
          ))}
        </ul>
      )}
      {users && <More of={found} />}
    </>
  );
}

/** Opens the list of all customers with the text searched for; a single match opens. */
export function searchFor(): void {
  entered = true;
  filters.value = unfiltered;
  go({ at: 'search' });
}

/** Takes focus unless it is `quiet`. */
export function SearchField({ submit, quiet = false }: { submit: () => void; quiet?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!quiet) field.current?.focus({ preventScroll: true });
  }, [quiet]);
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <SearchIcon />
      <input
        ref={field}
        type="search"
        aria-label={t('Search customers')}
        placeholder={t('Any part of a name, or a whole id')}
        autocomplete="off"
        spellcheck={false}
        maxLength={200}
        value={query}
        onInput={(event) => {
          entered = false;
          query.value = event.currentTarget.value;
        }}
      />
    </form>
  );
}

function Filters() {
  const { data } = useLoaded<Answer<'listPlans'>>('/admin/v1/plans');
  const set = (change: Partial<typeof filters.value>) => (filters.value = { ...filters.peek(), ...change });
  const { state, plan, from, to, sort } = filters.value;
  return (
    <div class="filters">
      <Select
        label={t('State')}
        value={state}
        options={[
          ['', t('all')],
          ...states.map((each) => [each, stateWords(each).word] as const),
          ['trial', t('Trial')],
        ]}
        choose={(state) => set({ state })}
      />
      <Select
        label={t('Plan')}
        value={plan}
        options={[['', t('all')], ...(data.value?.plans ?? []).map(({ id }) => [id, id] as const)]}
        choose={(plan) => set({ plan })}
      />
      <label>
        <span>{t('Signed up from')}</span>
        <input type="date" value={from} onChange={(event) => set({ from: event.currentTarget.value })} />
      </label>
      <label>
        <span>{t('to')}</span>
        <input type="date" value={to} onChange={(event) => set({ to: event.currentTarget.value })} />
      </label>
      <Select
        label={t('Sort')}
        value={sort}
        options={[
          ['newest', t('newest first')],
          ['oldest', t('oldest first')],
          ['name', t('by name')],
        ]}
        choose={(sort) => set({ sort })}
      />
    </div>
  );
}

function parameters(q: string, { state, plan, from, to, sort }: typeof filters.value): URLSearchParams {
  const has = state === 'trial' ? { trial: 'true' } : { state };
  const all = { q, ...has, plan, sort, from: startOfDay(from, 0), to: startOfDay(to, 1) };
  return new URLSearchParams([
    ['limit', String(size)],
    ...Object.entries(all).filter(([, value]) => value !== ''),
  ] as string[][]);
}

function hint(asked: string, users: readonly ListedUser[] | null, more: boolean, loading: boolean): string {
  if (users === null || (loading && users.length === 0)) return '';
  if (users.length === 0) {
    if (more) return t('None so far: there are more customers to look through.');
    return asked === '' ? t('No customer matches.') : t('No customer matches “{asked}”.', { asked });
  }
  return more
    ? t('The first {shown}. Narrow the search, or show more.', { shown: users.length })
    : t('{count, plural, one {# customer} other {# customers}} found.', { count: users.length });
}

function NewCustomer() {
  const name = useSignal('');
  const id = useSignal('');
  return (
    <Act
      title={t('Prepare an account for a customer?')}
      yes={t('Prepare account')}
      doing={t('Preparing…')}
      act={async ({ reason, key }) => {
        const body = { name: name.peek().trim(), external_id: id.peek().trim(), reason };
        const made = await call<Answer<'createUser'>>('POST', '/admin/v1/users', { body, key: key(body) });
        query.value = made.user.external_id ?? made.user.name;
        ask(
          <LinkMade
            title={t('The account of {name} is ready', { name: made.user.name })}
            text={t('Give this link to the customer: with it they make their first passkey. Nobody else may get it.')}
            link={made.enrolment}
          />,
        );
      }}
    >
      <p>
        {t(
          'For somebody who is a customer already. You get a one-time link, good for 15 minutes, for their first passkey.',
        )}
      </p>
      <label class="field">
        <span>{t('Name')}</span>
        <input
          autocomplete="off"
          maxLength={100}
          required
          value={name}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span>{t('Customer id')}</span>
        <input
          autocomplete="off"
          spellcheck={false}
          maxLength={200}
          value={id}
          onInput={(event) => (id.value = event.currentTarget.value)}
        />
        <small>{t('What your other systems call them. It can be left out, but not added later.')}</small>
      </label>
    </Act>
  );
}
