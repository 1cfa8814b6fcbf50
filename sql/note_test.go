package sql_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/passkey"
)

// TestNotes checks that notes are kept with their author, in the trail without their text, in the export of their user alone,
// and go with a deletion or the erasure.
func TestNotes(t *testing.T) {
	w := newWorld(t)
	_, ada := w.register("Ada")
	_, bob := w.register("Bob")
	write := func(user passkey.UserID, text string) passkey.Note {
		t.Helper()
		w.clock.advance(time.Second)
		note, err := w.WriteNote(t.Context(), support, user, text)
		if err != nil {
			t.Fatal(err)
		}
		return note
	}
	first, second, other := write(ada.User.ID, " Calls from Genoa.\n"), write(ada.User.ID, strings.Repeat("é", 2000)), write(bob.User.ID, "Bob's")
	if first.Text != "Calls from Genoa." || first.Author != support.Actor {
		t.Errorf("written: %+v", first)
	}
	for _, c := range []struct {
		in   passkey.SignedIn
		want []passkey.Note
	}{{ada, []passkey.Note{second, first}}, {bob, []passkey.Note{other}}} {
		held, err := w.Export(t.Context(), c.in.Session)
		if err != nil || !slices.Equal(held.Notes, c.want) {
			t.Errorf("exported: %+v, %v", held.Notes, err)
		}
	}
	if n := scan[int](w, `SELECT count(*) FROM audit WHERE action = 'note.written' AND before IS NULL AND after IS NULL`); n != 3 {
		t.Errorf("%d entries say nothing but that a note was written", n)
	}
	if n := scan[int](w, `SELECT count(*) FROM audit_reasons WHERE reason ~ 'Genoa|é|Bob'`); n != 0 {
		t.Errorf("%d reasons hold a note", n)
	}

	for _, text := range []string{"", " \n", strings.Repeat("x", 2001), "\x00", "\xff"} {
		_, err := w.WriteNote(t.Context(), support, ada.User.ID, text)
		want(t, err, passkey.ErrInvalid)
	}
	const unknown = "00000000-0000-4000-8000-000000000000"
	_, err := w.WriteNote(t.Context(), support, unknown, "x")
	want(t, err, passkey.ErrNotFound)
	for _, id := range []string{"x", unknown, other.ID} {
		want(t, w.DeleteNote(t.Context(), support, ada.User.ID, id), passkey.ErrNotFound)
	}
	want(t, w.DeleteNote(t.Context(), passkey.Agent{Actor: "staff:x"}, ada.User.ID, first.ID), passkey.ErrInvalid)
	if err := w.DeleteNote(t.Context(), support, ada.User.ID, first.ID); err != nil {
		t.Fatal(err)
	}
	want(t, w.DeleteNote(t.Context(), support, ada.User.ID, first.ID), passkey.ErrNotFound)
	if got := scan[string](w, `SELECT object FROM audit WHERE action = 'note.deleted'`); got != "note:"+first.ID {
		t.Errorf("deleted: %s", got)
	}

	if err := w.Erase(t.Context(), ada.Session); err != nil {
		t.Fatal(err)
	}
	if notes, err := w.Notes(t.Context(), ada.User.ID); err != nil || len(notes) != 0 {
		t.Errorf("after the erasure: %+v, %v", notes, err)
	}
}

func TestNotesHaveALimit(t *testing.T) {
	w := newWorld(t)
	_, ada := w.register("Ada")
	for range passkey.MaxNotes - 1 {
		if _, err := w.WriteNote(t.Context(), support, ada.User.ID, "x"); err != nil {
			t.Fatal(err)
		}
	}
	n := w.together(4, passkey.ErrTooManyNotes, func(int) error {
		_, err := w.WriteNote(t.Context(), support, ada.User.ID, "x")
		return err
	})
	if n != 1 {
		t.Errorf("%d of 4 made it the last note", n)
	}
}
