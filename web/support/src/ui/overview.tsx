import type { Overview as Numbers } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { thousands } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import type { ComponentChildren } from 'preact';
import { useId, useMemo } from 'preact/hooks';
import { now } from '../clock.ts';
import { type Days, fillDays, peak, share, total } from '../words/overview.ts';
import { states, stateWords } from '../words/standing.ts';
import { useLoaded } from '../work.ts';
import { Plot } from './plot.tsx';
import { SearchField, searchFor } from './search.tsx';
import { Waiting } from './state.tsx';
import { When } from './when.tsx';

const day = 86_400_000;

/** The first page: how many customers have what, and what waits for attention. */
export function Overview() {
  const loaded = useLoaded<Numbers>('/admin/v1/overview');
  const numbers = loaded.data.value;
  return (
    <>
      <div class="page-head">
        <h1>{t('Overview')}</h1>
        {numbers && <p class="hint">{rich('Counted {when}', { when: <When at={numbers.counted_at} /> })}</p>}
      </div>
      <SearchField submit={searchFor} quiet />
      {loaded.failed.value !== null && numbers && <p class="outcome bad">{loaded.failed.value}</p>}
      {numbers ? <Shown numbers={numbers} /> : <Waiting failed={loaded.failed} retry={loaded.reload} />}
    </>
  );
}

function Shown({ numbers }: { numbers: Numbers }) {
  const { customers, devices, documents } = numbers;
  const days = useMemo(() => {
    const at = new Date(numbers.counted_at);
    const month = new Date(at.getTime() - 29 * day);
    return {
      signUps: fillDays(numbers.sign_ups, month, 30),
      revocations: fillDays(numbers.revocations, month, 30),
      ends: fillDays(documents.ends, at, 7),
    };
  }, [numbers]);
  return (
    <>
      {customers.all === 0 ? <NoCustomers /> : <Customers customers={customers} />}
      <Attention numbers={numbers} />
      {customers.all > 0 && (
        <div class="plots">
          <Month title={t('Sign-ups')} days={days.signUps} none={t('Nobody has signed up in the last 30 days.')} />
          <Month
            title={t('Revocations')}
            days={days.revocations}
            none={t('Nothing was revoked in the last 30 days.')}
          />
          <Card id="documents" title={t('Live documents')} figure={documents.live}>
            {documents.live === 0 ? (
              <p class="hint">{t('No device holds a document with features now.')}</p>
            ) : (
              <>
                <p class="hint">
                  {t('Devices that can use paid features offline, by the day on which that ends unless they renew it.')}
                </p>
                <Plot days={days.ends} what={t('Documents that end')} />
              </>
            )}
          </Card>
          <Card id="silent" title={t('Devices out of contact')} figure={devices.silent_day}>
            <p class="hint">
              {t('Linked devices that are offline, or not used. {share}.', {
                share: share(devices.silent_day, devices.linked),
              })}
            </p>
            <ul class="shares">
              <Share label={t('24 hours or more')} part={devices.silent_day} all={devices.linked} />
              <Share label={t('7 days or more')} part={devices.silent_week} all={devices.linked} />
              <Share label={t('30 days or more')} part={devices.silent_month} all={devices.linked} />
            </ul>
          </Card>
        </div>
      )}
    </>
  );
}

function NoCustomers() {
  return (
    <section class="card" aria-label={t('Customers')}>
      <p class="headline">{t('No customers yet.')}</p>
      <p class="hint">
        {rich('They appear here when they sign up. You can also {link} for somebody who is a customer already.', {
          link: <a href="#/customers">{t('prepare an account')}</a>,
        })}
      </p>
    </section>
  );
}

function Customers({ customers }: { customers: Numbers['customers'] }) {
  return (
    <section aria-label={t('Customers')}>
      <ul class="tiles">
        <Tile label={t('Customers')} figure={customers.all} href="#/customers" />
        {states.map((state) => (
          <Tile
            key={state}
            label={stateWords(state).word}
            figure={customers[state]}
            href={`#/customers?state=${state}`}
            note={
              state === 'active' && customers.trials > 0
                ? t('with {trials, plural, one {# trial} other {# trials}}', { trials: customers.trials })
                : null
            }
          />
        ))}
      </ul>
    </section>
  );
}

interface TileProps {
  readonly label: string;
  readonly figure: number;
  readonly href: string;
  readonly note?: string | null;
}

function Tile({ label, figure, href, note = null }: TileProps) {
  return (
    <li>
      <a href={href}>
        <span>{label}</span>
        <strong>{thousands(figure)}</strong>
        {note !== null && <small>{note}</small>}
      </a>
    </li>
  );
}

/** Troubles that somebody must see to, or soon must. */
function Attention({ numbers }: { numbers: Numbers }) {
  const { failing_webhooks: failing, abandoned_webhooks: abandoned, open_gaps: gaps } = numbers;
  return (
    <section class="card needs" aria-labelledby="attention">
      <h2 id="attention">{t('Needs attention')}</h2>
      {failing + abandoned + gaps === 0 ? (
        <p>{t('Nothing waits: all webhooks are delivered, and no gap is open.')}</p>
      ) : (
        <ul class="waits">
          {failing > 0 && (
            <li>
              {rich('{link}, tried again by itself', {
                link: (
                  <a href="#/webhooks">
                    {t('{count, plural, one {# webhook} other {# webhooks}} failing', { count: failing })}
                  </a>
                ),
              })}
            </li>
          )}
          {abandoned > 0 && (
            <li>
              {rich('{link}, waiting to be sent again', {
                link: (
                  <a href="#/webhooks">
                    {t('{count, plural, one {# webhook} other {# webhooks}} given up', { count: abandoned })}
                  </a>
                ),
              })}
            </li>
          )}
          {gaps > 0 && (
            <li>
              {rich('{link}, to be checked since a backup was restored', {
                link: <a href="#/gaps">{t('{gaps, plural, one {# open gap} other {# open gaps}}', { gaps })}</a>,
              })}
            </li>
          )}
        </ul>
      )}
      <dl class="facts">
        <End label={t('Keyset ends')} at={numbers.keyset_ends_at} />
        <End label={t('Signing key ends')} at={numbers.signing_key_ends_at} />
      </dl>
    </section>
  );
}

function End({ label, at }: { label: string; at: string }) {
  const soon = new Date(at).getTime() - now.value.getTime() < 60 * day;
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <When at={at} /> {soon && <em class="badge attention">{t('soon')}</em>}
      </dd>
    </div>
  );
}

function Month({ title, days, none }: { title: string; days: Days; none: string }) {
  const id = useId();
  const sum = total(days);
  return (
    <Card id={id} title={title} figure={sum}>
      {sum === 0 ? (
        <p class="hint">{none}</p>
      ) : (
        <>
          <p class="hint">{t('In the last 30 days. {peak}', { peak: peak(days) })}</p>
          <Plot days={days} what={title} />
        </>
      )}
    </Card>
  );
}

interface CardProps {
  readonly id: string;
  readonly title: string;
  readonly figure: number;
  readonly children: ComponentChildren;
}

function Card({ id, title, figure, children }: CardProps) {
  return (
    <section class="card" aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        <strong class="figure">{thousands(figure)}</strong>
      </div>
      {children}
    </section>
  );
}

function Share({ label, part, all }: { label: string; part: number; all: number }) {
  return (
    <li>
      <span>{label}</span>
      <strong>{thousands(part)}</strong>
      <meter min={0} max={Math.max(1, all)} value={part} aria-hidden="true" />
    </li>
  );
}
