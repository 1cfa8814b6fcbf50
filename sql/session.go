package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/passkey"
)

// sessionRow is a row of sessions with its user.
type sessionRow struct {
	ID              string
	Origin          string
	UserAgent       string     `db:"user_agent"`
	AuthenticatedAt time.Time  `db:"authenticated_at"`
	LastActiveAt    time.Time  `db:"last_active_at"`
	ExpiresAt       time.Time  `db:"expires_at"`
	Passkey         []byte     `db:"credential_id"`
	ToldFrom        *time.Time `db:"told_from"`
	Role            passkey.Role
	Owner           userRow `db:"owner"`
}

const sessionColumns = `s.id, s.origin, s.user_agent, s.authenticated_at, s.last_active_at, s.expires_at, s.credential_id,
	s.told_from, ` + roleColumn + `, u.id AS "owner.id", u.name AS "owner.name", coalesce(u.external_id, '') AS "owner.external_id",
	u.created_at AS "owner.created_at"`

func (r sessionRow) session() passkey.Session {
	return passkey.Session{
		ID:              r.ID,
		User:            r.Owner.user(),
		Role:            r.Role,
		Origin:          r.Origin,
		UserAgent:       r.UserAgent,
		AuthenticatedAt: r.AuthenticatedAt.UTC(),
		LastActiveAt:    r.LastActiveAt.UTC(),
		ExpiresAt:       r.ExpiresAt.UTC(),
		Passkey:         r.Passkey,
		ToldFrom:        utc(r.ToldFrom),
	}
}

const useSession = `
	WITH touched AS (
		UPDATE sessions SET last_active_at = $3
		WHERE user_id = $1 AND token_hash = $2 AND expires_at > $3 AND last_active_at > $4 AND last_active_at <= $5
	)
	SELECT ` + sessionColumns + ` FROM sessions s JOIN users u ON u.id = s.user_id
	WHERE s.user_id = $1 AND s.token_hash = $2 AND s.expires_at > $3 AND s.last_active_at > $4`

// UseSession implements [passkey.SessionStore].
func (p *Passkeys) UseSession(ctx context.Context, key passkey.TokenKey, use passkey.SessionUse) (passkey.Session, error) {
	var row sessionRow
	err := p.useSession.GetContext(brief(ctx), &row, key.User, key.Hash, use.At, use.IdleSince, use.TouchSince)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.Session{}, passkey.ErrUnauthenticated
	}
	if err != nil {
		return passkey.Session{}, failed("select session", err)
	}
	return row.session(), nil
}

// Sessions implements [passkey.SessionStore].
func (p *Passkeys) Sessions(ctx context.Context, user passkey.UserID, now, idleSince time.Time) ([]passkey.Session, error) {
	return list(ctx, p.db, "select sessions", sessionRow.session, `
		SELECT `+sessionColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.user_id = $1 AND s.expires_at > $2 AND s.last_active_at > $3
		ORDER BY s.last_active_at DESC, s.id`, user, now, idleSince)
}

// EndSession implements [passkey.SessionStore].
func (p *Passkeys) EndSession(ctx context.Context, user passkey.UserID, id string) error {
	ended, err := endSessions(ctx, p.db, `user_id = $1 AND id = $2`, user, id)
	if err == nil && len(ended) == 0 {
		return passkey.ErrNotFound
	}
	return err
}

// SessionsLeft implements [passkey.SessionStore].
func (p *Passkeys) SessionsLeft(ctx context.Context, sessions []passkey.SessionKey) ([]string, error) {
	users, ids := make([]string, len(sessions)), make([]string, len(sessions))
	for i, session := range sessions {
		users[i], ids[i] = string(session.User), session.ID
	}
	var left []string
	err := p.db.SelectContext(ctx, &left, `
		SELECT s.id FROM unnest($1::uuid[], $2::uuid[]) AS w (user_id, id) JOIN sessions s USING (user_id, id)`,
		pq.Array(users), pq.Array(ids))
	return left, failed("select sessions", err)
}

// EndOtherSessions implements [passkey.SessionStore]. The user's lock makes it wait for a concurrent addition of a passkey,
// whose session it would otherwise miss.
func (p *Passkeys) EndOtherSessions(ctx context.Context, user passkey.UserID, but string) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := lockUser(ctx, tx, user); err != nil {
			return err
		}
		_, err := endSessions(ctx, tx, `user_id = $1 AND id <> $2`, user, but)
		return err
	})
}

// SignOutUser implements [passkey.SessionStore].
func (p *Passkeys) SignOutUser(ctx context.Context, user passkey.UserID, may func(passkey.Role) error, entry passkey.AuditEntry) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if _, err := findAccount(ctx, tx, user, may); err != nil {
			return err
		}
		if _, err := endSessions(ctx, tx, `user_id = $1`, user); err != nil {
			return err
		}
		return insertEntry(ctx, tx, entry)
	})
}

// endedSessions returns an expression for a statement's WITH clause: ended deletes the sessions that meet the condition.
// The caller must announce their ids.
func endedSessions(condition string) string {
	return `ended AS (
			DELETE FROM sessions WHERE ` + condition + ` RETURNING id, told_from
		)`
}

// endSessions ends the sessions that meet the condition. It returns the told_from times of those sessions: the start of
// what to tell their users.
func endSessions(ctx context.Context, db engine, condition string, args ...any) (toldFrom []stdsql.NullTime, err error) {
	var ended []struct {
		ID       string
		ToldFrom stdsql.NullTime `db:"told_from"`
	}
	statement := `WITH ` + endedSessions(condition) + ` SELECT id, told_from FROM ended` + announcing(db, sessionEndChannel, `id::text`)
	if err := sqlx.SelectContext(ctx, db, &ended, statement, args...); err != nil {
		return nil, failed("end sessions", err)
	}
	ids := make([]string, len(ended))
	for i, session := range ended {
		ids[i], toldFrom = session.ID, append(toldFrom, session.ToldFrom)
	}
	return toldFrom, announced(ctx, db, sessionEndChannel, ids)
}

// announcements are ids of ended sessions that wait to be announced outside the transactions that ended them. PostgreSQL
// serialises the commits of transactions that announce something, each with its wait for disk and standby: too slow for
// sign-ins.
type announcements struct {
	mu      sync.Mutex
	ids     []string
	sending bool
}

// announceEnd soon announces that a session was ended. If that fails, [passkey.Service.RecheckSessions] detects the end.
func (p *Passkeys) announceEnd(id string) {
	p.ends.mu.Lock()
	defer p.ends.mu.Unlock()
	p.ends.ids = append(p.ends.ids, id)
	if !p.ends.sending {
		p.ends.sending = true
		go p.sendAnnouncements()
	}
}

const (
	// announceEnds changes no data, so it need not wait for the disk.
	announceEnds = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('` + sessionEndChannel + `', id) FROM unnest($1::text[]) id`
	// announcePause is how long announcements are collected for one statement.
	announcePause = 10 * time.Millisecond
)

// sendAnnouncements announces all waiting ids at once, and repeats that until none are waiting.
func (p *Passkeys) sendAnnouncements() {
	for {
		time.Sleep(announcePause)
		p.ends.mu.Lock()
		ids := p.ends.ids
		p.ends.ids, p.ends.sending = nil, len(ids) > 0
		p.ends.mu.Unlock()
		if len(ids) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), commitTime)
		_, _ = p.announce.ExecContext(ctx, pq.Array(ids))
		cancel()
	}
}
