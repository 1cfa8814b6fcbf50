-- Entitlements: plans, subscriptions, devices with their lineage, and status list entries.

-- +goose Up

CREATE TABLE plans (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    features jsonb NOT NULL, -- {"export": {"offline": true}, "notes": {"offline": true, "limit": 500}}
    window_seconds bigint CHECK (window_seconds > 0), -- null: the server's offline window
    grace_seconds bigint NOT NULL CHECK (grace_seconds >= 0),
    device_limit integer NOT NULL CHECK (device_limit > 0),
    rank integer NOT NULL, -- the highest rank names the best plan
    updated_at timestamptz NOT NULL
);

INSERT INTO plans (id, features, window_seconds, grace_seconds, device_limit, rank, updated_at)
VALUES ('premium', '{"export": {"offline": true}, "notes": {"offline": true}}', NULL, 259200, 5, 10, now());

CREATE TABLE subscriptions (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id text NOT NULL CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'), -- chosen by the billing system
    plan text NOT NULL REFERENCES plans (id),
    state text NOT NULL CHECK (state IN ('trialing', 'active', 'past_due', 'cancelled')),
    paid_through timestamptz NOT NULL,
    ends boolean NOT NULL DEFAULT false, -- no payment is expected at the end of the paid time, so there is no grace
    revoked boolean NOT NULL DEFAULT false, -- set and cleared by support alone
    suspended boolean NOT NULL DEFAULT false, -- likewise
    disputes jsonb NOT NULL DEFAULT '[]', -- about its payments: ids, enumerations and times
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX subscriptions_by_plan ON subscriptions (plan);

-- An index is allotted once, at random, from the newest list: a row never changes hands, and is kept while its list still
-- allots indices.
CREATE TABLE status_entries (
    list integer NOT NULL CHECK (list >= 0),
    idx integer NOT NULL CHECK (idx BETWEEN 0 AND 1048575),
    status smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)), -- VALID, INVALID, SUSPENDED
    ended_at timestamptz, -- since when it is INVALID and no live document with features has it
    PRIMARY KEY (list, idx)
);
CREATE INDEX status_entries_by_end ON status_entries (list, ended_at) WHERE ended_at IS NOT NULL;

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
    status_list integer NOT NULL,
    status_idx integer NOT NULL,
    ledger_seq bigint NOT NULL DEFAULT 0,
    ledger_hash bytea,
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, jkt)
) WITH (fillfactor = 80); -- every reconcile updates its row: room for that in the same page keeps the row out of the indexes
CREATE INDEX devices_by_status ON devices (status_list, status_idx);
CREATE INDEX devices_removed ON devices (removed_at) WHERE removed_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON plans, subscriptions, status_entries, devices TO holdfast_runtime;
