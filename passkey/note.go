package passkey

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxNotes is how many notes there can be about a user.
const MaxNotes = 100

const maxNote = 2000 // characters

// Note is what support has written down about a user. It is personal data of that user: the export of the account contains
// it, and the erasure deletes it.
type Note struct {
	ID     string
	At     time.Time
	Author string // as the audit trail names actors
	Text   string
}

// NoteStore stores the notes about users.
type NoteStore interface {
	// Notes returns the notes about the user, newest first; none if the user does not exist.
	Notes(ctx context.Context, user UserID) ([]Note, error)

	// WriteNote stores the note and the audit entry. It returns ErrNotFound if the user does not exist, and ErrTooManyNotes
	// if there are limit notes about the user: concurrent calls never exceed it.
	WriteNote(ctx context.Context, user UserID, note Note, limit int, entry AuditEntry) error

	// DeleteNote deletes the note and stores the audit entry, or returns ErrNotFound if the user has no such note.
	DeleteNote(ctx context.Context, user UserID, id string, entry AuditEntry) error
}

// Notes returns the notes about the user, newest first.
func (s *Service) Notes(ctx context.Context, user UserID) ([]Note, error) {
	notes, err := s.store.Notes(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	return notes, nil
}

// WriteNote adds a note about the user. The audit trail names the note and its author, and never holds its text. It returns
// ErrNotFound, ErrTooManyNotes, or ErrInvalid for the text.
func (s *Service) WriteNote(ctx context.Context, agent Agent, user UserID, text string) (Note, error) {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n == 0 || n > maxNote || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return Note{}, fmt.Errorf("%w text: must have 1 to %d characters", ErrInvalid, maxNote)
	}
	now := s.now()
	id, err := s.newID()
	if err != nil {
		return Note{}, err
	}
	note := Note{ID: id, At: now, Author: agent.Actor, Text: text}
	err = s.store.WriteNote(ctx, user, note, MaxNotes, agent.noteEntry(now, "note.written", user, id))
	if err != nil {
		return Note{}, fmt.Errorf("write note: %w", err)
	}
	return note, nil
}

// DeleteNote deletes a note about the user. It is audited. It returns ErrNotFound if the user has no such note, or ErrInvalid
// for the reason.
func (s *Service) DeleteNote(ctx context.Context, agent Agent, user UserID, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	if err := agent.check(); err != nil {
		return err
	}
	if err := s.store.DeleteNote(ctx, user, id, agent.noteEntry(s.now(), "note.deleted", user, id)); err != nil {
		return fmt.Errorf("delete note: %w", err)
	}
	return nil
}

// noteEntry returns the audit entry for the agent's action on a note.
func (a Agent) noteEntry(at time.Time, action string, user UserID, note string) AuditEntry {
	return AuditEntry{At: at, Actor: a.Actor, Action: action, Object: "note:" + note, User: user, Reason: a.Reason}
}
