-- Events from billing systems. Each event is stored once by its id. A subscription's state is computed from all events of
-- its customer, so their order does not matter.

-- +goose Up

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
    user_id uuid REFERENCES users (id) ON DELETE CASCADE, -- null while unknown
    PRIMARY KEY (source, id)
);
CREATE INDEX billing_events_by_customer ON billing_events (source, customer);
CREATE INDEX billing_events_by_tie ON billing_events USING gin (ties);
CREATE INDEX billing_events_by_user ON billing_events (user_id);
CREATE INDEX billing_events_of_nobody ON billing_events (received_at) WHERE user_id IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON billing_events TO holdfast_runtime;

-- Keyed hashes of the ids of erased accounts, so that later events about them are recognised.
CREATE TABLE billing_erased (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32)
);
INSERT INTO secrets (name, value) VALUES ('billing-erased', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

GRANT SELECT, INSERT ON billing_erased TO holdfast_runtime;
