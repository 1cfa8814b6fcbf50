import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import {
  batch,
  forget,
  goOn,
  type Item,
  idsOf,
  most,
  type Preview,
  preview,
  revokeAll,
  running,
  type Skipped,
  stop,
  undoAll,
} from '../batch.ts';
import { now } from '../clock.ts';
import { staff } from '../session.ts';
import * as reasons from '../words/reason.ts';
import { atLatest, relative } from '../words/time.ts';
import { useWork } from '../work.ts';
import { Act, ask } from './act.tsx';
import { Failed, WorkButton } from './button.tsx';
import { Id } from './id.tsx';
import { Timed } from './when.tsx';

/** Revokes the subscriptions of many customers, and undoes it. */
export function Many() {
  const own = batch.value?.by === staff()?.user?.id ? batch.value : null;
  return (
    <>
      <div class="page-head">
        <h1>{t('Revoke many')}</h1>
      </div>
      {own ? <Progress items={own.items} /> : <Choose />}
    </>
  );
}

function Choose() {
  const text = useSignal('');
  const shown = useSignal<Preview | null>(null);
  const done = useSignal(0);
  const work = useWork();
  const ids = idsOf(text.value);
  const items = shown.value?.items ?? [];
  return (
    <section class="card" aria-labelledby="choose">
      <h2 id="choose">{t('Whose?')}</h2>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          done.value = 0;
          await work.run(async () => {
            shown.value = await preview(ids, (looked) => (done.value = looked));
          });
        }}
      >
        <label class="field">
          <span>{t('Ids of customers or subscriptions')}</span>
          <textarea
            class="prose"
            rows={6}
            spellcheck={false}
            value={text}
            onInput={(event) => {
              text.value = event.currentTarget.value;
              shown.value = null;
            }}
          />
          <small>
            {t(
              'User ids, customer ids or subscription ids, one in a line. Nothing changes before you have seen what they stand for.',
            )}{' '}
            {ids.length > most && t('At most {most} at once; these are {ids}.', { most, ids: ids.length })}
          </small>
        </label>
        <Failed work={work} />
        <WorkButton
          work={work}
          doing={t('Looking up {done} of {ids}…', { done: done.value, ids: ids.length })}
          disabled={ids.length === 0 || ids.length > most}
        >
          {t('Look up')}
        </WorkButton>
      </form>
      {shown.value && (
        <>
          <p class="promise" role="status">
            <Timed words={() => promiseOf(items, now.value)} />
          </p>
          <Items items={items} />
          <SkippedList skipped={shown.value.skipped} />
          {items.length > 0 && (
            <button type="button" class="button danger solid" onClick={() => ask(<Confirm items={items} />)}>
              {t('Revoke {count, plural, one {# subscription} other {# subscriptions}}…', { count: items.length })}
            </button>
          )}
        </>
      )}
    </section>
  );
}

/** By when everything ends. */
function promiseOf(items: readonly Item[], at: Date): string {
  if (items.length === 0) return t('There is nothing to revoke.');
  const what = t(
    '{items, plural, one {# subscription} other {# subscriptions}} of {people, plural, one {# customer} other {# customers}}',
    { items: items.length, people: new Set(items.map(({ user }) => user)).size },
  );
  const last = Math.max(...items.map(({ offlineUntil }) => (offlineUntil === null ? 0 : Date.parse(offlineUntil))));
  if (last <= at.getTime())
    return t('{what}. Ends everywhere at once: no device holds a document that works offline.', { what });
  const until = new Date(last);
  return t('{what}. Ends everywhere by {latest} at the latest ({relative}).', {
    what,
    latest: atLatest(until, at),
    relative: relative(until, at),
  });
}

function Confirm({ items }: { items: readonly Item[] }) {
  return (
    <Act
      danger
      title={t('Revoke {count, plural, one {# subscription} other {# subscriptions}}?', { count: items.length })}
      reasons={reasons.withdrawal()}
      yes={t('Revoke now')}
      doing={t('Beginning…')}
      act={async ({ reason }) => {
        void revokeAll(items, reason);
      }}
    >
      <p class="promise">
        <Timed words={() => promiseOf(items, now.value)} />
      </p>
      <p>{t('Each is revoked by itself, with this reason in its trail. You can undo all of it afterwards.')}</p>
    </Act>
  );
}

