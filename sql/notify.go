package sql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// What is announced on: a changed status, a changed plan, and webhooks to send, with nothing; a user's new revision, as
// "<user> <revision>"; a session that was ended before its time, as its id. PostgreSQL delivers when the transaction commits,
// and not if it does not. The end of a session that a sign-in replaces is announced apart from it: see announcements.
const (
	statusChannel     = "holdfast_status"
	planChannel       = "holdfast_plan"
	webhookChannel    = "holdfast_webhook"
	revisionChannel   = "holdfast_revision"
	sessionEndChannel = "holdfast_session_end"
)

// notify announces something that needs no words. Several times in a transaction are one.
func notify(ctx context.Context, tx *sqlx.Tx, channel string) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, '')`, channel)
	return failed("notify", err)
}

// How soon a lost connection is made anew, and how long at most until the next attempt.
const (
	listenAgain     = 100 * time.Millisecond
	listenAgainMost = 2 * time.Second
)

// How often the listening connection is pinged, and how long nothing may be heard on it until it counts as lost.
const (
	listenPing    = 3 * time.Second
	listenSilence = 2 * listenPing
)

// Audience is who hears what is announced. What takes long has to be done elsewhere: each call holds up the next ones.
type Audience struct {
	// Status: the status of some document may have changed.
	Status func()
	// Plan: some plan may have changed, so that its holders are to be raised.
	Plan func()
	// Webhook: there may be webhooks to send.
	Webhook func()
	// Revision: the user has this revision now.
	Revision func(user entitlements.UserID, revision int64)
	// SessionEnd: the session of that id was ended.
	SessionEnd func(id string)
	// Missed: revisions and ends of sessions may have gone by unheard, so that they have to be read. It is called apart
	// from the others, one call at a time, and again until it returns nil.
	Missed func(context.Context) error
}

// Listen lets the audience hear what changes in the database at url, by whatever server, until ctx ends: soon after the
// change has been committed, never before. It has one connection of its own, which it replaces when it is lost or silent;
// Missed is for what was committed in between. It is called at first, too.
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
	listener := pq.NewDialListener(listenDialer{newDialer()}, address, listenAgain, listenAgainMost, nil)
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	go func() {
		for _, channel := range []string{statusChannel, planChannel, webhookChannel, revisionChannel, sessionEndChannel} {
			// It fails when the server refuses, as a standby does, and when the listener is closed.
			for listener.Listen(channel) != nil && pause(ctx, listenAgainMost) {
			}
		}
		mayHaveMissed()
	}()
	go func() {
		for announced := range listener.Notify { // closed with the listener
			if announced == nil { // a new connection, which listens already
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

// ping makes the server say something. If it does not within listenSilence, the listener takes a new connection.
func ping(listener *pq.Listener) {
	defer func() { _ = recover() }() // the driver panics if the server answers with an error, such as a cancelled statement
	_ = listener.Ping()
}

// listenDialer makes connections that fail when nothing is heard on them for listenSilence. TCP itself does not notice
// a proxy that acknowledges every packet and passes none on.
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
	case revisionChannel:
		user, number, _ := strings.Cut(text, " ")
		if revision, err := strconv.ParseInt(number, 10, 64); err == nil {
			a.Revision(entitlements.UserID(user), revision)
		}
	case sessionEndChannel:
		a.SessionEnd(text)
	}
}

// catchUp calls read for every value on missed until it succeeds.
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

// signal puts a value on a channel that holds one, unless one is there.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits. It returns false, at once, when ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// listenAddress is url with the settings that [Open] makes and that matter here.
func listenAddress(url string) (string, error) {
	config, err := pq.NewConfig(url)
	if err != nil {
		_, err = parse(url) // whose error shows no password
		return "", errors.Join(err)
	}
	var settings []string
	if config.ConnectTimeout == 0 {
		settings = append(settings, fmt.Sprintf("connect_timeout=%d", connectTime/time.Second))
	}
	if config.TargetSessionAttrs == "" {
		settings = append(settings, "target_session_attrs=read-write")
	}
	if len(settings) == 0 {
		return url, nil
	}
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return strings.TrimSpace(url + " " + strings.Join(settings, " ")), nil
	}
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return url + separator + strings.Join(settings, "&"), nil
}
