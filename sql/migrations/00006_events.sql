-- Telling open pages what has changed: every rise of a user's revision and every end of a session is announced. By
-- triggers, so that no statement can forget it; PostgreSQL delivers when the transaction commits, and not if it does not.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION announce_revision() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('holdfast_revision', NEW.id || ' ' || NEW.revision);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER announce_revision AFTER UPDATE ON users
    FOR EACH ROW WHEN (OLD.revision <> NEW.revision) EXECUTE FUNCTION announce_revision();

-- A session that ends by its time is not announced: whoever watches it knows that time.
-- +goose StatementBegin
CREATE FUNCTION announce_session_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('holdfast_session_end', OLD.id::text);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER announce_session_end AFTER DELETE ON sessions
    FOR EACH ROW EXECUTE FUNCTION announce_session_end();
