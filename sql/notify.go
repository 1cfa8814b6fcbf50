package sql

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// Channels. Changed statuses, changed plans and due webhooks are announced without a payload; a user's new revision as
// "<user> <revision>", the position of their last action likewise; a session that was ended early as its id. PostgreSQL delivers an announcement when its transaction
// commits, and drops it on a rollback. The end of a session that a sign-in replaces is announced in a separate transaction:
// see announcements.
const (
	statusChannel     = "holdfast_status"
	planChannel       = "holdfast_plan"
	webhookChannel    = "holdfast_webhook"
	revisionChannel   = "holdfast_revision"
	sessionEndChannel = "holdfast_session_end"
	actionChannel     = "holdfast_action"
)

// notify announces on a channel without a payload. PostgreSQL delivers duplicates within a transaction once.
func notify(ctx context.Context, tx *sqlx.Tx, channel string) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, '')`, channel)
	return failed("notify", err)
}

// announcing returns an item for the FROM clause of a statement that changes users' rows: it announces the SQL expression
// text for each row. With Citus it is empty, because the statement runs on the users' node, where nobody listens: the caller
// must call announced afterwards.
func announcing(db engine, channel, text string) string {
	if distributed(db) {
		return ""
	}
	return `, pg_notify('` + channel + `', ` + text + `)`
}

// announced announces texts on a channel if announcing did not.
func announced(ctx context.Context, db engine, channel string, texts []string) error {
	if !distributed(db) || len(texts) == 0 {
		return nil
	}
	_, err := db.ExecContext(ctx, `SELECT pg_notify($1, text) FROM unnest($2::text[]) text`, channel, pq.Array(texts))
	return failed("notify", err)
}

// The first and the longest delay before a lost connection is replaced.
const (
	listenAgain     = 100 * time.Millisecond
	listenAgainMost = 2 * time.Second
)

// The interval of pings on the listening connection, and how long it may stay silent before it counts as lost.
const (
	listenPing    = 3 * time.Second
	listenSilence = 2 * listenPing
)

// Audience receives announcements. Its functions must return quickly, because each call delays the next ones.
type Audience struct {
	// Status is called when the status of some document may have changed.
	Status func()
	// Plan is called when some plan may have changed, so that its holders must be raised.
	Plan func()
	// Webhook is called when webhooks may be due.
	Webhook func()
	// Revision is called with a user's new revision.
	Revision func(user entitlements.UserID, revision int64)
	// Action is called with the position of a user's last action.
	Action func(user entitlements.UserID, position int64)
	// SessionEnd is called with the id of a session that was ended.
	SessionEnd func(id string)
	// Listening is called with whether there is a connection that listens, when that changes. Optional.
	Listening func(bool)
	// Missed is called when announcements of revisions, actions and ends of sessions may have been lost, so that they must be read.
	// It runs concurrently with the other functions, one call at a time, and is repeated until it returns nil.
	Missed func(context.Context) error
}

// Listen passes announcements of committed changes in the database at url, made by any server, to the audience until ctx
// ends. It has its own connection and replaces it when it is lost or silent; Missed then covers the changes in between.
// Listen calls Missed at the start, too.
func Listen(ctx context.Context, url string, audience Audience) error {
	address, err := listenAddress(url)
	if err != nil {
		return err
	}
	missed := make(chan struct{}, 1)
	mayHaveMissed := func() {
		audience.Status()
		audience.Plan()
		audience.Webhook()
		signal(missed)
	}
	listener := pq.NewDialListener(listenDialer{newDialer()}, address, listenAgain, listenAgainMost, func(event pq.ListenerEventType, _ error) {
		if audience.Listening != nil {
			audience.Listening(event == pq.ListenerEventConnected || event == pq.ListenerEventReconnected)
		}
	})
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	go func() {
		for _, channel := range []string{statusChannel, planChannel, webhookChannel, revisionChannel, actionChannel, sessionEndChannel} {
			// Listen fails if the server refuses it, as a standby does, and when the listener is closed.
			for listener.Listen(channel) != nil && pause(ctx, listenAgainMost) {
			}
		}
		mayHaveMissed()
	}()
	go func() {
		for announced := range listener.Notify { // closed with the listener
			if announced == nil { // nil marks a new connection, which listens already
				mayHaveMissed()
				continue
			}
			audience.hear(announced.Channel, announced.Extra)
		}
	}()
	go func() {
		for pause(ctx, listenPing) {
			ping(listener)
		}
	}()
	go catchUp(ctx, missed, audience.Missed)
	return nil
}

// ping makes the server send something. If it does not within listenSilence, the listener makes a new connection.
func ping(listener *pq.Listener) {
	defer func() { _ = recover() }() // the driver panics on an error from the server, such as a cancelled statement
	_ = listener.Ping()
}

// listenDialer makes connections that fail after hearing nothing for listenSilence. TCP itself does not notice a proxy that
// acknowledges every packet and forwards none.
type listenDialer struct{ *dialer }

// DialContext implements [pq.DialerContext].
func (d listenDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	made, err := d.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &audible{Conn: made}, nil
}

// audible is a connection of a [listenDialer].
type audible struct {
	net.Conn
	deadline time.Time // of the handshake; zero afterwards
}

// SetDeadline implements [net.Conn].
func (a *audible) SetDeadline(deadline time.Time) error {
	a.deadline = deadline
	return a.Conn.SetDeadline(deadline)
}

// Read implements [net.Conn].
func (a *audible) Read(p []byte) (int, error) {
	if a.deadline.IsZero() {
		if err := a.SetReadDeadline(time.Now().Add(listenSilence)); err != nil {
			return 0, err
		}
	}
	return a.Conn.Read(p)
}

func (a Audience) hear(channel, text string) {
	switch channel {
	case statusChannel:
		a.Status()
	case planChannel:
		a.Plan()
	case webhookChannel:
		a.Webhook()
	case revisionChannel, actionChannel:
		user, number, _ := strings.Cut(text, " ")
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil:
		case channel == actionChannel:
			a.Action(entitlements.UserID(user), n)
		default:
			a.Revision(entitlements.UserID(user), n)
		}
	case sessionEndChannel:
		a.SessionEnd(text)
	}
}

// catchUp calls read for every value on missed, and repeats it until it succeeds.
func catchUp(ctx context.Context, missed chan struct{}, read func(context.Context) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-missed:
		}
		if read(ctx) != nil && pause(ctx, listenAgainMost/2) {
			signal(missed)
		}
	}
}

// signal puts a value on a channel of capacity one, unless it is full.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for d. It returns false at once when ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
