package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/passkey"
)

// Clock implements [entitlements.Store].
func (s *Entitlements) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.db.GetContext(ctx, &now, `SELECT clock_timestamp()`)
	return now.UTC(), failed("read clock", err)
}

// TakeBilling implements [entitlements.Store]. Locks are taken in the order ties, customer, catalogue, users, devices.
func (s *Entitlements) TakeBilling(
	ctx context.Context, event billing.Event, at time.Time,
	judge func(known []billing.Event, event billing.Event) ([]entitlements.Billed, error),
) (outcome entitlements.BillingOutcome, err error) {
	err = transact(ctx, s.db, func(tx *sqlx.Tx) (err error) {
		outcome, err = takeBilling(ctx, tx, event, at, judge)
		return err
	})
	if err != nil {
		return "", err
	}
	return outcome, nil
}

func takeBilling(
	ctx context.Context, tx *sqlx.Tx, event billing.Event, at time.Time,
	judge func(known []billing.Event, event billing.Event) ([]entitlements.Billed, error),
) (entitlements.BillingOutcome, error) {
	var err error
	if event.Customer, err = lockCustomer(ctx, tx, event); err != nil {
		return "", err
	}
	var all []entitlements.Billed
	if event.Customer != "" {
		known, err := customerEvents(ctx, tx, event)
		if err != nil {
			return "", err
		}
		var ok bool
		if known, event, ok = billing.Enter(known, event); !ok {
			return entitlements.BillingUnchanged, nil
		}
		if all, err = judge(known, event); err != nil {
			return "", err
		}
	}
	outcome, owner := entitlements.BillingUnchanged, entitlements.UserID("")
	for _, billed := range all {
		user, did, err := bill(ctx, tx, billed, at)
		switch {
		case err != nil:
			return "", err
		case user == "":
			if billed.Change != nil {
				outcome = entitlements.BillingUnclaimed
			}
			continue
		case did && outcome != entitlements.BillingUnclaimed:
			outcome = entitlements.BillingApplied
		}
		owner = user
		if err := ownEvents(ctx, tx, event, billed.Subscription, user); err != nil {
			return "", err
		}
	}
	if owner != "" {
		return outcome, keepEvent(ctx, tx, event, at, owner)
	}
	switch erased, err := isErased(ctx, tx, event); {
	case err != nil:
		return "", err
	case erased:
		return entitlements.BillingErased, nil
	case slices.ContainsFunc(all, func(b entitlements.Billed) bool { return b.Change != nil && string(b.User)+b.ExternalID != "" }):
		return "", entitlements.ErrUserUnknown
	}
	return outcome, keepEvent(ctx, tx, event, at, "")
}

// lockCustomer returns the customer of an event, or "" if no event names one, and locks the customer until the transaction
// ends. It locks the event's ties too, so that the later of two concurrent events with a common tie sees the earlier one.
// If the event names the customer, all events tied to it get that customer.
func lockCustomer(ctx context.Context, tx *sqlx.Tx, event billing.Event) (customer string, err error) {
	lock := func(kind, name string) error {
		_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "billing "+event.Source+" "+kind+" "+name)
		return failed("lock "+kind, err)
	}
	ties, err := looseTies(ctx, tx, event)
	if err != nil {
		return "", err
	}
	for _, tie := range ties { // in a fixed order, to avoid deadlocks
		if err := lock("tie", tie); err != nil {
			return "", err
		}
	}
	if customer = event.Customer; customer == "" {
		err = tx.GetContext(ctx, &customer, `
			SELECT customer FROM billing_events WHERE source = $1 AND ties && $2 AND customer <> '' ORDER BY customer LIMIT 1`,
			event.Source, pq.Array(ties))
		if errors.Is(err, stdsql.ErrNoRows) {
			return "", nil
		}
		if err != nil {
			return "", failed("find customer", err)
		}
	}
	if err := lock("customer", customer); err != nil {
		return "", err
	}
	for held, next := ties, ties; len(next) > 0; { // new ties may have appeared meanwhile
		var told []pq.StringArray
		err := tx.SelectContext(ctx, &told, `
			UPDATE billing_events SET customer = $3 WHERE source = $1 AND ties && $2 AND customer = '' RETURNING ties`,
			event.Source, pq.Array(next), customer)
		if err != nil {
			return "", failed("tell customer", err)
		}
		next = nil
		for _, tie := range slices.Concat(told...) {
			if slices.Contains(held, tie) {
				continue
			}
			if err := lock("tie", tie); err != nil {
				return "", err
			}
			held, next = append(held, tie), append(next, tie)
		}
	}
	return customer, nil
}

