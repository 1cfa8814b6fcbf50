import type { Action } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { call } from '../../server.ts';
import { may } from '../../session.ts';
import { verdictWords } from '../../words/act.ts';
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
        <h2 id="acts">{t('Recorded offline')}</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={refusedOnly.value}
            onChange={(event) => (refusedOnly.value = event.currentTarget.checked)}
          />
          {t('Only refused')}
        </label>
      </div>
      <p class="hint">{t('What devices have sent. What still waits on a device is known only there.')}</p>
      {!list ? (
        <Waiting failed={acts.failed} retry={acts.reload} />
      ) : (
        <>
          {list.length === 0 && <p>{t('None was refused.')}</p>}
          <ul class="rows">
            {list.map((act) => (
              <li key={act.id}>
                <div>
                  <strong>{act.action}</strong>
                  {act.verdict === 'rejected' && <em class="badge attention">{t('refused')}</em>}
                  <small>{verdictWords(act)}</small>
                  <small>
                    {rich('For {feature}, number {number} of {device}. Received {when}.', {
                      feature: act.feature,
                      number: act.seq,
                      device: account.devices.find(({ id }) => id === act.device)?.name ?? t('a device that is gone'),
                      when: <When at={act.received_at} />,
                    })}
                  </small>
                  <details>
                    <summary>{t('What it says')}</summary>
                    <pre>{JSON.stringify(act.payload, null, 2)}</pre>
                  </details>
                </div>
                {may('support:write') && act.verdict === 'accepted' && (
                  <button
                    type="button"
                    class="button"
                    aria-label={t('Take back {action} number {seq}', { action: act.action, seq: act.seq })}
                    onClick={() => change([act], 'superseded')}
                  >
                    {t('Take back…')}
                  </button>
                )}
                {may('support:write') && act.verdict !== 'accepted' && (
                  <button
                    type="button"
                    class="button"
                    aria-label={t('Accept {action} number {seq}', { action: act.action, seq: act.seq })}
                    onClick={() => change([act], 'accepted')}
                  >
                    {t('Accept…')}
                  </button>
                )}
              </li>
            ))}
          </ul>
          <More of={acts} />
          {may('support:write') && refused.length > 1 && (
            <button type="button" class="button" onClick={() => change(refused, 'accepted')}>
              {t('Accept {count, plural, one {# refused act} other {# refused acts}}…', { count: refused.length })}
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
      title={
        accepts
          ? t('Accept {count, plural, one {# act} other {# acts}} of {name}?', { count: acts.length, name })
          : t('Take back {count, plural, one {# act} other {# acts}} of {name}?', { count: acts.length, name })
      }
      reasons={
        accepts
          ? [t('Checked with the customer'), t('Our mistake'), t('Goodwill')]
          : [t('Asked by the customer'), t('Abuse')]
      }
      yes={accepts ? t('Accept') : t('Take back')}
      doing={accepts ? t('Accepting…') : t('Taking back…')}
      danger={!accepts}
      act={async ({ reason, key }) => {
        const body = { entries: acts.map(({ id }) => id), verdict, reason };
        await call('POST', `${path}/verdict`, { body, key: key(body) });
        await changed();
        said.value = {
          text: accepts
            ? t('{count, plural, one {# act} other {# acts}} of {name} accepted.', { count: acts.length, name })
            : t('{count, plural, one {# act} other {# acts}} of {name} taken back.', { count: acts.length, name }),
        };
      }}
    >
      <p class="promise">
        {accepts
          ? t('The customer’s devices and the host’s systems hear of it as if it had just been done.')
          : t('The customer’s devices and the host’s systems are told that it no longer counts.')}
      </p>
      <p>{t('The verdict can be changed again. The trail keeps who changed it, and why.')}</p>
    </Act>
  );
}
