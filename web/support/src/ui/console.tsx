import type { AdminSession } from '@holdfast/api';
import { Confirmation } from '@holdfast/kit/confirmation.tsx';
import { SettingsIcon } from '@holdfast/kit/icons.tsx';
import { noticeWords } from '@holdfast/kit/notice.ts';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type Place, place } from '../address.ts';
import { now } from '../clock.ts';
import { confirming, leave, may, notices } from '../session.ts';
import { gapsOpen, learnNames, lookForGaps } from '../surroundings.ts';
import { said, useWork } from '../work.ts';
import { Asked, ask, askNothing } from './act.tsx';
import { Audit } from './audit.tsx';
import { Gaps } from './gaps.tsx';
import { Many } from './many.tsx';
import { Mark } from './mark.tsx';
import { Overview } from './overview.tsx';
import { Plans } from './plans.tsx';
import { Search } from './search.tsx';
import { Settings } from './settings.tsx';
import { Staff } from './staff.tsx';
import { NotAllowed } from './state.tsx';
import { Toast } from './toast.tsx';
import { UserPage } from './user/user.tsx';
import { Webhooks } from './webhooks.tsx';
import { When } from './when.tsx';

const pages = () =>
  [
    { at: 'overview', href: '#/', label: t('Overview') },
    { at: 'search', href: '#/customers', label: t('Customers') },
    { at: 'gaps', href: '#/gaps', label: t('Gaps') },
    { at: 'audit', href: '#/audit', label: t('Audit') },
    { at: 'plans', href: '#/plans', label: t('Plans') },
    { at: 'webhooks', href: '#/webhooks', label: t('Webhooks') },
    { at: 'staff', href: '#/staff', label: t('Staff') },
  ] as const;

export function Console({ me }: { me: AdminSession }) {
  const at = place.value;
  const scroller = useRef<HTMLDivElement>(null);
  const main = useRef<HTMLElement>(null);
  const fresh = useRef(true);
  const key = at.at === 'user' ? at.id : at.at;
  useEffect(() => {
    void lookForGaps();
    void learnNames(me);
  }, [me]);
  useEffect(() => {
    const page = pages().find((each) => each.at === at.at);
    document.title = `${page?.label ?? (at.at === 'many' ? t('Revoke many') : t('Customer'))} · ${t('Holdfast support')}`;
    askNothing();
    said.value = null;
    scroller.current?.scrollTo(0, 0);
    // So that the keys scroll the page. The search takes focus itself; a page that has just loaded leaves it alone.
    if (at.at !== 'search' && !(at.at === 'overview' && fresh.current)) main.current?.focus({ preventScroll: true });
    fresh.current = false;
  }, [key]);
  return (
    <div class="console">
      <div class="scroller" ref={scroller}>
        <button type="button" class="skip" onClick={() => main.current?.focus()}>
          {t('To the page')}
        </button>
        <header class="top">
          <a class="home brand" href="#/">
            <Mark /> <span>{t('Holdfast support')}</span>
          </a>
          <nav aria-label={t('Pages')}>
            {pages()
              .filter((page) => page.at !== 'staff' || may('admin'))
              .map((page) => (
                <a
                  key={page.at}
                  href={page.href}
                  aria-current={
                    page.at === at.at || (page.at === 'search' && (at.at === 'user' || at.at === 'many'))
                      ? 'page'
                      : undefined
                  }
                >
                  {page.label}
                  {page.at === 'gaps' && gapsOpen.value && (
                    <em class="dot">
                      <span class="unseen">{t('(open)')}</span>
                    </em>
                  )}
                </a>
              ))}
          </nav>
          <Who me={me} />
        </header>
        <KeysetWarning endsAt={me.keyset_ends_at} />
        <main class="page" id="main" ref={main} tabIndex={-1} key={key}>
          <Page place={at} />
        </main>
      </div>
      <Toast />
      <Asked />
      <Confirmation confirming={confirming} kind="sheet" />
      {notices.value.length > 0 && <Notices />}
    </div>
  );
}

function Page({ place: at }: { place: Place }) {
  switch (at.at) {
    case 'user':
      return <UserPage id={at.id} />;
    case 'many':
      return may('support:write') ? <Many /> : <NotAllowed />;
    case 'gaps':
      return <Gaps />;
    case 'audit':
      return <Audit />;
    case 'plans':
      return <Plans />;
    case 'webhooks':
      return <Webhooks />;
    case 'staff':
      return <Staff />;
    case 'search':
      return <Search state={at.state} key={at.state} />;
    default:
      return <Overview />;
  }
}

function Who({ me }: { me: AdminSession }) {
  const work = useWork();
  return (
    <div class="who">
      <span class="who-name">{me.user?.name}</span>
      {me.role && <span class="badge">{me.role}</span>}
      <button
        type="button"
        class="button quiet"
        aria-label={t('Settings')}
        title={t('Settings')}
        onClick={() => ask(<Settings />)}
      >
        <SettingsIcon />
      </button>
      <button type="button" class="button quiet" onClick={() => work.run(leave)}>
        {t('Sign out')}
      </button>
    </div>
  );
}

const twoMonths = 60 * 86_400_000;

/** After the keyset's end nobody has paid features, and a reader of this page may be the first to notice. */
function KeysetWarning({ endsAt }: { endsAt: string }) {
  const end = new Date(endsAt);
  if (end.getTime() - now.value.getTime() > twoMonths) return null;
  return (
    <div class="warning" role="alert">
      <p>
        {rich(
          '{end} After that no customer has paid features, online or offline. Tell whoever runs the server: {command} gives it a new end.',
          {
            end: <strong>{rich('The keyset ends {when}.', { when: <When at={endsAt} /> })}</strong>,
            command: <code>{'holdfast keys renew'}</code>,
          },
        )}
      </p>
    </div>
  );
}

/** Shows the staff member's own security notices at sign-in. */
function Notices() {
  const dialog = useRef<HTMLDialogElement>(null);
  useSignalEffect(() => {
    if (notices.value.length > 0) dialog.current?.showModal();
  });
  return (
    <dialog class="sheet" ref={dialog} aria-labelledby="notices" onClose={() => (notices.value = [])}>
      <h2 id="notices">{t('Since you were here')}</h2>
      {notices.value.map((notice) => (
        <p key={`${notice.code} ${notice.at}`}>
          {noticeWords({ ...notice, at: new Date(notice.at) }, null, now.value)}
        </p>
      ))}
      <form method="dialog" class="ends">
        <button type="submit" class="button primary">
          {t('I have read it')}
        </button>
      </form>
    </dialog>
  );
}