// looseTies returns, sorted, the ties of an event and of all events tied to it whose customer is unknown.
func looseTies(ctx context.Context, tx *sqlx.Tx, event billing.Event) ([]string, error) {
	ties := event.Ties()
	for {
		var found []pq.StringArray
		err := tx.SelectContext(ctx, &found, `SELECT ties FROM billing_events WHERE source = $1 AND ties && $2 AND customer = ''`,
			event.Source, pq.Array(ties))
		if err != nil {
			return nil, failed("find ties", err)
		}
		all := slices.Clone(ties)
		for _, more := range found {
			all = append(all, more...)
		}
		slices.Sort(all)
		if all = slices.Compact(all); len(all) == len(ties) {
			return ties, nil
		}
		ties = all
	}
}

const eventColumns = `source, id, customer, subject, at, rank, facts`

// customerEvents reads the customer's events, the events that share a tie with the event (possibly another customer's), and
// the event with the same id.
func customerEvents(ctx context.Context, tx *sqlx.Tx, event billing.Event) ([]billing.Event, error) {
	return list(ctx, tx, "read billing events", eventRow.event, `
		SELECT `+eventColumns+` FROM billing_events WHERE source = $1 AND (customer = $2 OR ties && $3 OR id = $4)`,
		event.Source, event.Customer, pq.Array(event.Ties()), event.ID)
}

// bill changes the account of the billed user, and that of the subscription's former owner. It returns the billed user, or
// "" if there is none, and whether anything has changed.
func bill(ctx context.Context, tx *sqlx.Tx, b entitlements.Billed, at time.Time) (entitlements.UserID, bool, error) {
	user, err := findBilled(ctx, tx, b)
	if err != nil || user == "" {
		return "", false, err
	}
	if b.Change == nil { // the event becomes the user's, so a concurrent erasure must wait
		err := findUser(ctx, tx, passkey.UserID(user))
		if errors.Is(err, passkey.ErrNotFound) {
			err = entitlements.ErrUserUnknown
		}
		return user, false, err
	}
	holder := user
	err = tx.GetContext(ctx, &holder, `SELECT user_id FROM directory WHERE kind = $1 AND key = $2`, subscriptionKey, b.Subscription)
	if err != nil && !errors.Is(err, stdsql.ErrNoRows) {
		return "", false, failed("find subscription", err)
	}
	accounts := map[entitlements.UserID]*entitlements.Account{}
	for _, id := range slices.Sorted(slices.Values([]entitlements.UserID{user, holder})) {
		account, err := lockAccount(ctx, tx, id, "", at)
		if errors.Is(err, entitlements.ErrNotFound) { // erased just now
			return "", false, entitlements.ErrUserUnknown
		}
		if err != nil {
			return "", false, err
		}
		accounts[id] = &account
	}
	had := accounts[holder]
	if holder == user {
		had = nil
	}
	gains, loses, err := b.Change(*accounts[user], had)
	if err != nil {
		return "", false, err
	}
	if len(loses.Audit) > 0 {
		if _, err := apply(ctx, tx, *had, at, loses); err != nil {
			return "", false, err
		}
	}
	if len(gains.Audit) == 0 {
		return user, false, nil
	}
	_, err = apply(ctx, tx, *accounts[user], at, gains)
	return user, true, err
}

// findBilled returns the billed user, or "" if there is none.
func findBilled(ctx context.Context, tx *sqlx.Tx, b entitlements.Billed) (user entitlements.UserID, err error) {
	const external = ` FROM directory WHERE kind = '` + externalKey + `' AND key IN ($2, $3)`
	query, arguments := `SELECT id FROM users WHERE id = nullif($1, '')::uuid UNION ALL SELECT user_id`+external, []any{string(b.User), b.ExternalID, ""}
	if string(b.User)+b.ExternalID == "" {
		var id any
		if parsed, err := uuid.Parse(b.Reference); err == nil && strings.EqualFold(parsed.String(), b.Reference) {
			id = parsed
		}
		query, arguments = `
			SELECT id FROM (
				SELECT id, 1 AS place FROM users WHERE id = $1::uuid
				UNION ALL SELECT user_id, CASE key WHEN $2 THEN 2 ELSE 3 END`+external+`
			) found ORDER BY place LIMIT 1`, []any{id, b.Reference, b.Customer}
	}
	err = tx.GetContext(ctx, &user, query, arguments...)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", nil
	}
	return user, failed("find user", err)
}

