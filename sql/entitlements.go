package sql

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
)

// Entitlements is the PostgreSQL [entitlements.Store]. Its methods are in files named for what they are about: change.go,
// device.go, plan.go, status.go and so on.
type Entitlements struct {
	db             *sqlx.DB
	standing, step *sqlx.Stmt
}

var _ entitlements.Store = (*Entitlements)(nil)

// NewEntitlements prepares the two statements that every reconcile runs.
func NewEntitlements(ctx context.Context, db *sqlx.DB) (*Entitlements, error) {
	s := &Entitlements{db: db}
	for statement, text := range map[**sqlx.Stmt]string{&s.standing: readStanding, &s.step: storeStep} {
		var err error
		if *statement, err = db.PreparexContext(ctx, text); err != nil {
			return nil, failed("prepare reconcile", err)
		}
	}
	return s, nil
}

// Secret implements [entitlements.Store].
func (s *Entitlements) Secret(ctx context.Context, name string, candidate []byte) ([]byte, error) {
	return secret(ctx, s.db, name, candidate)
}

// secret returns the secret with that name. If there is none, it stores the candidate and returns that.
func secret(ctx context.Context, db *sqlx.DB, name string, candidate []byte) ([]byte, error) {
	_, err := db.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, candidate)
	if err != nil {
		return nil, failed("store secret", err)
	}
	var value []byte
	if err := db.GetContext(ctx, &value, `SELECT value FROM secrets WHERE name = $1`, name); err != nil {
		return nil, failed("read secret", err)
	}
	return value, nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// jsonColumn scans a column of JSON.
type jsonColumn[T any] struct{ V T }

// Scan implements database/sql's Scanner.
func (c *jsonColumn[T]) Scan(value any) error {
	text, ok := value.([]byte)
	if !ok {
		return fmt.Errorf("a column of JSON is %T", value)
	}
	return c.UnmarshalJSON(text)
}

// UnmarshalJSON implements [json.Unmarshaler], for a column within a row that is JSON itself.
func (c *jsonColumn[T]) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &c.V) }
