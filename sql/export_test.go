package sql

import (
	"context"

	"github.com/pressly/goose/v3"

	"holdfast/passkey"
)

// FindUsers returns the statement of [Passkeys.FindUsers] and its arguments, for EXPLAIN.
func FindUsers(search passkey.UserSearch) (string, []any) { return findUsersQuery(search) }

// FewUsers is how many users a name may match to be sorted for one page.
const FewUsers = fewUsers

// SignInStatement returns the second statement of a sign-in.
func SignInStatement() string { return signIn }

// Sweep runs one round of KeepHouse.
var Sweep = sweep

// HousekeepingBatch is how many rows KeepHouse deletes in one transaction.
const HousekeepingBatch = housekeepingBatch

// Swept returns the tables that KeepHouse sweeps.
func Swept() (tables []string) {
	for _, h := range housekeeping {
		tables = append(tables, h.table)
	}
	return append(tables, "status_entries")
}

// HoldersAtOnce is how many users are raised in one transaction.
const HoldersAtOnce = holdersAtOnce

// ListGaps is the statement of [Entitlements.Gaps], for EXPLAIN: $1 is the id before which to start, $2 the limit.
const ListGaps = listGaps

// MigrateTo migrates up to a version, to get the schema of an earlier program.
func MigrateTo(ctx context.Context, url string, version int64) error {
	return migrate(ctx, url, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) {
		return p.UpTo(ctx, version)
	})
}

// Abort closes the socket of a driver's connection.
func Abort(driverConn any) { driverConn.(*conn).socket.abort() }

// ReadStanding is the statement of [Entitlements.Standing].
const ReadStanding = readStanding

// GiveIndices is the statement that gives devices new status indices, for EXPLAIN.
const GiveIndices = giveIndices

// StoreStep is the statement of [Entitlements.Step], for EXPLAIN.
const StoreStep = storeStep

// Brief makes the context of the statements on the hot paths.
var Brief = brief

// AuditQuery returns the statement of [Entitlements.Audit] and its arguments, for EXPLAIN.
var AuditQuery = auditQuery

// CheckAge judges a server_version_num.
var CheckAge = checkAge
