import type { Overview as Numbers, State } from '@holdfast/api';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { now } from '../clock.ts';
import { type Days, fillDays, peak, share, total } from '../words/overview.ts';
import { stateWords } from '../words/standing.ts';
import { count } from '../words/time.ts';
import { useLoaded } from '../work.ts';
import { Plot } from './plot.tsx';
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
        <h1>Overview</h1>
        {numbers && (
          <p class="hint">
            Counted <When at={numbers.counted_at} />
          </p>
        )}
      </div>
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
          <Month title="Sign-ups" days={days.signUps} none="Nobody has signed up in the last 30 days." />
          <Month title="Revocations" days={days.revocations} none="Nothing was revoked in the last 30 days." />
          <Card id="documents" title="Live documents" figure={documents.live}>
            {documents.live === 0 ? (
              <p class="hint">No device holds a document with features now.</p>
            ) : (
              <>
                <p class="hint">
                  Devices that can use paid features offline, by the day on which that ends unless they renew it.
                </p>
                <Plot days={days.ends} what="Documents that end" />
              </>
            )}
          </Card>
          <Card id="silent" title="Devices out of contact" figure={devices.silent_day}>
            <p class="hint">
              Linked devices that are offline, or not used. {share(devices.silent_day, devices.linked)}.
            </p>
            <ul class="shares">
              <Share label="24 hours or more" part={devices.silent_day} all={devices.linked} />
              <Share label="7 days or more" part={devices.silent_week} all={devices.linked} />
              <Share label="30 days or more" part={devices.silent_month} all={devices.linked} />
            </ul>
          </Card>
        </div>
      )}
    </>
  );
}

function NoCustomers() {
  return (
    <section class="card" aria-label="Customers">
      <p class="headline">No customers yet.</p>
      <p class="hint">
        They appear here when they sign up. You can also <a href="#/customers">prepare an account</a> for somebody who
        is a customer already.
      </p>
    </section>
  );
}

const states: readonly State[] = ['active', 'grace', 'expired', 'revoked', 'none'];

function Customers({ customers }: { customers: Numbers['customers'] }) {
  return (
    <section aria-label="Customers">
      <ul class="tiles">
        <Tile label="Customers" figure={customers.all} href="#/customers" />
        {states.map((state) => (
          <Tile
            key={state}
            label={stateWords[state].word}
            figure={customers[state]}
            href={`#/customers?state=${state}`}
            note={state === 'active' && customers.trials > 0 ? count(customers.trials, 'trial') : null}
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
        <strong>{figure.toLocaleString('en-GB')}</strong>
        {note !== null && <small>with {note}</small>}
      </a>
    </li>
  );
}

/** Troubles that somebody must see to, or soon must. */
function Attention({ numbers }: { numbers: Numbers }) {
  const { failing_webhooks: failing, abandoned_webhooks: abandoned, open_gaps: gaps } = numbers;
  return (
    <section class="card needs" aria-labelledby="attention">
      <h2 id="attention">Needs attention</h2>
      {failing + abandoned + gaps === 0 ? (
        <p>Nothing waits: all webhooks are delivered, and no gap is open.</p>
      ) : (
        <ul class="waits">
          {failing > 0 && (
            <li>
              <a href="#/webhooks">{count(failing, 'webhook')} failing</a>, tried again by itself
            </li>
          )}
          {abandoned > 0 && (
            <li>
              <a href="#/webhooks">{count(abandoned, 'webhook')} given up</a>, waiting to be sent again
            </li>
          )}
          {gaps > 0 && (
            <li>
              <a href="#/gaps">{count(gaps, 'open gap')}</a>, to be checked since a backup was restored
            </li>
          )}
        </ul>
      )}
      <dl class="facts">
        <End label="Keyset ends" at={numbers.keyset_ends_at} />
        <End label="Signing key ends" at={numbers.signing_key_ends_at} />
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
        <When at={at} /> {soon && <em class="badge attention">soon</em>}
      </dd>
    </div>
  );
}

function Month({ title, days, none }: { title: string; days: Days; none: string }) {
  const sum = total(days);
  return (
    <Card id={title.toLowerCase()} title={title} figure={sum}>
      {sum === 0 ? (
        <p class="hint">{none}</p>
      ) : (
        <>
          <p class="hint">In the last 30 days. {peak(days)}</p>
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
        <strong class="figure">{figure.toLocaleString('en-GB')}</strong>
      </div>
      {children}
    </section>
  );
}

function Share({ label, part, all }: { label: string; part: number; all: number }) {
  return (
    <li>
      <span>{label}</span>
      <strong>{part.toLocaleString('en-GB')}</strong>
      <meter min={0} max={Math.max(1, all)} value={part} aria-hidden="true" />
    </li>
  );
}
