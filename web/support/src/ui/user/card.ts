import type { Account } from '@holdfast/api';
import { may } from '../../session.ts';

/** The properties shared by the cards of a user's page. */
export interface CardProps {
  readonly account: Account;
  /** Call after a change: reads the account again. */
  readonly changed: () => Promise<void>;
}

/** Whether the role permits it: a person who could take over a staff member's account would gain that member's role. */
export function mayTouchAccess({ role }: Account): boolean {
  return may('support:write') && (role === null || may('admin'));
}

/** The number of devices that can be removed. */
export function linkedDevices({ devices }: Account): number {
  return devices.filter(({ removed }) => !removed).length;
}
