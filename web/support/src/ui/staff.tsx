import type { AdminSession, Role, StaffMember } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import type { Answer } from '../answer.ts';
import { call } from '../server.ts';
import { may, staff } from '../session.ts';
import { learnNames } from '../surroundings.ts';
import { said, useLoaded } from '../work.ts';
import { Act, ask } from './act.tsx';
import { LinkMade } from './link-made.tsx';
import { NotAllowed, Waiting } from './state.tsx';
import { When } from './when.tsx';

const roleWords = (role: Role) =>
  ({
    support: t('Looks customers up; revokes, reinstates and grants; helps customers back in.'),
    admin: t('All of that; plans, staff, webhooks, and the export of the trail, too.'),
  })[role];

export function Staff() {
  const allowed = may('admin');
  const { data, failed, reload } = useLoaded<Answer<'listStaff'>>(allowed ? '/admin/v1/staff' : null);
  const list = data.value?.staff;
  const changed = async () => {
    await reload();
    await learnNames(staff() as AdminSession);
  };
  return (
    <>
      <div class="page-head">
        <h1>{t('Staff')}</h1>
        {allowed && (
          <button type="button" class="button" onClick={() => ask(<Invite changed={changed} />)}>
            {t('Invite…')}
          </button>
        )}
      </div>
      {!allowed ? (
        <NotAllowed />
      ) : list ? (
        <ul class="rows card" aria-label={t('Staff members')}>
          {list.map((member) => (
            <li key={member.id}>
              <div>
                <strong>
                  <a href={`#/user/${member.id}`}>{member.name}</a>
                </strong>
                <em class="badge">{member.role}</em>
                {member.id === staff()?.user?.id && <em class="badge good">{t('you')}</em>}
                <small>
                  {rich(
                    '{passkeys, plural, =0 {Has no passkey yet} one {# passkey} other {# passkeys}}. Since {when}.',
                    {
                      passkeys: member.passkeys,
                      when: <When at={member.created_at} />,
                    },
                  )}
                  {member.id === staff()?.user?.id && ` ${t('Only another admin can remove you.')}`}
                </small>
              </div>
              <div class="actions">
                <button
                  type="button"
                  class="button"
                  aria-label={t('Recovery link for {name}', { name: member.name })}
                  onClick={() => ask(<Recover member={member} />)}
                >
                  {t('Recovery link…')}
                </button>
                {member.id !== staff()?.user?.id && (
                  <button
                    type="button"
                    class="button danger"
                    aria-label={t('Remove {name}', { name: member.name })}
                    onClick={() => ask(<Remove member={member} changed={changed} />)}
                  >
                    {t('Remove…')}
                  </button>
                )}
              </div>
            </li>
          ))}
        </ul>
      ) : (
        <Waiting failed={failed} retry={reload} />
      )}
    </>
  );
}

function Invite({ changed }: { changed: () => Promise<void> }) {
  const name = useSignal('');
  const role = useSignal<Role>('support');
  return (
    <Act
      reasons={[t('New colleague'), t('New admin')]}
      title={t('Invite a staff member?')}
      yes={t('Make the invitation')}
      doing={t('Making…')}
      act={async ({ reason, key }) => {
        const body = { name: name.peek().trim(), role: role.peek(), reason };
        const made = await call<Answer<'inviteStaff'>>('POST', '/admin/v1/staff', { body, key: key(body) });
        await changed();
        ask(
          <LinkMade
            title={t('The invitation of {name}', { name: body.name })}
            text={t(
              'Give it to {name}: with it they make their passkey and are in, as {role}. Nobody else may get it.',
              { name: body.name, role: body.role },
            )}
            link={made.invitation}
          />,
        );
      }}
    >
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
      <fieldset class="choices">
        <legend>{t('Role')}</legend>
        {(['support', 'admin'] as const).map((each) => (
          <label key={each}>
            <input type="radio" name="role" checked={role.value === each} onChange={() => (role.value = each)} />
            <span>
              <strong>{each}</strong>
              <small>{roleWords(each)}</small>
            </span>
          </label>
        ))}
      </fieldset>
    </Act>
  );
}

function Recover({ member }: { member: StaffMember }) {
  return (
    <Act
      reasons={[t('Lost all passkeys')]}
      title={t('Make a recovery link for {name}?', { name: member.name })}
      yes={t('Make the link')}
      doing={t('Making…')}
      act={async ({ reason, key }) => {
        const body = { reason };
        const path = `/admin/v1/users/${member.id}/recovery`;
        const made = await call<Answer<'recoverUser'>>('POST', path, { body, key: key(body) });
        ask(
          <LinkMade
            title={t('A recovery link for {name}', { name: member.name })}
            text={t('Give it to {name} in person: whoever opens it first is in, as {role}.', {
              name: member.name,
              role: member.role,
            })}
            link={made.recovery}
          />,
        );
      }}
    >
      <p class="promise">
        {t('Whoever opens the link within 15 minutes can do here what {name} can. Be sure who asks.', {
          name: member.name,
        })}
      </p>
      <p>{t('It makes a new passkey and ends all sessions of {name}.', { name: member.name })}</p>
    </Act>
  );
}

function Remove({ member, changed }: { member: StaffMember; changed: () => Promise<void> }) {
  return (
    <Act
      danger
      reasons={[t('Has left'), t('Other duties')]}
      title={t('Remove {name} from the staff?', { name: member.name })}
      yes={t('Remove now')}
      doing={t('Removing…')}
      act={async ({ reason }) => {
        await call('DELETE', `/admin/v1/staff/${member.id}`, { body: { reason } });
        await changed();
        said.value = { text: t('{name} is no longer staff.', { name: member.name }) };
      }}
    >
      <p class="promise">
        {t('{name} can do nothing here from now on: all sessions end, and open pages are refused.', {
          name: member.name,
        })}
      </p>
      <p>{t('The account itself stays an ordinary one. To undo it, invite them again.')}</p>
    </Act>
  );
}
