package sql

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/passkey"
)

type noteRow struct {
	ID           string
	At           time.Time
	Author, Text string
}

func (r noteRow) note() passkey.Note {
	r.At = r.At.UTC()
	return passkey.Note(r)
}

// Notes implements [passkey.NoteStore].
func (p *Passkeys) Notes(ctx context.Context, user passkey.UserID) ([]passkey.Note, error) {
	return list(ctx, p.db, "select notes", noteRow.note, `
		SELECT id, at, author, text FROM notes WHERE user_id = $1 ORDER BY at DESC, id DESC`, user)
}

// WriteNote implements [passkey.NoteStore]. The lock on the user serializes the writers of notes about them.
func (p *Passkeys) WriteNote(ctx context.Context, user passkey.UserID, note passkey.Note, limit int, entry passkey.AuditEntry) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := findUser(ctx, tx, user); err != nil {
			return err
		}
		var n int
		if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM notes WHERE user_id = $1`, user); err != nil {
			return failed("count notes", err)
		}
		if n >= limit {
			return passkey.ErrTooManyNotes
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO notes (user_id, id, at, author, text) VALUES ($1, $2, $3, $4, $5)`, user, note.ID, note.At, note.Author, note.Text)
		if err != nil {
			return failed("insert note", err)
		}
		return insertEntry(ctx, tx, entry)
	})
}

// DeleteNote implements [passkey.NoteStore].
func (p *Passkeys) DeleteNote(ctx context.Context, user passkey.UserID, id string, entry passkey.AuditEntry) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := findUser(ctx, tx, user); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM notes WHERE user_id = $1 AND id = $2`, user, id)
		none, err := affectedNone(result, failed("delete note", err))
		switch {
		case err != nil:
			return err
		case none:
			return passkey.ErrNotFound
		}
		return insertEntry(ctx, tx, entry)
	})
}
