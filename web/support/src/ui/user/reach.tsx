import type { Revocation, Subscription } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';
import { useEffect, useRef } from 'preact/hooks';
import { now } from '../../clock.ts';
import { goOn, reachOf } from '../../revocations.ts';
import { read } from '../../session.ts';
import { deadline, progress, standing, toldOf } from '../../words/revocation.ts';
import { Timed } from '../when.tsx';
import { Holders } from './holders.tsx';

const interval = 2_000;

/** The progress of a revoke or a suspension, polled while visible until the last document has ended. */
export function Reach({ subscription, changed }: { subscription: Subscription; changed: () => Promise<void> }) {
  const reach = reachOf(subscription.id);
  const told = reach?.devices.filter((device) => progress(device, reach.revision, now.value) === 'told').length;
  // The list of devices on the same page must agree with this one.
  const before = useRef(told);
  useEffect(() => {
    if (told !== undefined && before.current !== undefined && told > before.current) void changed();
    before.current = told;
  }, [told]);
  const over = reach !== undefined && deadline(reach.devices, now.value) === null;
  useEffect(() => {
    if (over) return;
    const ended = new AbortController();
    const path = `/admin/v1/subscriptions/${encodeURIComponent(subscription.id)}/revocation`;
    const look = async () => {
      if (document.visibilityState !== 'visible') return;
      // Without contact, the known state stays, and its ends pass with time.
      const answer = await read<Revocation>(path, ended.signal).catch(() => null);
      if (!answer) return;
      goOn(answer);
      // A colleague has changed it meanwhile.
      if (answer.subscription.updated_at !== subscription.updated_at) await changed();
    };
    void look();
    const timer = setInterval(look, interval);
    return () => {
      clearInterval(timer);
      ended.abort();
    };
  }, [subscription.id, subscription.updated_at, over]);
  if (!reach) return null;
  return (
    <div class="reach">
      <p class="promise">
        <Timed
          words={() => standing(subscription.revoked ? 'revoke' : 'suspend', reach.devices, reach.revision, now.value)}
        />
      </p>
      {reach.devices.length > 0 && (
        <progress aria-label={t('Devices that have been told')} max={reach.devices.length} value={told} />
      )}
      <Holders devices={reach.devices} progress={(device) => progress(device, reach.revision, now.value)} />
      {/* Read out when a device is told, not with every second of the countdown. */}
      <p class="unseen" role="status">
        {toldOf(told ?? 0, reach.devices.length)}
      </p>
    </div>
  );
}
