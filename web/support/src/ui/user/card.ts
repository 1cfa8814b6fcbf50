import { may } from '../../session.ts';
import type { Account } from '../../shapes.ts';

/** What the cards of a user's page share. */
export interface CardProps {
  readonly account: Account;
  /** Something was changed: reads the account anew. */
  readonly changed: () => Promise<void>;
}

/** Whether the role reaches so far: who could take a staff member's account over could do what they may. */
export function mayTouchAccess({ role }: Account): boolean {
  return may('support:write') && (role === null || may('admin'));
}
