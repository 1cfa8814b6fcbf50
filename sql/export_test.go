package sql

import "holdfast/passkey"

// FindUsers is the statement of [Passkeys.FindUsers] and its arguments, for EXPLAIN.
func FindUsers(search passkey.UserSearch) (string, []any) { return findUsers, findUsersArgs(search) }

// HoldersAtOnce is how many users are raised in one transaction.
const HoldersAtOnce = holdersAtOnce

// ListGaps is the statement of [Entitlements.Gaps], for EXPLAIN: $1 is the id that they come before, $2 how many.
const ListGaps = listGaps
