import { t } from '@holdfast/kit/words.ts';
import { signal, useSignal } from '@preact/signals';
import { call } from '../server.ts';
import { confirmed, may } from '../session.ts';
import { names } from '../surroundings.ts';
import { startOfDay } from '../words/time.ts';
import { actions, actorWords, tokenWords } from '../words/trail.ts';
import { useWork } from '../work.ts';
import { Failed, WorkButton } from './button.tsx';
import { Select } from './select.tsx';
import { Trail } from './trail.tsx';

/** The whole trail: what was done, by whom and why. */
export function Audit() {
  const work = useWork();
  return (
    <>
      <div class="page-head">
        <h1>{t('Audit')}</h1>
        {may('admin') && (
          <WorkButton work={work} onClick={() => work.run(exportTrail)}>
            {t('Export as JSON Lines')}
          </WorkButton>
        )}
      </div>
      <p class="hint">{t('Every change, the newest first. Nobody can change or delete an entry from here.')}</p>
      <Failed work={work} />
      <Filters />
      <section class="card" aria-label={t('Audit trail')}>
        <Trail user={null} filter={parameters(filters.value)} seen={remember} />
      </section>
    </>
  );
}

const filters = signal({ actor: '', action: '', from: '', to: '', user: '' });

/** The staff and tokens that can be selected: those known by name, and those in entries read so far. */
const actors = signal<ReadonlyMap<string, string>>(new Map());

function remember(seen: ReadonlyMap<string, string>): void {
  const some = [...seen].filter(([actor]) => !actor.startsWith('user:') && !actors.peek().has(actor));
  if (some.length > 0) actors.value = new Map([...actors.peek(), ...some]);
}

const machines = ['billing:stripe', 'billing:webhook', 'operator', 'server', 'token:bootstrap'];

function Filters() {
  const set = (change: Partial<typeof filters.value>) => (filters.value = { ...filters.peek(), ...change });
  const { actor, action, from, to, user } = filters.value;
  const people = new Map([
    ...[...names.value].map(([id, name]) => [`staff:${id}`, name] as const),
    ...[...actors.value].map(([id, name]) => [id, id.startsWith('token:') ? tokenWords(name) : name] as const),
  ]);
  const id = useSignal(user);
  const wrong = id.value.trim() !== '' && !uuid.test(id.value.trim());
  return (
    <div class="filters">
      <Select
        label={t('Who')}
        value={actor}
        options={[
          ['', t('everybody')],
          ...people,
          ...machines.map((each) => [each, actorWords(each, null, names.value)] as const),
        ]}
        choose={(actor) => set({ actor })}
      />
      <Select
        label={t('What')}
        value={action}
        options={[['', t('everything')], ...Object.entries(actions())]}
        choose={(action) => set({ action })}
      />
      <label>
        <span>{t('From')}</span>
        <input type="date" value={from} onChange={(event) => set({ from: event.currentTarget.value })} />
      </label>
      <label>
        <span>{t('to')}</span>
        <input type="date" value={to} onChange={(event) => set({ to: event.currentTarget.value })} />
      </label>
      <label class="wide">
        <span>{t('Customer')}</span>
        <input
          value={id}
          placeholder={t('The customer’s id')}
          autocomplete="off"
          spellcheck={false}
          maxLength={36}
          aria-invalid={wrong}
          onInput={(event) => {
            id.value = event.currentTarget.value;
            const text = id.peek().trim();
            if (text === '' || uuid.test(text)) set({ user: text });
          }}
        />
        {wrong && <small>{t('Paste the whole id, from the customer’s page.')}</small>}
      </label>
    </div>
  );
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function parameters({ from, to, ...rest }: typeof filters.value): string {
  const all = { ...rest, from: startOfDay(from, 0), to: startOfDay(to, 1) };
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== '')).toString();
}

/** The browser downloads the file itself, whatever its size. Reasons for a refusal are checked first. */
async function exportTrail(): Promise<void> {
  await confirmed(() => call('GET', '/admin/v1/session'));
  const link = document.createElement('a');
  link.href = '/admin/v1/audit/export';
  link.download = `holdfast-audit-${new Date().toISOString().slice(0, 10)}.jsonl`;
  link.click();
}
