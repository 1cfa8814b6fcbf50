// Package sql stores the domains' data in PostgreSQL. It decides nothing: each store implements the Store interface of its
// domain package, whose comments say what is atomic.
//
// The database has two roles. The owner migrates ([Migrate]); the server acts as holdfast_runtime ([Open]), which can
// neither alter the schema nor change or delete the audit trail.
package sql
