-- Outgoing webhooks: a message is stored in the transaction that makes it true, once for each endpoint, and sent
-- afterwards.

-- +goose Up

CREATE TABLE webhook_endpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE, -- SHA-256 of the URL, which may contain credentials and is known only to the servers
    shown text NOT NULL, -- the URL without credentials
    active boolean NOT NULL -- whether the server that started last sends to it
);

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    place bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- the order in which they were written
    endpoint bigint NOT NULL REFERENCES webhook_endpoints (id),
    message_id uuid NOT NULL, -- the same for all endpoints and all attempts
    type text NOT NULL,
    user_id uuid, -- no foreign key: the message about a user's erasure outlives the user
    payload json NOT NULL, -- ids and enumerations only
    created_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts integer NOT NULL DEFAULT 0, -- begun, since it was created or resent
    next_attempt_at timestamptz NOT NULL, -- while it is being sent, the end of the sender's lease
    last_status smallint, -- the receiver's answer; null without one
    last_error text, -- in one word
    delivered_at timestamptz,
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_attempt_at, place) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (state, place);
CREATE INDEX webhook_deliveries_done ON webhook_deliveries (delivered_at) WHERE state = 'delivered';
CREATE INDEX webhook_deliveries_by_user ON webhook_deliveries (user_id);

GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO holdfast_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO holdfast_runtime;
