import type { Feature, Plan } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { Answer } from '../answer.ts';
import { call } from '../server.ts';
import { may } from '../session.ts';
import { planChanges, planWords } from '../words/plan.ts';
import { parseSpan } from '../words/span.ts';
import { span } from '../words/time.ts';
import { said, useLoaded } from '../work.ts';
import { Act, ask } from './act.tsx';
import { Waiting } from './state.tsx';

/** The catalogue: what each plan gives. */
export function Plans() {
  const { data, failed, reload } = useLoaded<Answer<'listPlans'>>('/admin/v1/plans');
  const plans = data.value?.plans;
  return (
    <>
      <div class="page-head">
        <h1>{t('Plans')}</h1>
        {may('admin') && (
          <button type="button" class="button" onClick={() => ask(<Edit plan={null} changed={reload} />)}>
            {t('New plan…')}
          </button>
        )}
      </div>
      <p class="hint">{t('What a subscription to each plan gives. The higher its rank, the better the plan.')}</p>
      {!plans ? (
        <Waiting failed={failed} retry={reload} />
      ) : plans.length === 0 ? (
        <section class="card" aria-label={t('Plans')}>
          <p>{t('There is none yet.')}</p>
        </section>
      ) : (
        <ul class="rows card" aria-label={t('All plans')}>
          {plans.map((plan) => (
            <li key={plan.id}>
              <div>
                <strong>{plan.id}</strong>
                <small>{planWords(plan)}</small>
              </div>
              {may('admin') && (
                <button
                  type="button"
                  class="button"
                  aria-label={t('Edit {id}', { id: plan.id })}
                  onClick={() => ask(<Edit plan={plan} changed={reload} />)}
                >
                  {t('Edit…')}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

interface Row {
  readonly key: string;
  readonly name: string;
  readonly limit: string;
  readonly offline: boolean;
}

const empty: Plan = { id: '', features: {}, window: null, grace: 259_200, device_limit: 5, rank: 0, version: '' };

interface EditProps {
  readonly plan: Plan | null;
  readonly changed: () => Promise<void>;
  /** The proposed plan; by default, the current one. */
  readonly proposal?: Plan;
}

function Edit({ plan, changed, proposal = plan ?? empty }: EditProps) {
  const id = useSignal(proposal.id);
  const rows = useSignal<readonly Row[]>(
    Object.entries(proposal.features).map(([name, { limit, offline }]) => ({
      key: crypto.randomUUID(),
      name,
      limit: limit === undefined ? '' : String(limit),
      offline,
    })),
  );
  const life = useSignal(proposal.window === null ? '' : span(proposal.window));
  const grace = useSignal(span(proposal.grace));
  const devices = useSignal(String(proposal.device_limit));
  const rank = useSignal(String(proposal.rank));
  const edited = read();
  const changes = edited ? planChanges(plan, edited) : [];

  /** The plan as typed; null: not valid yet. */
  function read(): Plan | null {
    const seconds = [life.value.trim() === '' ? null : parseSpan(life.value), parseSpan(grace.value)] as const;
    if ((life.value.trim() !== '' && seconds[0] === null) || seconds[1] === null) return null;
    const features = rows.value.map(({ name, limit, offline }): [string, Feature] => [
      name.trim(),
      { offline, ...(limit.trim() !== '' && { limit: Number(limit) }) },
    ]);
    return {
      id: id.value.trim(),
      features: Object.fromEntries(features),
      window: seconds[0],
      grace: seconds[1],
      device_limit: Number(devices.value),
      rank: Number(rank.value),
      // Replaces only the version shown here.
      version: plan?.version ?? '',
    };
  }

  return (
    <Act
      wide
      title={plan ? t('Edit {id}', { id: plan.id }) : t('New plan')}
      yes={plan ? t('Save for everybody who has it') : t('Make the plan')}
      doing={t('Saving…')}
      disabled={!edited || (plan !== null && changes.length === 0)}
      act={async ({ reason }) => {
        const { id: name, ...members } = edited as Plan;
        const path = `/admin/v1/plans/${encodeURIComponent(name)}`;
        const saved = await call<Plan>('PUT', path, { body: { id: name, ...members, reason } }).finally(changed);
        said.value = {
          text: t('The plan {name} is saved.', { name }),
          ...(plan && {
            undo: {
              label: t('Undo…'),
              act: () => ask(<Edit plan={saved} proposal={plan} changed={changed} />),
            },
          }),
        };
      }}
    >
      {!plan && (
        <label class="field">
          <span>{t('Id')}</span>
          <input
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            maxLength={64}
            pattern="[a-z0-9][a-z0-9_\-]*"
            required
            value={id}
            onInput={(event) => (id.value = event.currentTarget.value)}
          />
          <small>{t('Small letters, digits, _ and -. Billing names the plan by it.')}</small>
        </label>
      )}
      <Features rows={rows.value} onChange={(next) => (rows.value = next)} />
      <div class="pair-of-fields">
        <label class="field">
          <span>{t('Offline at most')}</span>
          <input
            autocomplete="off"
            placeholder={t('server’s own')}
            value={life}
            onInput={(event) => (life.value = event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>{t('Grace after the paid time')}</span>
          <input
            autocomplete="off"
            required
            value={grace}
            onInput={(event) => (grace.value = event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>{t('Devices at most')}</span>
          <input
            type="number"
            min={1}
            max={1000}
            required
            value={devices}
            onInput={(event) => (devices.value = event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>{t('Rank')}</span>
          <input
            type="number"
            min={-1_000_000}
            max={1_000_000}
            required
            value={rank}
            onInput={(event) => (rank.value = event.currentTarget.value)}
          />
        </label>
      </div>
      <p class="hint">{t('Enter durations like 7 days, 36 h or 30 min, or none.')}</p>
      <div role="status">
        {!edited && <p class="outcome bad">{t('Enter a duration like 7 days.')}</p>}
        {changes.length > 0 && (
          <div class="callout">
            <strong>{t('For everybody who has {id}:', { id: plan?.id })}</strong>
            <ul>
              {changes.map(({ text, loss }) => (
                <li key={text}>
                  {loss && <span class="unseen">{t('Less:')} </span>}
                  {text}
                </li>
              ))}
            </ul>
            <p>
              {t('It counts from now on; devices take it over one after the other, when they are next in contact.')}
            </p>
          </div>
        )}
      </div>
    </Act>
  );
}

function Features({ rows, onChange }: { rows: readonly Row[]; onChange: (rows: readonly Row[]) => void }) {
  const id = useId();
  const put = (key: string, change: Partial<Row>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  return (
    <fieldset class="features">
      <legend>{t('Features')}</legend>
      {rows.map((row, index) => (
        <div class="feature" key={row.key}>
          <label class="field">
            <span>{t('Name')}</span>
            <input
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              maxLength={64}
              pattern="[a-z0-9][a-z0-9_.:\-]*"
              required
              value={row.name}
              onInput={(event) => put(row.key, { name: event.currentTarget.value })}
            />
          </label>
          <label class="field">
            <span>{t('Limit')}</span>
            <input
              type="number"
              min={0}
              max={Number.MAX_SAFE_INTEGER}
              placeholder={t('none')}
              value={row.limit}
              onInput={(event) => put(row.key, { limit: event.currentTarget.value })}
            />
          </label>
          <label class="check">
            <input
              type="checkbox"
              id={`${id}-${index}`}
              checked={row.offline}
              onChange={(event) => put(row.key, { offline: event.currentTarget.checked })}
            />
            <span>{t('offline, too')}</span>
          </label>
          <button
            type="button"
            class="button quiet"
            aria-label={t('Remove {name}', { name: row.name || t('this feature') })}
            onClick={() => onChange(rows.filter(({ key }) => key !== row.key))}
          >
            {t('Remove')}
          </button>
        </div>
      ))}
      <button
        type="button"
        class="button"
        onClick={() => onChange([...rows, { key: crypto.randomUUID(), name: '', limit: '', offline: true }])}
      >
        {t('Add a feature')}
      </button>
    </fieldset>
  );
}
