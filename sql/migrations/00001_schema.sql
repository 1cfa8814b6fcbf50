-- The schema. Each table's comment says what it keeps, for how long, and who deletes it: the housekeeping is in
-- sql/housekeeping.go, an erasure deletes what belongs to the user. There is no code in the schema: rules are written in Go.
--
-- There are two roles. The owner runs migrations; `holdfast serve` acts as holdfast_runtime, which owns nothing, cannot
-- alter the schema, and can only add to the audit trail.
--
-- A table that belongs to a user has user_id in each of its keys, so that it could be sharded by user.

-- +goose Up

-- +goose StatementBegin
DO $$
BEGIN
    -- Roles belong to the cluster: an administrator, or another database's migration, may have created it.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_runtime') THEN
        CREATE ROLE holdfast_runtime NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another transaction created it at the same time
END
$$;
-- +goose StatementEnd
REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- which PostgreSQL 14 and older grant
GRANT USAGE ON SCHEMA public TO holdfast_runtime;
GRANT SELECT ON goose_db_version TO holdfast_runtime;

-- The oldest schema version whose programs work on this schema: older ones refuse to start. A migration that only adds
-- leaves the number alone; one that removes what older programs use raises it. One row, never deleted.
CREATE TABLE schema_compatibility (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    oldest bigint NOT NULL
);
INSERT INTO schema_compatibility (oldest) VALUES (1);
GRANT SELECT ON schema_compatibility TO holdfast_runtime;

-- Ids in the order of the database's clock (UUID version 7, RFC 9562 §6.2 method 3): a list can be paged by them, without a
-- sequence that all users share. Which of two concurrent transactions comes first is left open. The default is one
-- expression because the schema has no functions.
CREATE DOMAIN uuid_v7 AS uuid DEFAULT (
    lpad(to_hex(floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint), 12, '0') -- 48 bits of milliseconds
    || '7' || lpad(to_hex(floor(mod(extract(microseconds FROM statement_timestamp()), 1000) * 4.096)::int), 3, '0')
    || substr(gen_random_uuid()::text, 20)
)::uuid;


-- Users.

-- Accounts, until they are erased, with everything that refers to them.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    words text[] COLLATE "C" NOT NULL DEFAULT '{}', -- of the name, case-folded
    parts text[] COLLATE "C" NOT NULL DEFAULT '{}', -- of the words, for searches: package names
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    -- Raised by every change that may alter the user's entitlements, in the same transaction.
    revision bigint NOT NULL DEFAULT 1,
    actions bigint NOT NULL DEFAULT 0, -- the last position in ledger_entries
    vault_epoch bigint NOT NULL DEFAULT 1, -- of the key that encrypts what devices store from now on
    stored_until timestamptz, -- when the entries stored lately count no more against the bound on them
    trial_started_at timestamptz,
    limit_told_at timestamptz, -- when the trail last got the event of the device limit
    created_at timestamptz NOT NULL
);
CREATE INDEX users_by_name ON users (words, id);
CREATE INDEX users_by_sign_up ON users (created_at, id);
-- Supports searches by the beginnings of parts.
CREATE INDEX users_by_part ON users USING gin (array_to_tsvector(parts)) WITH (fastupdate = off);
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO holdfast_runtime;

-- Keys that must be unique over all users, with their owners. A row is written and deleted in the transaction that creates
-- or deletes the thing itself. There are no foreign keys, so that other tables could be elsewhere.
CREATE TABLE directory (
    kind text NOT NULL,
    key text NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX directory_by_user ON directory (user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON directory TO holdfast_runtime;

-- Users who may call the admin API with their session, within their role, until an admin removes them. The row is created
-- together with the user's: an existing user never becomes staff, so a link that support created for a user can never open
-- a staff account.
CREATE TABLE staff (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('support', 'admin')),
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON staff TO holdfast_runtime;

-- What support has noted about users, until support deletes it. It is personal data of the user.
CREATE TABLE notes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    author text NOT NULL, -- as the audit trail names actors
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 2000),
    PRIMARY KEY (user_id, id)
);
GRANT SELECT, INSERT, DELETE ON notes TO holdfast_runtime;


-- Signing in.

