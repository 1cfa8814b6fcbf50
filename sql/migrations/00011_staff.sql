-- Staff: users who may call the admin API by their session, as far as their role goes.

-- +goose Up

-- The row is made together with the user's: nobody who is a user already becomes staff, so no link that support has made
-- for a user can ever open a staff account.
CREATE TABLE staff (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('support', 'admin')),
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON staff TO holdfast_runtime;
