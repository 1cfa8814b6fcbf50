-- For users whose subscription support has ended: since when.

-- +goose Up

-- When support revoked or suspended it; null if it did neither, or did so under the previous version of the program: then
-- the time of the last change is shown.
ALTER TABLE subscriptions ADD COLUMN withdrawn_at timestamptz;

UPDATE subscriptions s SET withdrawn_at = (
    SELECT max(a.at) FROM audit a
    WHERE a.user_id = s.user_id AND a.object = 'subscription:' || s.id
        AND a.action = CASE WHEN s.revoked THEN 'subscription.revoke' ELSE 'subscription.suspend' END
) WHERE s.revoked OR s.suspended;
