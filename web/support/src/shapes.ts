// The shapes of the server's answers, as described in api/openapi.yaml. Times are RFC 3339.

export type Scope = 'support:read' | 'support:write' | 'billing:write' | 'admin';
export type Role = 'support' | 'admin';

/** The staff member who is signed in. */
export interface Me {
  readonly actor: string;
  readonly user: { readonly id: string; readonly name: string } | null;
  readonly role: Role | null;
  readonly scopes: readonly Scope[];
  readonly authenticated_at: string | null;
  readonly keyset_ends_at: string;
}

export interface User {
  readonly id: string;
  readonly name: string;
  readonly external_id: string | null;
  readonly created_at: string;
}

export interface Feature {
  readonly limit?: number;
  readonly offline: boolean;
}

export type Features = Readonly<Record<string, Feature>>;

export interface Plan {
  readonly id: string;
  readonly features: Features;
  /** Seconds; null: the server's offline window. */
  readonly window: number | null;
  readonly grace: number;
  readonly device_limit: number;
  readonly rank: number;
  /** The version of the plan's contents; empty: none yet. */
  readonly version: string;
}

/** A payment that the payer's bank wants back. */
export interface Dispute {
  readonly id: string;
  readonly status: 'open' | 'won' | 'lost';
  readonly since: string;
  /** Its effect on the subscription; waived: support has reinstated it. */
  readonly withholds: 'nothing' | 'for_now' | 'for_good' | 'waived';
}

export interface Subscription {
  readonly id: string;
  readonly user: string;
  readonly plan: string;
  readonly state: 'trialing' | 'active' | 'past_due' | 'cancelled';
  readonly paid_through: string;
  readonly revoked: boolean;
  readonly suspended: boolean;
  /** No payment is expected at the end of the paid time, so no grace follows. */
  readonly ends: boolean;
  readonly disputes: readonly Dispute[];
  readonly created_at: string;
  readonly updated_at: string;
}

/** The server's decision on one subscription at one moment. */
export interface Worth {
  readonly state: 'active' | 'grace' | 'expired' | 'revoked';
  readonly reason: 'revoked' | 'suspended' | 'disputed' | 'lapsed' | null;
  /** When its features end unless it changes: with the paid time, or the grace after it. */
  readonly ends_at: string;
  /** Whether it is the best one, which the decision uses. */
  readonly decides: boolean;
}

export type Judged = Subscription & { readonly worth: Worth };

/** A plan, with when newly granted days of it begin to count. */
export type HeldPlan = Plan & { readonly grants_from: string };

export interface Decision {
  readonly state: 'active' | 'grace' | 'expired' | 'revoked' | 'none';
  readonly reason: 'revoked' | 'suspended' | 'disputed' | 'lapsed' | null;
  /** Since when the user has less than was paid for; null: not the case, or unknown. */
  readonly since?: string | null;
  readonly paid_through: string | null;
  readonly plans: readonly string[];
  readonly features: Features;
}

export interface Device {
  readonly id: string;
  readonly name: string;
  readonly linked_at: string;
  readonly last_reconciled_at: string | null;
  readonly document_expires_at: string | null;
  readonly document_revision: number | null;
  readonly quarantined: boolean;
  readonly removed: boolean;
  /** When it stops counting against the limit, though it is not linked. */
  readonly frees_up_at: string | null;
}

export interface Passkey {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly synced: boolean;
}

export interface Session {
  readonly id: string;
  readonly user_agent: string;
  readonly authenticated_at: string;
  readonly last_active_at: string;
  readonly expires_at: string;
}

export interface AuditEntry {
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly user: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly reason: string | null;
}

/** All data on one user. */
export interface Account {
  readonly user: User;
  readonly role: Role | null;
  readonly revision: number;
  readonly trial_started: boolean;
  /** Seconds. */
  readonly offline_window: number;
  readonly decision: Decision;
  readonly subscriptions: readonly Judged[];
  readonly plans: readonly HeldPlan[];
  readonly devices: readonly Device[];
  readonly passkeys: readonly Passkey[];
  readonly sessions: readonly Session[];
  readonly audit: readonly AuditEntry[];
}

/** A device that may hold a document with the revoked features. */
export interface Holder {
  readonly id: string;
  readonly name: string;
  readonly document_expires_at: string | null;
  readonly last_reconciled_at: string | null;
  readonly document_revision: number | null;
  readonly removed: boolean;
  readonly quarantined: boolean;
}

export interface Revocation {
  readonly subscription: Subscription;
  readonly revision: number;
  readonly offline_until: string | null;
  readonly devices: readonly Holder[];
  /** The user's rights without the subscription. */
  readonly kept: Features;
}

export interface Link {
  readonly url: string;
  readonly expires_at: string;
}

export interface StaffMember {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly passkeys: number;
  readonly created_at: string;
}

export interface Delivery {
  readonly id: string;
  readonly message: string;
  readonly type: string;
  readonly endpoint: string;
  readonly user: string | null;
  readonly state: 'pending' | 'delivered' | 'dead';
  readonly attempts: number;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  readonly delivered_at: string | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
}

/** A device that knew of a later change than the restored database. */
export interface Gap {
  readonly id: number;
  readonly at: string;
  readonly user: User;
  readonly device: string;
  readonly device_revision: number;
  readonly database_revision: number;
}
