-- Identity: users, passkeys, spent ceremonies, sessions, admin tokens, and the audit trail that every domain writes to.
--
-- There are two roles. The owner runs migrations; `holdfast serve` acts as holdfast_runtime, which owns nothing, cannot
-- alter the schema, and can only add to the audit trail.
--
-- Tables that belong to a user have user_id first in their key, so that they could be sharded by user.

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

CREATE TABLE users (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    words text[] COLLATE "C" NOT NULL DEFAULT '{}', -- of the name, case-folded
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    -- Raised by every change that may alter the user's entitlements, in the same transaction.
    revision bigint NOT NULL DEFAULT 1,
    trial_started_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX users_by_name ON users (words, id);
-- For searches by the beginnings of words, too.
CREATE INDEX users_by_word ON users USING gin (array_to_tsvector(words)) WITH (fastupdate = off);

-- Keys that must be unique over all users, with their owners. Written in the transaction that creates or deletes the thing
-- itself, and without foreign keys, so that other tables could be elsewhere.
CREATE TABLE directory (
    kind text NOT NULL,
    key text NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX directory_by_user ON directory (user_id);

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

-- Ceremonies that were tried. A row is inserted and committed before the answer is verified. The client holds the rest of a
-- ceremony.
CREATE TABLE spent (
    id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL -- the ceremony's end, five minutes after it began
);
CREATE INDEX spent_by_end ON spent (expires_at);

CREATE TABLE sessions (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    token_hash bytea NOT NULL, -- SHA-256 of the cookie's token
    origin text NOT NULL DEFAULT '', -- of the page whose ceremony began the session, as signed; '' for none
    user_agent text NOT NULL DEFAULT '', -- in words ("Chrome on Windows"); no address is stored
    authenticated_at timestamptz NOT NULL,
    last_active_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, -- absolute end; the idle end follows from last_active_at
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, token_hash)
) WITH (fillfactor = 80); -- rows in use are updated within the page
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_by_use ON sessions (last_active_at);

-- One-time links with which an existing customer registers a first passkey.
CREATE TABLE enrolments (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL, -- SHA-256 of a code with 128 random bits
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE admin_tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);

-- Ids and enumerations only; insert-only for the runtime role. user_id has no foreign key: the trail outlives the user.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL, -- 'user:<uuid>', 'token:<uuid>', 'device:<uuid>', 'operator' (command line) or 'server'
    action text NOT NULL, -- 'subscription.revoke', 'passkey.rejected', …
    object text NOT NULL, -- 'subscription:<id>', 'device:<uuid>', 'passkey:<base64url>', …
    user_id uuid,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_by_user ON audit (user_id, id DESC);

-- The reason that a person gave for a change, in a separate table so that it can be erased.
CREATE TABLE audit_reasons (
    audit_id bigint PRIMARY KEY REFERENCES audit (id),
    user_id uuid,
    reason text NOT NULL CHECK (length(reason) <= 1000)
);
CREATE INDEX audit_reasons_by_user ON audit_reasons (user_id);

-- Secrets that all replicas share: the keys of ceremonies, nonces, lineage tokens and document ids.
CREATE TABLE secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- which PostgreSQL 14 and older grant
GRANT USAGE ON SCHEMA public TO holdfast_runtime;
GRANT SELECT ON goose_db_version TO holdfast_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON users, directory, passkeys, spent, sessions, enrolments, admin_tokens TO holdfast_runtime;
GRANT SELECT, INSERT ON secrets TO holdfast_runtime;
-- The id is not granted: a writer that could choose it could take the next ids and block every audited change.
GRANT SELECT, INSERT (at, actor, action, object, user_id, before, after) ON audit TO holdfast_runtime;
GRANT SELECT, INSERT, DELETE ON audit_reasons TO holdfast_runtime;
