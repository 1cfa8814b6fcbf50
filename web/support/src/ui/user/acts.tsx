import type { Action } from '@holdfast/api';
import { useSignal } from '@preact/signals';
import { call } from '../../server.ts';
import { may } from '../../session.ts';
import { verdictWords } from '../../words/act.ts';
import { count } from '../../words/time.ts';
import { said, usePaged } from '../../work.ts';
import { Act, ask } from '../act.tsx';
import { More, Waiting } from '../state.tsx';
import { When } from '../when.tsx';
import type { CardProps } from './card.ts';

/** The most verdicts that the server changes at once. */
const most = 500;

/** The acts that the user's devices recorded offline, and what became of them. */
export function Acts({ account, changed }: CardProps) {
  const refusedOnly = useSignal(false);
  const path = `/admin/v1/users/${account.user.id}/ledger`;
  const acts = usePaged<Action>(`${path}?limit=20${refusedOnly.value ? '&verdict=rejected' : ''}`, 'entries');
  const list = acts.items.value;
  if (list?.length === 0 && !refusedOnly.value) return null;
  const refused = (list ?? []).filter(({ verdict }) => verdict === 'rejected').slice(0, most);
  const reload = async () => {
    await Promise.all([acts.reload(), changed()]);
  };
  const change = (of: readonly Action[], verdict: 'accepted' | 'superseded') =>
    ask(<Change acts={of} verdict={verdict} name={account.user.name} path={path} changed={reload} />);
  return (
    <section class="card" aria-labelledby="acts">
      <div class="card-head">
        <h2 id="acts">Recorded offline</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={refusedOnly.value}
            onChange={(event) => (refusedOnly.value = event.currentTarget.checked)}
          />
          Only refused
        </label>
      </div>
      <p class="hint">What devices have sent. What still waits on a device is known only there.</p>
      {!list ? (
        <Waiting failed={acts.failed} retry={acts.reload} />
      ) : (
        <>
          {list.length === 0 && <p>None was refused.</p>}
          <ul class="rows">
            {list.map((act) => (
              <li key={act.id}>
                <div>
                  <strong>{act.action}</strong>
                  {act.verdict === 'rejected' && <em class="badge attention">refused</em>}
                  <small>{verdictWords(act)}</small>
                  <small>
                    For {act.feature}, number {act.seq} of{' '}
                    {account.devices.find(({ id }) => id === act.device)?.name ?? 'a device that is gone'}. Received{' '}
                    <When at={act.received_at} />.
                  </small>
                  <details>
                    <summary>What it says</summary>
                    <pre>{JSON.stringify(act.payload, null, 2)}</pre>
                  </details>
                </div>
                {may('support:write') && act.verdict === 'accepted' && (
                  <button
                    type="button"
                    class="button"
                    aria-label={`Take back ${act.action} number ${act.seq}`}
                    onClick={() => change([act], 'superseded')}
                  >
                    Take back…
                  </button>
                )}
                {may('support:write') && act.verdict !== 'accepted' && (
                  <button
                    type="button"
                    class="button"
                    aria-label={`Accept ${act.action} number ${act.seq}`}
                    onClick={() => change([act], 'accepted')}
                  >
                    Accept…
                  </button>
                )}
              </li>
            ))}
          </ul>
          <More of={acts} />
          {may('support:write') && refused.length > 1 && (
            <button type="button" class="button" onClick={() => change(refused, 'accepted')}>
              Accept {count(refused.length, 'refused act')}…
            </button>
          )}
        </>
      )}
    </section>
  );
}

interface ChangeProps {
  readonly acts: readonly Action[];
  readonly verdict: 'accepted' | 'superseded';
  readonly name: string;
  readonly path: string;
  readonly changed: () => Promise<void>;
}

function Change({ acts, verdict, name, path, changed }: ChangeProps) {
  const accepts = verdict === 'accepted';
  return (
    <Act
      title={`${accepts ? 'Accept' : 'Take back'} ${count(acts.length, 'act')} of ${name}?`}
      reasons={accepts ? ['Checked with the customer', 'Our mistake', 'Goodwill'] : ['Asked by the customer', 'Abuse']}
      yes={accepts ? 'Accept' : 'Take back'}
      doing={accepts ? 'Accepting…' : 'Taking back…'}
      danger={!accepts}
      act={async ({ reason, key }) => {
        const body = { entries: acts.map(({ id }) => id), verdict, reason };
        await call('POST', `${path}/verdict`, { body, key: key(body) });
        await changed();
        said.value = { text: `${count(acts.length, 'act')} of ${name} ${accepts ? 'accepted' : 'taken back'}.` };
      }}
    >
      <p class="promise">
        {accepts
          ? 'The customer’s devices and the host’s systems hear of it as if it had just been done.'
          : 'The customer’s devices and the host’s systems are told that it no longer counts.'}
      </p>
      <p>The verdict can be changed again. The trail keeps who changed it, and why.</p>
    </Act>
  );
}
