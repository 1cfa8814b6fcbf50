package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
)

// Clock implements [entitlements.Store].
func (s *Entitlements) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.db.GetContext(ctx, &now, `SELECT clock_timestamp()`)
	return now.UTC(), failed("read clock", err)
}

// TakeBilling implements [entitlements.Store]. Locks are taken in the order subject, customer, catalogue, user, devices. A
// transaction that PostgreSQL ends to resolve a deadlock (see [Entitlements.Update]) starts again.
func (s *Entitlements) TakeBilling(
	ctx context.Context, event billing.Event, at time.Time,
	judge func(known []billing.Event, event billing.Event) ([]entitlements.Billed, error),
) (changed bool, err error) {
	for range maxAttempts {
		err = transact(ctx, s.db, func(tx *sqlx.Tx) (err error) {
			changed, err = takeBilling(ctx, tx, event, at, judge)
			return err
		})
		if !isDeadlock(err) {
			break
		}
	}
	if err != nil {
		return false, err
	}
	return changed, nil
}

func takeBilling(
	ctx context.Context, tx *sqlx.Tx, event billing.Event, at time.Time,
	judge func(known []billing.Event, event billing.Event) ([]entitlements.Billed, error),
) (changed bool, err error) {
	if event.Customer, err = lockCustomer(ctx, tx, event); err != nil {
		return false, err
	}
	if event.Customer == "" {
		return false, keepEvent(ctx, tx, event, at, "")
	}
	known, err := customerEvents(ctx, tx, event)
	if err != nil {
		return false, err
	}
	known, event, ok := billing.Enter(known, event)
	if !ok {
		return false, nil
	}
	all, err := judge(known, event)
	if err != nil {
		return false, err
	}
	var owner entitlements.UserID
	for _, billed := range all {
		user, did, err := bill(ctx, tx, billed, at)
		if err != nil {
			return false, err
		}
		owner, changed = cmp.Or(user, owner), changed || did
	}
	if len(all) > 0 && owner == "" {
		return false, nil
	}
	return changed, keepEvent(ctx, tx, event, at, owner)
}

// lockCustomer holds whoever the event is about until the transaction ends, and returns them; "" where nobody knows. What it
// is about is held too, so that of two events about it the second finds the first: one may tell whose the other is.
func lockCustomer(ctx context.Context, tx *sqlx.Tx, event billing.Event) (customer string, err error) {
	lock := func(kind, name string) error {
		_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "billing "+event.Source+" "+kind+" "+name)
		return failed("lock "+kind, err)
	}
	if err := lock("subject", event.Subject); err != nil {
		return "", err
	}
	if event.Facts.Kind == billing.Snapshot {
		return event.Customer, lock("customer", event.Customer)
	}
	if event.Customer != "" {
		_, err := tx.ExecContext(ctx, `UPDATE billing_events SET customer = $3 WHERE source = $1 AND subject = $2 AND customer = ''`,
			event.Source, event.Subject, event.Customer)
		if err != nil {
			return "", failed("tell customer", err)
		}
		return event.Customer, lock("customer", event.Customer)
	}
	err = tx.GetContext(ctx, &customer, `
		SELECT customer FROM billing_events WHERE source = $1 AND subject = $2 AND customer <> '' LIMIT 1`, event.Source, event.Subject)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", failed("find customer", err)
	}
	return customer, lock("customer", customer)
}

const eventColumns = `source, id, customer, subject, at, rank, facts`

// customerEvents reads the events of the customer, those about the same subscription, which may have changed hands, and
// whatever has the event's id.
func customerEvents(ctx context.Context, tx *sqlx.Tx, event billing.Event) ([]billing.Event, error) {
	var rows []eventRow
	err := tx.SelectContext(ctx, &rows, `
		SELECT `+eventColumns+` FROM billing_events WHERE source = $1 AND (customer = $2 OR subject = $3 OR id = $4)`,
		event.Source, event.Customer, event.Subject, event.ID)
	if err != nil {
		return nil, failed("read billing events", err)
	}
	return events(rows), nil
}

