-- What POST requests of the admin API with an Idempotency-Key were answered, for a day.

-- +goose Up

CREATE TABLE idempotency (
    actor text NOT NULL, -- as in audit
    route text NOT NULL, -- method and path
    key text NOT NULL,
    body_hash bytea NOT NULL, -- SHA-256 of the request's body
    status smallint, -- of the answer; null while the request is in progress
    -- The answer's body, encrypted under a key that only the bearer of the token has: it may hold a one-time link, of
    -- which nothing but a hash is kept elsewhere.
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (actor, route, key),
    CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Enrolment codes that have ended are swept, like ceremonies and sessions.
CREATE INDEX enrolments_by_end ON enrolments (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO holdfast_runtime;