function Progress({ items }: { items: readonly Item[] }) {
  const of = (state: Item['state']) => items.filter((item) => item.state === state).length;
  const undoing = items.some(({ state }) => state === 'undoing' || state === 'reinstated');
  const left = of('waiting') + of('undoing');
  const done = undoing ? of('reinstated') : of('revoked');
  const all = undoing ? of('undoing') + of('reinstated') : items.length;
  const failed = items.filter((item) => item.failed).length;
  return (
    <section class="card" aria-labelledby="progress">
      <h2 id="progress">{undoing ? t('Undoing') : t('Revoking')}</h2>
      <progress aria-labelledby="progress" max={all} value={done} />
      <p class="promise" role="status">
        {undoing ? t('{done} of {all} reinstated.', { done, all }) : t('{done} of {all} revoked.', { done, all })}{' '}
        {failed > 0 && !running.value && t('{failed} failed: try again.', { failed })}
        {left > 0 && failed === 0 && !running.value && t('Stopped.')}
      </p>
      {done > 0 && !undoing && (
        <p>
          <Timed
            words={() =>
              promiseOf(
                items.filter(({ state }) => state === 'revoked'),
                now.value,
              )
            }
          />
        </p>
      )}
      <div class="actions">
        {running.value && (
          <button type="button" class="button" onClick={stop}>
            {t('Stop')}
          </button>
        )}
        {!running.value && left > 0 && (
          <button type="button" class="button primary" onClick={() => void goOn()}>
            {t('Go on with {left}', { left })}
          </button>
        )}
        {!running.value && of('revoked') > 0 && (
          <button type="button" class="button" onClick={() => ask(<Undo revoked={of('revoked')} />)}>
            {t('Undo…')}
          </button>
        )}
        {!running.value && (
          <button type="button" class="button" onClick={forget}>
            {left > 0 ? t('Leave the rest') : t('Done')}
          </button>
        )}
      </div>
      <Items items={items} />
    </section>
  );
}

function Undo({ revoked }: { revoked: number }) {
  return (
    <Act
      title={t('Reinstate {count, plural, one {# subscription} other {# subscriptions}}?', { count: revoked })}
      reasons={reasons.reinstatement()}
      yes={t('Reinstate now')}
      doing={t('Beginning…')}
      act={async ({ reason }) => {
        void undoAll(reason);
      }}
    >
      <p>{t('Those that this page has revoked count again for as long as they are paid.')}</p>
    </Act>
  );
}

const badges = (): Readonly<Record<Item['state'], readonly [word: string, tone: string]>> => ({
  waiting: [t('to be revoked'), ''],
  revoked: [t('revoked'), 'attention'],
  undoing: [t('to be reinstated'), ''],
  reinstated: [t('reinstated'), 'good'],
});

function Items({ items }: { items: readonly Item[] }) {
  return (
    <ul class="rows" aria-label={t('Subscriptions')}>
      {items.map((item) => (
        <li key={item.subscription}>
          <div>
            <strong>
              <a href={`#/user/${item.user}`}>{item.name}</a>
            </strong>{' '}
            <em class={`badge ${badges()[item.state][1]}`}>{badges()[item.state][0]}</em>
            <small>
              {item.plan}{' '}
              <Id of={t('the id of the subscription of {name}', { name: item.name })}>{item.subscription}</Id>
            </small>
            {item.failed && <small class="outcome bad">{item.failed}</small>}
          </div>
        </li>
      ))}
    </ul>
  );
}

const whys = (): Readonly<Record<Skipped['why'], string>> => ({
  unknown: t('no customer and no subscription has this id'),
  revoked: t('revoked already'),
  nothing: t('there is nothing to revoke'),
});

function SkippedList({ skipped }: { skipped: readonly Skipped[] }) {
  if (skipped.length === 0) return null;
  return (
    <>
      <h3>{t('Left out: {count, plural, one {# id} other {# ids}}', { count: skipped.length })}</h3>
      <ul class="rows" aria-label={t('Left out')}>
        {skipped.map(({ id, why, user, name }) => (
          <li key={id}>
            <div>
              {user ? <a href={`#/user/${user}`}>{name}</a> : <code>{id}</code>}
              <small>
                {user && <code>{id}</code>} {whys()[why]}
              </small>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
