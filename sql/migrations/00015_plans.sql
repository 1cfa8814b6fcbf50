-- Plans change at once; their holders are raised in batches, by whichever server does the next batch.

-- +goose Up

ALTER TABLE plans
    -- Holders with an id above this have not been raised since the plan's last change. Null: there are none.
    ADD COLUMN raising_after uuid,
    -- Of those, the ones above this hold documents that promise more than the plan now does. Null: none do.
    ADD COLUMN losing_after uuid CHECK (losing_after IS NULL OR raising_after IS NOT NULL);

-- The holders of a plan, in the order in which they are raised.
CREATE INDEX subscriptions_by_holder ON subscriptions (plan, user_id);
DROP INDEX subscriptions_by_plan; -- replaced by the new one