// bill changes the account of whoever is billed, and says who that is and whether anything has changed. Where there is
// nothing to change it may be nobody.
func bill(ctx context.Context, tx *sqlx.Tx, b entitlements.Billed, at time.Time) (entitlements.UserID, bool, error) {
	var user entitlements.UserID
	err := tx.GetContext(ctx, &user, `SELECT id FROM users WHERE id = nullif($1, '')::uuid OR external_id = nullif($2, '')`,
		string(b.User), b.ExternalID)
	switch {
	case errors.Is(err, stdsql.ErrNoRows) && b.Change == nil:
		return "", false, nil
	case errors.Is(err, stdsql.ErrNoRows):
		return "", false, entitlements.ErrUserUnknown
	case err != nil:
		return "", false, failed("find user", err)
	case b.Change == nil:
		return user, false, nil
	}
	account, err := lockAccount(ctx, tx, user, at)
	if errors.Is(err, entitlements.ErrNotFound) { // erased at this moment
		return "", false, entitlements.ErrUserUnknown
	}
	if err != nil {
		return "", false, err
	}
	change, err := b.Change(account)
	if err != nil || len(change.Audit) == 0 {
		return user, false, err
	}
	_, err = apply(ctx, tx, account, at, change)
	return user, true, err
}

// keepEvent keeps an event, as its owner's where it is known whose it is. What is nobody's after a month, which is ten
// times as long as any system tries, has to do with nobody here.
func keepEvent(ctx context.Context, tx *sqlx.Tx, e billing.Event, at time.Time, owner entitlements.UserID) error {
	facts, err := json.Marshal(e.Facts)
	if err != nil {
		return fmt.Errorf("keep billing event: %w", err)
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO billing_events AS kept (source, id, customer, subject, at, rank, facts, received_at, user_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, '')::uuid)
		ON CONFLICT (source, id) DO UPDATE SET at = excluded.at, rank = excluded.rank, facts = excluded.facts
		WHERE kept.customer = excluded.customer`,
		e.Source, e.ID, e.Customer, e.Subject, e.At, e.Rank, string(facts), at, string(owner))
	if violated := pq.As(err, pqerror.ForeignKeyViolation); violated != nil {
		return entitlements.ErrUserUnknown
	}
	if err != nil {
		return failed("keep billing event", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(entitlements.ErrConflict, failed("keep billing event", err)) // at this moment, as another customer's
	}
	if owner != "" {
		_, err = tx.ExecContext(ctx, `UPDATE billing_events SET user_id = $3 WHERE source = $1 AND customer = $2 AND user_id IS NULL`,
			e.Source, e.Customer, owner)
		return failed("own billing events", err)
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM billing_events WHERE (source, id) IN (
			SELECT source, id FROM billing_events WHERE user_id IS NULL AND received_at < $1::timestamptz - interval '30 days'
			LIMIT 100 FOR UPDATE SKIP LOCKED)`, at)
	return failed("drop old billing events", err)
}

// BillingEvents implements [entitlements.Store].
func (s *Entitlements) BillingEvents(ctx context.Context, user entitlements.UserID) ([]billing.Event, error) {
	var rows []eventRow
	err := s.db.SelectContext(ctx, &rows, `SELECT `+eventColumns+` FROM billing_events WHERE user_id = $1 ORDER BY received_at, id`, user)
	if err != nil {
		return nil, failed("read billing events", err)
	}
	return events(rows), nil
}

type eventRow struct {
	Source, ID, Customer, Subject string
	At                            time.Time
	Rank                          int
	Facts                         jsonColumn[billing.Facts]
}

func events(rows []eventRow) []billing.Event {
	all := make([]billing.Event, len(rows))
	for i, r := range rows {
		all[i] = billing.Event{Source: r.Source, ID: r.ID, Customer: r.Customer, Subject: r.Subject, At: r.At.UTC(), Rank: r.Rank, Facts: r.Facts.V}
	}
	return all
}
