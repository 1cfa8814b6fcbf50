-- Recovery codes and links, which passkey opened a session, and what the user is told at a sign-in.

-- +goose Up

-- One-time codes that the user keeps, ten in a set. The lookup finds the row; of the secret there is nothing but a slow hash.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    lookup text NOT NULL CHECK (length(lookup) = 8),
    secret_hash text NOT NULL, -- argon2id, in the form that says its parameters ($argon2id$v=19$…)
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, lookup)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_codes TO holdfast_runtime;

-- Besides links for customers who have no passkey yet there are links for users who have lost theirs.
ALTER TABLE enrolments ADD COLUMN kind text NOT NULL DEFAULT 'enrolment' CHECK (kind IN ('enrolment', 'recovery'));

ALTER TABLE sessions
    ADD COLUMN credential_id bytea, -- of the passkey that opened it; null for sessions older than this column
    ADD COLUMN told_from timestamptz; -- the user is told what has happened since then; null: nothing

-- What users are told of, found without reading their whole trail.
CREATE INDEX audit_notices ON audit (user_id, at) WHERE action IN ('passkey.rejected', 'account.recovered');
