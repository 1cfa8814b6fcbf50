-- Publishing the status lists: what has changed in them can be found without reading them, and is announced.

-- +goose Up

-- The transaction that last changed the status; 0 where it is still what it was at first. With the snapshot of a reader it
-- tells exactly what the reader has not seen, in whatever order transactions began and ended, which no time or counter does.
ALTER TABLE status_entries ADD COLUMN changed xid8 NOT NULL DEFAULT '0';
UPDATE status_entries SET changed = pg_current_xact_id() WHERE status <> 0;
CREATE INDEX status_entries_by_change ON status_entries (changed, list) WHERE changed > '0';
CREATE INDEX status_entries_withdrawn ON status_entries (list, idx, status) WHERE status <> 0;