-- Passkeys, until their user deletes them.
CREATE TABLE passkeys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id bytea NOT NULL,
    rp_id text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    public_key bytea NOT NULL, -- COSE_Key, as the authenticator gave it
    public_jwk jsonb NOT NULL, -- the same key for verification in a browser
    aaguid uuid NOT NULL,
    transports text[] NOT NULL DEFAULT '{}',
    sign_count bigint NOT NULL,
    backup_eligible boolean NOT NULL,
    backup_state boolean NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    PRIMARY KEY (user_id, credential_id)
) WITH (fillfactor = 80); -- every sign-in updates its row within the page
GRANT SELECT, INSERT, UPDATE, DELETE ON passkeys TO holdfast_runtime;

-- Ceremonies that were tried. A row is inserted and committed before the answer is verified; the client holds the rest of
-- the ceremony. Housekeeping deletes a row ten minutes after the ceremony's end.
CREATE TABLE spent (
    id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL -- the ceremony's end, five minutes after it began
);
CREATE INDEX spent_by_end ON spent (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON spent TO holdfast_runtime;

-- Sessions, until they are ended. Housekeeping deletes a row at its absolute end, or after 14 idle days.
CREATE TABLE sessions (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    token_hash bytea NOT NULL, -- SHA-256 of the cookie's token
    credential_id bytea, -- of the passkey that opened it
    origin text NOT NULL DEFAULT '', -- of the page whose ceremony began the session, as signed; '' for none
    user_agent text NOT NULL DEFAULT '', -- in words ("Chrome on Windows"); no address is stored
    told_from timestamptz, -- the user is told what happened since then; null: nothing to tell
    authenticated_at timestamptz NOT NULL,
    last_active_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, -- absolute end; the idle end follows from last_active_at
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, token_hash)
) WITH (fillfactor = 80); -- rows in use are updated within the page
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_by_use ON sessions (last_active_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO holdfast_runtime;

-- One-time links with which a customer without a passkey, or one who has lost theirs, registers one, until they are used.
-- Housekeeping deletes a row at its end.
CREATE TABLE enrolments (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL, -- SHA-256 of a code with 128 random bits
    kind text NOT NULL DEFAULT 'enrolment' CHECK (kind IN ('enrolment', 'recovery')),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
CREATE INDEX enrolments_by_end ON enrolments (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON enrolments TO holdfast_runtime;

-- One-time codes that the user keeps, ten in a set, until they are used or replaced. The lookup finds the row; the secret is
-- stored only as a slow hash.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    lookup text NOT NULL CHECK (length(lookup) = 8),
    secret_hash text NOT NULL, -- argon2id, in the form that includes its parameters ($argon2id$v=19$…)
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, lookup)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_codes TO holdfast_runtime;


-- Entitlements.

-- The catalogue, which admins keep; plans are never deleted. Plans change at once; their holders are raised in batches, by
-- whichever server does the next batch.
CREATE TABLE plans (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    features jsonb NOT NULL, -- {"export": {"offline": true}, "notes": {"offline": true, "limit": 500}}
    window_seconds bigint CHECK (window_seconds > 0), -- null: the server's offline window
    grace_seconds bigint NOT NULL CHECK (grace_seconds >= 0),
    device_limit integer NOT NULL CHECK (device_limit > 0),
    rank integer NOT NULL, -- the highest rank names the best plan
    -- Holders with an id above this have not been raised since the plan's last change. Null: there are none.
    raising_after uuid,
    -- Of those, the ones above this hold documents that promise more than the plan now does. Null: none do.
    losing_after uuid CHECK (losing_after IS NULL OR raising_after IS NOT NULL),
    updated_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON plans TO holdfast_runtime;

-- Subscriptions, for as long as their user; billing moves one that another customer turns out to pay for.
CREATE TABLE subscriptions (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id text NOT NULL CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'), -- chosen by the billing system
    plan text NOT NULL REFERENCES plans (id),
    state text NOT NULL CHECK (state IN ('trialing', 'active', 'past_due', 'cancelled')),
    paid_through timestamptz NOT NULL,
    ends boolean NOT NULL DEFAULT false, -- no payment is expected at the end of the paid time, so there is no grace
    revoked boolean NOT NULL DEFAULT false, -- set and cleared by support alone
    suspended boolean NOT NULL DEFAULT false, -- likewise
    withdrawn_at timestamptz, -- when support revoked or suspended it; null if neither
    disputes jsonb NOT NULL DEFAULT '[]', -- about its payments: ids, enumerations and times
    withdrawn boolean NOT NULL DEFAULT false, -- what package entitlements concludes from the three before
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    due_at timestamptz, -- when a server has to look at it for the events of passing time; null for never
    expiring_told timestamptz, -- the paid_through about whose approach the trail has an event
    grace_told timestamptz, -- the paid_through after whose grace has begun, likewise
    PRIMARY KEY (user_id, id)
);
CREATE INDEX subscriptions_due ON subscriptions (due_at) WHERE due_at IS NOT NULL;
-- The holders of a plan, in the order in which they are raised.
CREATE INDEX subscriptions_by_holder ON subscriptions (plan, user_id);
-- The facts that decide what a subscription is worth at an instant, for counts and for lists of those who have it.
CREATE INDEX subscriptions_by_class ON subscriptions (plan, state, ends, withdrawn, paid_through) INCLUDE (user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON subscriptions TO holdfast_runtime;

-- Devices. Housekeeping deletes one that was removed, 90 days after its last document has ended.
-- No CHECK here: PostgreSQL parses each one again for every reconcile, which would add half to the cost of its UPDATE.
CREATE TABLE devices (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL,
    jkt text NOT NULL, -- RFC 7638 thumbprint of the device key
    linked_at timestamptz NOT NULL,
    last_reconciled_at timestamptz,
    removed_at timestamptz,
    -- The place under the plan's device limit. It outlives the link until the last document has ended: entitlements.Place.
    place text NOT NULL DEFAULT 'held',
    -- Lineage: the next generation, the tag of the last token consumed (zero at linking), quarantine.
    lineage_n bigint NOT NULL DEFAULT 0,
    lineage_parent bytea NOT NULL DEFAULT '\x00000000000000000000000000000000',
    forked_at timestamptz,
    -- The user's revision as of the last change of this row. Every change of entitlements raises it: the change waits for a
    -- running reconcile, and a reconcile that read before the change starts again.
    revision bigint NOT NULL,
    -- No document with features ever issued to this device is valid for longer, whatever its skew. Never decreases.
    document_bound timestamptz,
    -- The revision of the newest document issued to the device, with or without features; null if none was. Never decreases.
    document_revision bigint,
    status_list integer NOT NULL,
    status_idx integer NOT NULL,
    ledger_seq bigint NOT NULL DEFAULT 0,
    ledger_hash bytea,
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, jkt)
) WITH (fillfactor = 80); -- every reconcile updates its row: room for that in the same page keeps the row out of the indexes
CREATE INDEX devices_by_status ON devices (status_list, status_idx);
CREATE INDEX devices_removed ON devices (removed_at) WHERE removed_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON devices TO holdfast_runtime;

-- The acts of users that devices recorded offline, as signed, with their verdicts. Two copies of a chain can have the same
-- seq. position is the place in the user's feed; null if the act was never accepted. Without a foreign key, which would be
-- checked for each row: whoever stores acts has locked the user's row, and an erasure deletes them.
CREATE TABLE ledger_entries (
    user_id uuid NOT NULL,
    device_id uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    hash bytea NOT NULL,
    entry bytea NOT NULL, -- the exact bytes
    verdict text NOT NULL CHECK (verdict IN ('accepted', 'rejected', 'superseded')),
    reason text NOT NULL DEFAULT '',
    position bigint,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, device_id, seq, hash),
    UNIQUE (user_id, position)
);
CREATE INDEX ledger_entries_by_time ON ledger_entries (user_id, received_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_entries TO holdfast_runtime;

-- How many acts of a feature are accepted: what a plan's limit bounds.
CREATE TABLE ledger_accepted (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    feature text NOT NULL,
    acts bigint NOT NULL,
    PRIMARY KEY (user_id, feature)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_accepted TO holdfast_runtime;

-- Content keys, which encrypt content on devices: of users, and of content packs, which are named for their feature. Each is
-- encrypted under the wrapping key key_id, which is not in the database.
CREATE TABLE vault_keys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch bigint NOT NULL CHECK (epoch > 0),
    key_id text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, epoch)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON vault_keys TO holdfast_runtime;

CREATE TABLE pack_keys (
    feature text NOT NULL,
    epoch bigint NOT NULL CHECK (epoch > 0),
    key_id text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (feature, epoch)
);
GRANT SELECT, INSERT, UPDATE ON pack_keys TO holdfast_runtime;

-- The subscriptions of a user, and plans, as they were until they changed, for verdicts on acts of that time. Housekeeping
-- deletes them when no act of that time is taken any more.
CREATE TABLE past_subscriptions (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    until timestamptz NOT NULL,
    subscriptions jsonb NOT NULL, -- the rows
    PRIMARY KEY (user_id, until)
);
CREATE INDEX past_subscriptions_by_end ON past_subscriptions (until);
GRANT SELECT, INSERT, UPDATE, DELETE ON past_subscriptions TO holdfast_runtime;

CREATE TABLE past_plans (
    id text NOT NULL,
    until timestamptz NOT NULL,
    plan jsonb NOT NULL, -- the row
    PRIMARY KEY (id, until)
);
CREATE INDEX past_plans_by_end ON past_plans (until);
GRANT SELECT, INSERT, UPDATE, DELETE ON past_plans TO holdfast_runtime;

-- The status lists. An index is allotted once, at random, from the newest list: a row never changes hands. Housekeeping
-- deletes it a keyset's life after its end, once its list allots no more indices.
CREATE TABLE status_entries (
    list integer NOT NULL CHECK (list >= 0),
    idx integer NOT NULL CHECK (idx BETWEEN 0 AND 1048575),
    status smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)), -- VALID, INVALID, SUSPENDED
    ended_at timestamptz, -- since when it is INVALID and no live document with features has it
    PRIMARY KEY (list, idx)
);
CREATE INDEX status_entries_by_end ON status_entries (list, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX status_entries_withdrawn ON status_entries (list, idx, status) WHERE status <> 0;
GRANT SELECT, INSERT, UPDATE, DELETE ON status_entries TO holdfast_runtime;

-- Recent changes of the status lists. A reader remembers the rows that it has seen, so none is missed, in whatever order
-- transactions begin and end; a time or a counter would miss one that is committed late. Housekeeping deletes a row after ten
-- minutes, except the newest, whose absence tells a reader that it must read everything.
CREATE TABLE status_changes (
    list integer NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (list, id)
);
CREATE INDEX status_changes_by_age ON status_changes (at);
GRANT SELECT, INSERT, UPDATE, DELETE ON status_changes TO holdfast_runtime;


-- Billing.

-- Events from billing systems, each stored once by its id. A subscription's state is computed from all events of its
-- customer, so their order does not matter. An event is kept for as long as its user; housekeeping deletes one that nobody
-- has claimed for 30 days.
CREATE TABLE billing_events (
    source text NOT NULL CHECK (source IN ('stripe', 'webhook')),
    id text NOT NULL CHECK (length(id) BETWEEN 1 AND 255),
    customer text NOT NULL, -- as the source names the customer; '' while unknown
    subject text NOT NULL, -- the subscription, invoice, charge or dispute
    ties text[] NOT NULL DEFAULT '{}', -- ids that it shares with other events, including the subject
    at timestamptz NOT NULL,
    rank integer NOT NULL,
    facts jsonb NOT NULL, -- ids, enumerations, times and amounts
    received_at timestamptz NOT NULL,
    user_id uuid, -- null while unknown; no foreign key, so that users can be on other nodes; an erasure deletes them
    PRIMARY KEY (source, id)
);
CREATE INDEX billing_events_by_customer ON billing_events (source, customer);
CREATE INDEX billing_events_by_tie ON billing_events USING gin (ties);
CREATE INDEX billing_events_by_user ON billing_events (user_id);
CREATE INDEX billing_events_of_nobody ON billing_events (received_at) WHERE user_id IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON billing_events TO holdfast_runtime;

-- Keyed hashes of the ids of erased accounts, so that later events about them are recognised. Never deleted.
CREATE TABLE billing_erased (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32)
);
GRANT SELECT, INSERT ON billing_erased TO holdfast_runtime;


-- Administration.

-- Tokens of the admin API. The operator creates and revokes them; nobody deletes them, because the trail names them.
CREATE TABLE admin_tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON admin_tokens TO holdfast_runtime;

-- The answers to POST requests of the admin API with an Idempotency-Key. Housekeeping deletes them after a day.
CREATE TABLE idempotency (
    actor text NOT NULL, -- as in audit
    route text NOT NULL, -- method and path
    key text NOT NULL,
    body_hash bytea NOT NULL, -- SHA-256 of the request's body
    status smallint, -- of the answer; null while the request is in progress
    -- The answer's body, encrypted under a key that only the token's bearer has: it may contain a one-time link, of which
    -- only a hash is kept elsewhere.
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (actor, route, key),
    CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO holdfast_runtime;

-- The audit trail: ids and enumerations only, and insert-only for the runtime role. user_id has no foreign key: the trail
-- outlives the user. With --audit-retention, the owner deletes old entries: PruneAudit.
CREATE TABLE audit (
    user_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000', -- the default: the entry is about no user
    id uuid_v7 NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL, -- 'user:<uuid>', 'token:<uuid>', 'device:<uuid>', 'operator' (command line) or 'server'
    action text NOT NULL, -- 'subscription.revoke', 'passkey.rejected', …
    object text NOT NULL, -- 'subscription:<id>', 'device:<uuid>', 'passkey:<base64url>', …
    before jsonb,
    after jsonb,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX audit_by_id ON audit (id);
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_action ON audit (action, id);
-- The trail is written in the order of time, so a BRIN index is enough to find old entries.
CREATE INDEX audit_by_time ON audit USING brin (at);
-- The events that users are told of, and those that are not repeated soon, so that their whole trail need not be read.
CREATE INDEX audit_notices ON audit (user_id, at) WHERE action IN ('passkey.rejected', 'account.recovered', 'device.limit_reached');
-- The entries that closed gaps: each gap is closed at most once.
CREATE UNIQUE INDEX audit_gaps_closed ON audit (user_id, object) WHERE action = 'gap.closed';
-- The id is not granted: a writer that could choose it could hide an entry among older ones.
GRANT SELECT, INSERT (user_id, at, actor, action, object, before, after) ON audit TO holdfast_runtime;

-- The reason that a person gave for a change, in a separate table so that it can be erased. Deleted with its user or its
-- entry.
CREATE TABLE audit_reasons (
    user_id uuid NOT NULL,
    audit_id uuid NOT NULL,
    reason text NOT NULL CHECK (length(reason) <= 1000),
    PRIMARY KEY (user_id, audit_id),
    FOREIGN KEY (user_id, audit_id) REFERENCES audit (user_id, id)
);
GRANT SELECT, INSERT, DELETE ON audit_reasons TO holdfast_runtime;


-- Outgoing webhooks: a message is stored in the transaction that makes it true, once for each endpoint, and sent
-- afterwards.

-- The receivers, as the servers' flags name them. Never deleted.
CREATE TABLE webhook_endpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE, -- SHA-256 of the URL, which may contain credentials and is known only to the servers
    shown text NOT NULL, -- the URL without credentials
    active boolean NOT NULL -- whether the server that started last sends to it
);
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO holdfast_runtime;

-- Package outbox deletes a delivery a week after it succeeded, or 90 days after it was written if it is dead.
CREATE TABLE webhook_deliveries (
    user_id uuid NOT NULL, -- no foreign key: the message about a user's erasure outlives the user
    id uuid_v7 NOT NULL,
    endpoint bigint NOT NULL REFERENCES webhook_endpoints (id),
    message_id uuid NOT NULL, -- the same for all endpoints and all attempts
    type text NOT NULL,
    payload json NOT NULL, -- ids and enumerations only
    created_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts integer NOT NULL DEFAULT 0, -- begun, since it was created or resent
    next_attempt_at timestamptz NOT NULL, -- while it is being sent, the end of the sender's lease
    last_status smallint, -- the receiver's answer; null without one
    last_error text, -- in one word
    failing_since timestamptz, -- the end of the first failed attempt since it was created or resent; null once delivered
    delivered_at timestamptz,
    PRIMARY KEY (user_id, id),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_by_id ON webhook_deliveries (id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (state, id);
CREATE INDEX webhook_deliveries_done ON webhook_deliveries (delivered_at) WHERE state = 'delivered';
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO holdfast_runtime;


-- The servers.

-- Secrets that all replicas share: the keys of ceremonies, nonces, lineage tokens and document ids. Kept, except
-- that a restore deletes the key of ceremonies.
CREATE TABLE secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON secrets TO holdfast_runtime;
INSERT INTO secrets (name, value) VALUES ('billing-erased', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- The newest keyset of each root that any replica has served. An older keys folder, for example one restored from a backup,
-- must not be served again: devices that saw a newer keyset refuse it. Nor may a keyset of another root or issuer be served
-- because of a wrong setting. 'keys adopt' deletes the others.
CREATE TABLE keyset_marks (
    root text PRIMARY KEY, -- RFC 7638 thumbprint
    place bigint GENERATED ALWAYS AS IDENTITY, -- roots follow each other in this order
    version bigint NOT NULL CHECK (version > 0),
    issuer text NOT NULL, -- the public origin
    digest text NOT NULL -- base64url SHA-256 of the keyset's compact form
);
GRANT SELECT, INSERT, UPDATE ON keyset_marks TO holdfast_runtime;
