-- Recovery codes and links, the passkey that opened a session, and what the user is told at sign-in.

-- +goose Up

-- One-time codes that the user keeps, ten in a set. The lookup finds the row; the secret is stored only as a slow hash.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    lookup text NOT NULL CHECK (length(lookup) = 8),
    secret_hash text NOT NULL, -- argon2id, in the form that includes its parameters ($argon2id$v=19$…)
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, lookup)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_codes TO holdfast_runtime;

-- Besides links for customers without a passkey, there are links for users who have lost theirs.
ALTER TABLE enrolments ADD COLUMN kind text NOT NULL DEFAULT 'enrolment' CHECK (kind IN ('enrolment', 'recovery'));

ALTER TABLE sessions
    ADD COLUMN credential_id bytea, -- of the passkey that opened it; null for sessions older than this column
    ADD COLUMN told_from timestamptz; -- the user is told what happened since then; null: nothing to tell

-- Index of the events that users are told of, so that their whole trail need not be read.
CREATE INDEX audit_notices ON audit (user_id, at) WHERE action IN ('passkey.rejected', 'account.recovered');
