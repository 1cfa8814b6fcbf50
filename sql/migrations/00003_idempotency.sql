-- The answers to POST requests of the admin API with an Idempotency-Key, kept for a day.

-- +goose Up

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

-- Index for sweeping enrolment codes that have ended.
CREATE INDEX enrolments_by_end ON enrolments (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO holdfast_runtime;
