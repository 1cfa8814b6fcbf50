package sql

import "holdfast/passkey"

// FindUsers is the statement of [Passkeys.FindUsers] and its arguments, for EXPLAIN.
func FindUsers(search passkey.UserSearch) (string, []any) { return findUsers, findUsersArgs(search) }
