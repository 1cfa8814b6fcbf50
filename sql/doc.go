// Package sql stores the domains' data in PostgreSQL. It decides nothing: each store implements the Store interface of its
// domain package, whose comments say what is atomic.
//
// The database has two roles. The owner migrates ([Migrate]); the server acts as holdfast_runtime ([Open]), which can
// neither alter the schema nor change or delete the audit trail.
//
// Besides rows, requests lock four things, none of them in a sign-in or an ordinary reconcile: a change of an account shares
// an advisory lock with all others, for which it waits only while a changed plan begins to be rolled out; a billing event
// takes advisory locks of its customer; a keyset that is served for the first time locks the table of keysets; the removal of
// a staff member locks the table of staff. Only
// background tasks use SKIP LOCKED: housekeeping, the outbox and the rollout of plans. Housekeeping, and the events of passing
// time (UpdateDue), try an advisory lock that admits one server.
package sql