// ownEvents assigns the events of a subscription to its user, including those of a former owner.
func ownEvents(ctx context.Context, tx *sqlx.Tx, event billing.Event, subscription entitlements.SubscriptionID, user entitlements.UserID) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE billing_events SET user_id = $4
		WHERE source = $1 AND customer = $2 AND (user_id IS NULL OR ties @> ARRAY[$3::text] AND user_id <> $4)`,
		event.Source, event.Customer, subscription, user)
	return failed("own billing events", err)
}

// keepEvent stores an event, with its owner if known.
func keepEvent(ctx context.Context, tx *sqlx.Tx, e billing.Event, at time.Time, owner entitlements.UserID) error {
	facts, err := json.Marshal(e.Facts)
	if err != nil {
		return fmt.Errorf("keep billing event: %w", err)
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO billing_events AS kept (source, id, customer, subject, ties, at, rank, facts, received_at, user_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, '')::uuid)
		ON CONFLICT (source, id) DO UPDATE SET at = excluded.at, rank = excluded.rank, facts = excluded.facts, ties = excluded.ties
		WHERE kept.customer = excluded.customer`,
		e.Source, e.ID, e.Customer, e.Subject, pq.Array(e.Ties()), e.At, e.Rank, string(facts), at, string(owner))
	if err != nil {
		return failed("keep billing event", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(entitlements.ErrConflict, failed("keep billing event", err)) // just stored for another customer
	}
	return nil
}

// erasedDigest returns SQL for the digest of an id that is kept when its account is erased: a hash under a key that only
// the database has.
func erasedDigest(id string) string {
	return `sha256((SELECT value FROM secrets WHERE name = 'billing-erased') || convert_to(` + id + `, 'UTF8'))`
}

// rememberErased stores a digest of every id under which billing systems may still report about an erased user.
var rememberErased = `
	INSERT INTO billing_erased (digest)
	SELECT DISTINCT ` + erasedDigest("id") + ` FROM (
		SELECT $1::text UNION SELECT external_id FROM users WHERE id = $1::uuid UNION SELECT id FROM subscriptions WHERE user_id = $1::uuid
		UNION SELECT customer FROM billing_events WHERE user_id = $1::uuid UNION SELECT unnest(ties) FROM billing_events WHERE user_id = $1::uuid) ids (id)
	WHERE id <> '' ON CONFLICT DO NOTHING`

// isErased reports whether an id in the event belonged to an erased account.
func isErased(ctx context.Context, tx *sqlx.Tx, e billing.Event) (erased bool, err error) {
	ids := append(e.Ties(), e.Customer, strings.ToLower(e.Facts.User), e.Facts.ExternalID, e.Facts.Reference)
	err = tx.GetContext(ctx, &erased, `
		SELECT EXISTS (SELECT FROM unnest($1::text[]) id JOIN billing_erased ON digest = `+erasedDigest("id")+`)`, pq.Array(ids))
	return erased, failed("look for what is erased", err)
}

// UnclaimedBilling implements [entitlements.Store].
func (s *Entitlements) UnclaimedBilling(ctx context.Context, source string) ([]billing.Event, error) {
	return list(ctx, s.db, "read unclaimed billing events", eventRow.event, `
		WITH nobodys AS (
			SELECT * FROM billing_events WHERE source = $1 AND user_id IS NULL AND facts->>'kind' = 'snapshot'
		), named AS MATERIALIZED ( -- customers, with the external ids that they may have
			SELECT customer, customer AS key FROM nobodys
			UNION SELECT customer, facts->>'reference' FROM billing_events
			WHERE source = $1 AND facts->>'kind' = 'checkout' AND customer IN (SELECT customer FROM nobodys)
		), known AS MATERIALIZED (
			SELECT key FROM directory WHERE kind = '`+externalKey+`' AND key IN (SELECT key FROM named)
		)
		SELECT DISTINCT ON (subject) `+eventColumns+` FROM nobodys
		WHERE customer IN (SELECT customer FROM named JOIN known USING (key)) ORDER BY subject, at`, source)
}

// BillingEvents implements [entitlements.Store].
func (s *Entitlements) BillingEvents(ctx context.Context, user entitlements.UserID) ([]billing.Event, error) {
	return list(ctx, s.db, "read billing events", eventRow.event,
		`SELECT `+eventColumns+` FROM billing_events WHERE user_id = $1 ORDER BY received_at, id`, user)
}

type eventRow struct {
	Source, ID, Customer, Subject string
	At                            time.Time
	Rank                          int
	Facts                         jsonColumn[billing.Facts]
}

func (r eventRow) event() billing.Event {
	return billing.Event{Source: r.Source, ID: r.ID, Customer: r.Customer, Subject: r.Subject, At: r.At.UTC(), Rank: r.Rank, Facts: r.Facts.V}
}
