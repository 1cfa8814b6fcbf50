-- Staff: users who may call the admin API with their session, within their role.

-- +goose Up

-- The row is created together with the user's: an existing user never becomes staff, so a link that support created for a
-- user can never open a staff account.
CREATE TABLE staff (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('support', 'admin')),
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON staff TO holdfast_runtime;
