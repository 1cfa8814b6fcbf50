import type { AdminSession, Role, StaffMember } from '@holdfast/api';
import { useSignal } from '@preact/signals';
import type { Answer } from '../answer.ts';
import { call } from '../server.ts';
import { may, staff } from '../session.ts';
import { learnNames } from '../surroundings.ts';
import { count } from '../words/time.ts';
import { said, useLoaded } from '../work.ts';
import { Act, ask } from './act.tsx';
import { LinkMade } from './link-made.tsx';
import { NotAllowed, Waiting } from './state.tsx';
import { When } from './when.tsx';

const roleWords: Readonly<Record<Role, string>> = {
  support: 'Looks customers up; revokes, reinstates and grants; helps customers back in.',
  admin: 'All of that; plans, staff, webhooks, and the export of the trail, too.',
};

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
        <h1>Staff</h1>
        {allowed && (
          <button type="button" class="button" onClick={() => ask(<Invite changed={changed} />)}>
            Invite…
          </button>
        )}
      </div>
      {!allowed ? (
        <NotAllowed />
      ) : list ? (
        <ul class="rows card" aria-label="Staff members">
          {list.map((member) => (
            <li key={member.id}>
              <div>
                <strong>
                  <a href={`#/user/${member.id}`}>{member.name}</a>
                </strong>
                <em class="badge">{member.role}</em>
                {member.id === staff()?.user?.id && <em class="badge good">you</em>}
                <small>
                  {member.passkeys === 0 ? 'Has no passkey yet' : count(member.passkeys, 'passkey')}. Since{' '}
                  <When at={member.created_at} />.
                  {member.id === staff()?.user?.id && ' Only another admin can remove you.'}
                </small>
              </div>
              <div class="actions">
                <button
                  type="button"
                  class="button"
                  aria-label={`Recovery link for ${member.name}`}
                  onClick={() => ask(<Recover member={member} />)}
                >
                  Recovery link…
                </button>
                {member.id !== staff()?.user?.id && (
                  <button
                    type="button"
                    class="button danger"
                    aria-label={`Remove ${member.name}`}
                    onClick={() => ask(<Remove member={member} changed={changed} />)}
                  >
                    Remove…
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
      reasons={['New colleague', 'New admin']}
      title="Invite a staff member?"
      yes="Make the invitation"
      doing="Making…"
      act={async ({ reason, key }) => {
        const body = { name: name.peek().trim(), role: role.peek(), reason };
        const made = await call<Answer<'inviteStaff'>>('POST', '/admin/v1/staff', { body, key: key(body) });
        await changed();
        ask(
          <LinkMade
            title={`The invitation of ${body.name}`}
            text={`Give it to ${body.name}: with it they make their passkey and are in, as ${body.role}. Nobody else may get it.`}
            link={made.invitation}
          />,
        );
      }}
    >
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
      <fieldset class="choices">
        <legend>Role</legend>
        {(['support', 'admin'] as const).map((each) => (
          <label key={each}>
            <input type="radio" name="role" checked={role.value === each} onChange={() => (role.value = each)} />
            <span>
              <strong>{each}</strong>
              <small>{roleWords[each]}</small>
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
      reasons={['Lost all passkeys']}
      title={`Make a recovery link for ${member.name}?`}
      yes="Make the link"
      doing="Making…"
      act={async ({ reason, key }) => {
        const body = { reason };
        const path = `/admin/v1/users/${member.id}/recovery`;
        const made = await call<Answer<'recoverUser'>>('POST', path, { body, key: key(body) });
        ask(
          <LinkMade
            title={`A recovery link for ${member.name}`}
            text={`Give it to ${member.name} in person: whoever opens it first is in, as ${member.role}.`}
            link={made.recovery}
          />,
        );
      }}
    >
      <p class="promise">
        Whoever opens the link within 15 minutes can do here what {member.name} can. Be sure who asks.
      </p>
      <p>It makes a new passkey and ends all sessions of {member.name}.</p>
    </Act>
  );
}

function Remove({ member, changed }: { member: StaffMember; changed: () => Promise<void> }) {
  return (
    <Act
      danger
      reasons={['Has left', 'Other duties']}
      title={`Remove ${member.name} from the staff?`}
      yes="Remove now"
      doing="Removing…"
      act={async ({ reason }) => {
        await call('DELETE', `/admin/v1/staff/${member.id}`, { body: { reason } });
        await changed();
        said.value = { text: `${member.name} is no longer staff.` };
      }}
    >
      <p class="promise">
        {member.name} can do nothing here from now on: all sessions end, and open pages are refused.
      </p>
      <p>The account itself stays an ordinary one. To undo it, invite them again.</p>
    </Act>
  );
}
