-- Revoking with certainty: which devices have been told, what a restored database may have lost, and how long the trail is
-- kept.

-- +goose Up

-- The revision of the newest document that the device was given, with features or without; null: never given one since
-- this column exists. Never goes back.
ALTER TABLE devices ADD COLUMN document_revision bigint;

-- Gaps, and that they have been closed: once each.
CREATE INDEX audit_gaps ON audit (id) WHERE action = 'gap.found';
CREATE UNIQUE INDEX audit_gaps_closed ON audit (object) WHERE action = 'gap.closed';

-- The trail is written in the order of time, so ranges of it are enough to find what is old.
CREATE INDEX audit_by_time ON audit USING brin (at);
