-- Publication of the status lists: changes can be found without reading the lists, and are announced.

-- +goose Up

-- The transaction that last changed the status; 0 if it never changed. Compared with a reader's snapshot, it tells exactly
-- what the reader has not seen, in whatever order transactions began and ended; a time or a counter could not.
ALTER TABLE status_entries ADD COLUMN changed xid8 NOT NULL DEFAULT '0';
UPDATE status_entries SET changed = pg_current_xact_id() WHERE status <> 0;
CREATE INDEX status_entries_by_change ON status_entries (changed, list) WHERE changed > '0';
CREATE INDEX status_entries_withdrawn ON status_entries (list, idx, status) WHERE status <> 0;
