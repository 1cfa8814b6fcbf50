-- Reliable revocation: which devices have been told, what a restored database may have lost, and how long the trail is
-- kept.

-- +goose Up

-- The revision of the newest document issued to the device, with or without features; null if none was issued since this
-- column exists. Never decreases.
ALTER TABLE devices ADD COLUMN document_revision bigint;

-- Gaps, and the entries that closed them: each gap is closed at most once.
CREATE INDEX audit_gaps ON audit (id) WHERE action = 'gap.found';
CREATE UNIQUE INDEX audit_gaps_closed ON audit (object) WHERE action = 'gap.closed';

-- The trail is written in the order of time, so a BRIN index is enough to find old entries.
CREATE INDEX audit_by_time ON audit USING brin (at);
