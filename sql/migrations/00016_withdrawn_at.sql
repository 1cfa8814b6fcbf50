-- What a user whose subscription support has ended is told: since when.

-- +goose Up

-- When support revoked or suspended it; null while it has done neither, and where the program's version before did: then
-- the last change stands in for it.
ALTER TABLE subscriptions ADD COLUMN withdrawn_at timestamptz;

UPDATE subscriptions s SET withdrawn_at = (
    SELECT max(a.at) FROM audit a
    WHERE a.user_id = s.user_id AND a.object = 'subscription:' || s.id
        AND a.action = CASE WHEN s.revoked THEN 'subscription.revoke' ELSE 'subscription.suspend' END
) WHERE s.revoked OR s.suspended;
