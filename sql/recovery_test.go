package sql_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/jose"
	"holdfast/passkey"
	"holdfast/sql"
)

// recover registers a with a one-time code.
func (w *world) recover(code string, a *authenticator) (passkey.SignedIn, error) {
	w.t.Helper()
	options, err := w.BeginRecovery(w.t.Context(), code)
	if err != nil {
		return passkey.SignedIn{}, err
	}
	return w.FinishRecovery(w.t.Context(), "", options.Ceremony, a.create(w.t, options), "")
}

func (w *world) codes(session passkey.Session) []string {
	w.t.Helper()
	codes, err := w.CreateRecoveryCodes(w.t.Context(), session)
	if err != nil {
		w.t.Fatal(err)
	}
	return codes
}

func (w *world) left(user passkey.UserID) int {
	w.t.Helper()
	codes, err := w.RecoveryCodes(w.t.Context(), user)
	if err != nil {
		w.t.Fatal(err)
	}
	if (codes.Left == 0) != (codes.CreatedAt == nil) {
		w.t.Errorf("codes: %+v", codes)
	}
	return codes.Left
}

func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t, func(c *passkey.Config) { c.HashMemory = 0 })
	_, in := w.register("Ada")
	if n := w.left(in.User.ID); n != 0 {
		t.Errorf("%d codes are left before there are any", n)
	}
	old := w.codes(in.Session)
	codes := w.codes(in.Session)
	shape := regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$`)
	for i, code := range codes {
		if !shape.MatchString(code) || slices.Contains(codes[:i], code) || slices.Contains(old, code) {
			t.Errorf("code %q", code)
		}
	}
	if n := w.left(in.User.ID); len(codes) != 10 || n != 10 {
		t.Errorf("%d codes, %d are left", len(codes), n)
	}
	// The secret is stored only as a slow hash, each with its own salt.
	var kept []string
	if err := w.db.SelectContext(t.Context(), &kept, `SELECT lookup || ' ' || secret_hash FROM recovery_codes`); err != nil {
		t.Fatal(err)
	}
	for i, row := range kept {
		lookup, hash, _ := strings.Cut(row, " ")
		if len(lookup) != 8 || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || len(hash) < 90 || slices.Contains(kept[:i], row) {
			t.Errorf("kept: %q", row)
		}
		for _, code := range codes {
			if bare := strings.ReplaceAll(code, "-", ""); strings.Contains(row, bare[8:]) {
				t.Errorf("kept in the clear: %q", row)
			}
		}
	}
	code, other := codes[0], codes[1]
	for _, wrong := range []string{
		old[0], code[:9] + "-" + other[10:], code[:28] + "U", code[:28], code + "0", strings.Replace(code, code[28:], "?", 1), "", strings.Repeat("-", 29),
		code[:28] + flip(code[28:]), flip(code[:1]) + code[1:], "\xff", code + "\x00",
	} {
		_, err := w.BeginRecovery(t.Context(), wrong)
		want(t, err, passkey.ErrCeremony)
	}
	for _, typed := range []string{
		code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), " " + strings.ReplaceAll(code, "-", " "),
		strings.NewReplacer("0", "o", "1", "l").Replace(code),
	} {
		if _, err := w.BeginRecovery(t.Context(), typed); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{"passkey.added", "recovery_codes.created", "recovery_codes.created"}) {
		t.Errorf("audited: %q", got)
	}
}

// flip returns another character of the alphabet.
func flip(character string) string {
	if character == "7" {
		return "8"
	}
	return "7"
}

func TestRecovery(t *testing.T) {
	w := newWorld(t)
	old, in := w.register("Ada")
	bob, bobIn := w.register("Bob")
	elsewhere := w.mustSignIn(old)
	codes := w.codes(in.Session)
	w.clock.advance(time.Second)

	// A failed try spends the ceremony, not the code.
	options := w.begun(w.BeginRecovery(t.Context(), codes[0]))
	_, err := w.FinishRecovery(t.Context(), "", options.Ceremony, []byte("{}"), "")
	want(t, err, passkey.ErrCredentialRejected)
	bobsHandle := bob.options.UserHandle
	options = w.begun(w.BeginRecovery(t.Context(), codes[0]))
	_, err = w.FinishRecovery(t.Context(), "", options.Ceremony, bob.create(t, options), "")
	want(t, err, passkey.ErrCredentialRejected) // Bob's credential id
	bob.options.UserHandle = bobsHandle
	wantLive(w, in.Token, true)
	if n := w.left(in.User.ID); n != 10 {
		t.Fatalf("%d codes are left", n)
	}

	fresh := newAuthenticator()
	recovered, err := w.recover(codes[0], fresh)
	if err != nil || recovered.User != in.User || len(recovered.Notices) != 0 {
		t.Fatalf("recovered: %+v, %v", recovered, err)
	}
	wantLive(w, in.Token, false)
	wantLive(w, elsewhere.Token, false)
	wantLive(w, recovered.Token, true)
	wantLive(w, bobIn.Token, true)
	_, err = w.BeginRecovery(t.Context(), codes[0])
	want(t, err, passkey.ErrCeremony)
	if n := w.left(in.User.ID); n != 9 {
		t.Errorf("%d codes are left", n)
	}
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{
		"passkey.added", "recovery_codes.created", "passkey.added", "account.recovered recovery_code",
	}) {
		t.Errorf("audited: %q", got)
	}

	// Each passkey's next sign-in reports it once, independently of the other passkey.
	for _, a := range []*authenticator{fresh, old} {
		told := w.clock.Now()
		w.clock.advance(time.Minute)
		again := w.mustSignIn(a)
		if len(again.Notices) != 1 || again.Notices[0].Code != passkey.AccountRecovered || again.Notices[0].Reason != "recovery_code" ||
			again.Notices[0].At.After(told) || string(again.Notices[0].Passkey) != string(fresh.credential.ID) {
			t.Errorf("notices: %+v", again.Notices)
		}
		session, err := w.Session(t.Context(), again.Token)
		if err != nil {
			t.Fatal(err)
		}
		if notices, err := w.Notices(t.Context(), session); err != nil || len(notices) != 1 {
			t.Errorf("during the session: %+v, %v", notices, err)
		}
		w.clock.advance(time.Minute)
		if more := w.mustSignIn(a); len(more.Notices) != 0 {
			t.Errorf("told again: %+v", more.Notices)
		}
	}
	if in := w.mustSignIn(bob); len(in.Notices) != 0 {
		t.Errorf("Bob is told: %+v", in.Notices)
	}
}

// TestConcurrentRecoveries checks that one code registers one passkey, however many tries are concurrent, and that a code
// from a set replaced meanwhile registers none.
func TestConcurrentRecoveries(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	codes := w.codes(in.Session)
	const n = 10
	ceremonies, answers := make([]string, n), make([][]byte, n)
	for i := range n {
		options := w.begun(w.BeginRecovery(t.Context(), codes[0]))
		ceremonies[i], answers[i] = options.Ceremony, newAuthenticator().create(t, options)
	}
	succeeded := w.together(n, passkey.ErrCeremony, func(i int) error {
		_, err := w.FinishRecovery(t.Context(), "", ceremonies[i], answers[i], "")
		return err
	})
	if succeeded != 1 || w.left(in.User.ID) != 9 {
		t.Errorf("%d recovered, %d codes are left", succeeded, w.left(in.User.ID))
	}
	options := w.begun(w.BeginRecovery(t.Context(), codes[1]))
	w.codes(w.mustSignIn(a).Session)
	_, err := w.FinishRecovery(t.Context(), "", options.Ceremony, newAuthenticator().create(t, options), "")
	want(t, err, passkey.ErrCeremony)
}

func TestRecoveryFromZeroPasskeys(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	want(t, w.DeletePasskey(t.Context(), in.Session, a.credential.ID, false), passkey.ErrLastPasskey)
	codes := w.codes(in.Session)
	if err := w.DeletePasskey(t.Context(), in.Session, a.credential.ID, true); err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, true) // the request's own session stays
	_, err := w.signIn(a, "")
	want(t, err, passkey.ErrCredentialRejected)
	recovered, err := w.recover(codes[9], newAuthenticator())
	if err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, false)
	// While codes are left, the new passkey can be deleted as well; without any, it cannot.
	for _, code := range codes[:9] {
		if recovered, err = w.recover(code, newAuthenticator()); err != nil {
			t.Fatal(err)
		}
	}
	passkeys, err := w.Passkeys(t.Context(), in.User.ID)
	if err != nil || len(passkeys) != 10 || w.left(in.User.ID) != 0 {
		t.Fatalf("%d passkeys, %v, %d codes", len(passkeys), err, w.left(in.User.ID))
	}
	for i, p := range passkeys {
		err := w.DeletePasskey(t.Context(), recovered.Session, p.ID, false)
		if i < 9 && err != nil {
			t.Error(err)
		} else if i == 9 {
			want(t, err, passkey.ErrLastPasskey)
		}
	}
}

func TestRecoveryLink(t *testing.T) {
	w := newWorld(t)
	_, in := w.register("Ada")
	first, err := w.CreateRecoveryLink(t.Context(), passkey.Agent{Actor: "token:x"}, in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	link, err := w.CreateRecoveryLink(t.Context(), passkey.Agent{Actor: "token:x"}, in.User.ID)
	if err != nil || !link.ExpiresAt.Equal(w.clock.Now().Add(15*time.Minute)) {
		t.Fatalf("%+v, %v", link, err)
	}
	_, err = w.recover(first.Code, newAuthenticator()) // the second took its place
	want(t, err, passkey.ErrCeremony)
	late := w.begun(w.BeginRecovery(t.Context(), link.Code))
	w.clock.advance(time.Minute)
	a := newAuthenticator()
	if _, err := w.recover(link.Code, a); err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, false)
	_, err = w.FinishRecovery(t.Context(), "", late.Ceremony, newAuthenticator().create(t, late), "")
	want(t, err, passkey.ErrCeremony)
	w.clock.advance(time.Second)
	if again := w.mustSignIn(a); len(again.Notices) != 1 || again.Notices[0].Reason != "recovery" {
		t.Errorf("notices: %+v", again.Notices)
	}

	link, err = w.CreateRecoveryLink(t.Context(), passkey.Agent{Actor: "token:x"}, in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(15 * time.Minute)
	_, err = w.recover(link.Code, newAuthenticator())
	want(t, err, passkey.ErrCeremony)
	for _, nobody := range []passkey.UserID{"00000000-0000-4000-8000-000000000000", "x"} {
		_, err = w.CreateRecoveryLink(t.Context(), passkey.Agent{Actor: "token:x"}, nobody)
		want(t, err, passkey.ErrNotFound)
	}
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{
		"passkey.added", "recovery_link.created", "recovery_link.created", "passkey.added", "account.recovered recovery", "recovery_link.created",
	}) {
		t.Errorf("audited: %q", got)
	}
}

// TestRecoveryOfAFullAccount checks that an account at the passkey limit can be recovered, since nobody could delete one of
// the lost passkeys first.
func TestRecoveryOfAFullAccount(t *testing.T) {
	w := newWorld(t)
	_, in := w.register("Ada")
	w.db.MustExec(`
		INSERT INTO passkeys SELECT user_id, int4send(i), rp_id, name, public_key, public_jwk, aaguid, transports, sign_count,
			backup_eligible, backup_state, created_at, last_used_at FROM passkeys, generate_series(2, 20) i`)
	_, err := w.BeginPasskey(t.Context(), in.Session)
	want(t, err, passkey.ErrTooManyPasskeys)
	if _, err := w.recover(w.codes(in.Session)[0], newAuthenticator()); err != nil {
		t.Error(err)
	}
}

func TestDeletePasskeyEndsItsSessions(t *testing.T) {
	w := newWorld(t)
	lost, in := w.register("Ada")
	kept := newAuthenticator()
	here, err := w.addPasskey(in.Session, kept)
	if err != nil {
		t.Fatal(err)
	}
	stolen, alsoHere := w.mustSignIn(lost), w.mustSignIn(kept)
	if string(stolen.Session.Passkey) != string(lost.credential.ID) || string(here.Session.Passkey) != string(kept.credential.ID) {
		t.Errorf("opened by %x and %x", stolen.Session.Passkey, here.Session.Passkey)
	}
	if err := w.DeletePasskey(t.Context(), here.Session, lost.credential.ID, true); err != nil {
		t.Fatal(err)
	}
	wantLive(w, stolen.Token, false)
	wantLive(w, here.Token, true)
	wantLive(w, alsoHere.Token, true)
}

func TestEndSessions(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	_, bob := w.register("Bob")
	other := w.mustSignIn(a)
	if err := w.EndOtherSessions(t.Context(), in.Session); err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, true)
	wantLive(w, other.Token, false)
	if err := w.SignOutUser(t.Context(), passkey.Agent{Actor: "token:x"}, in.User.ID); err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, false)
	wantLive(w, bob.Token, true)
	for _, nobody := range []passkey.UserID{"00000000-0000-4000-8000-000000000000", "x"} {
		want(t, w.SignOutUser(t.Context(), passkey.Agent{Actor: "token:x"}, nobody), passkey.ErrNotFound)
	}
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{"passkey.added", "user.signed_out"}) {
		t.Errorf("audited: %q", got)
	}
}

// TestRejectedPasskeyIsReported checks that a refusal of what the passkey itself has signed is reported at the user's next
// good sign-in.
func TestRejectedPasskeyIsReported(t *testing.T) {
	w := newWorld(t)
	a := newAuthenticator()
	a.credential.Counter = 5
	w.registerWith(a, "Ada")
	a.credential.Counter = 7
	w.mustSignIn(a)
	w.clock.advance(time.Minute)
	for _, c := range []struct {
		reason string
		lie    func(*authenticator)
	}{
		{"sign_count", func(a *authenticator) { a.credential.Counter = 7 }},
		{"backup_eligible", func(a *authenticator) { a.options.BackupEligible = true }},
		{"user_verification", func(a *authenticator) { a.options.UserNotVerified = true }},
	} {
		a.credential.Counter++
		_, err := w.signIn(a.but(c.lie), "")
		want(t, err, passkey.ErrCredentialRejected)
		// The same from somebody without the key is noise.
		_, err = w.signIn(a.but(c.lie).but(func(a *authenticator) { a.credential.Key = newAuthenticator().credential.Key }), "")
		want(t, err, passkey.ErrCredentialRejected)

		w.clock.advance(time.Second)
		a.credential.Counter++
		in := w.mustSignIn(a)
		if len(in.Notices) != 1 || in.Notices[0].Code != passkey.PasskeyRejected || in.Notices[0].Reason != c.reason ||
			string(in.Notices[0].Passkey) != string(a.credential.ID) {
			t.Errorf("%s: told %+v", c.reason, in.Notices)
		}
		// The session that follows the addition of another passkey still reports it.
		added, err := w.addPasskey(in.Session, newAuthenticator())
		if err != nil {
			t.Fatal(err)
		}
		session, err := w.Session(t.Context(), added.Token)
		if err != nil {
			t.Fatal(err)
		}
		if notices, err := w.Notices(t.Context(), session); err != nil || len(notices) != 1 {
			t.Errorf("%s: told after that %+v, %v", c.reason, notices, err)
		}
		w.clock.advance(time.Minute)
	}
}

// TestRejectionsCannotHideRecovery checks that somebody who came in by a code cannot displace the notice of that with many
// rejected sign-ins.
func TestRejectionsCannotHideRecovery(t *testing.T) {
	w := newWorld(t)
	owner, in := w.register("Ada")
	code := w.codes(in.Session)[0]
	w.clock.advance(time.Second)
	thief := newAuthenticator()
	thief.credential.Counter = 7
	if _, err := w.recover(code, thief); err != nil {
		t.Fatal(err)
	}
	for range 25 {
		w.clock.advance(time.Second)
		_, err := w.signIn(thief, "") // with the same count again
		want(t, err, passkey.ErrCredentialRejected)
	}
	w.clock.advance(time.Second)
	told := w.mustSignIn(owner).Notices
	if !slices.ContainsFunc(told, func(n passkey.Notice) bool { return n.Code == passkey.AccountRecovered }) {
		t.Errorf("%d notices, none of the recovery", len(told))
	}
	if !slices.IsSortedFunc(told, func(a, b passkey.Notice) int { return b.At.Compare(a.At) }) || len(told) > 40 {
		t.Errorf("%d notices: %+v", len(told), told)
	}
}

// TestRecoveryCodesOfASessionThatHasEnded checks that a session that ends while its codes are being hashed stores none of
// them, so that they open no way back, and leaves the user's codes unchanged.
func TestRecoveryCodesOfASessionThatHasEnded(t *testing.T) {
	w := newWorld(t)
	owner, in := w.register("Ada")
	codes := w.codes(in.Session)
	stolen := w.mustSignIn(owner)
	if err := w.EndOtherSessions(t.Context(), in.Session); err != nil {
		t.Fatal(err)
	}
	_, err := w.CreateRecoveryCodes(t.Context(), stolen.Session)
	want(t, err, passkey.ErrUnauthenticated)
	if _, err := w.BeginRecovery(t.Context(), codes[0]); err != nil {
		t.Errorf("the user's own code: %v", err)
	}
	if err := w.Erase(t.Context(), in.Session); err != nil {
		t.Fatal(err)
	}
	_, err = w.CreateRecoveryCodes(t.Context(), in.Session)
	want(t, err, passkey.ErrUnauthenticated)
}

// TestRecoveryReportsEarlierRecoveries checks that a recovery reports earlier ones: a thief may have deleted every passkey
// whose sign-in would have. It does not report itself.
func TestRecoveryReportsEarlierRecoveries(t *testing.T) {
	w := newWorld(t)
	owner, in := w.register("Ada")
	codes := w.codes(in.Session)
	w.clock.advance(time.Hour)
	thief := newAuthenticator()
	stolen, err := w.recover(codes[0], thief)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeletePasskey(t.Context(), stolen.Session, owner.credential.ID, true); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	back, err := w.recover(codes[1], newAuthenticator())
	if err != nil {
		t.Fatal(err)
	}
	session, err := w.Session(t.Context(), back.Token)
	if err != nil {
		t.Fatal(err)
	}
	for when, session := range map[string]passkey.Session{"at once": back.Session, "during the session": session} {
		told, err := w.Notices(t.Context(), session)
		if err != nil || len(told) != 1 || told[0].Code != passkey.AccountRecovered || string(told[0].Passkey) != string(thief.credential.ID) {
			t.Errorf("%s: told %+v, %v", when, told, err)
		}
	}
	if len(back.Notices) != 1 || len(stolen.Notices) != 0 {
		t.Errorf("told: %+v, and before %+v", back.Notices, stolen.Notices)
	}
}

// TestRecoveryEndsLinks checks that a recovery also ends unused links: one of them may have gone to the wrong person.
func TestRecoveryEndsLinks(t *testing.T) {
	w := newWorld(t)
	_, in := w.register("Ada")
	bob, _ := w.register("Bob")
	codes := w.codes(in.Session)
	link, err := w.CreateRecoveryLink(t.Context(), passkey.Agent{Actor: "token:x"}, in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	others, err := w.CreateRecoveryLink(t.Context(), passkey.Agent{Actor: "token:x"}, w.mustSignIn(bob).User.ID)
	if err != nil {
		t.Fatal(err)
	}
	begun := w.begun(w.BeginRecovery(t.Context(), link.Code))
	if _, err := w.recover(codes[0], newAuthenticator()); err != nil {
		t.Fatal(err)
	}
	_, err = w.BeginRecovery(t.Context(), link.Code)
	want(t, err, passkey.ErrCeremony)
	_, err = w.FinishRecovery(t.Context(), "", begun.Ceremony, newAuthenticator().create(t, begun), "")
	want(t, err, passkey.ErrCeremony)
	if _, err := w.recover(others.Code, newAuthenticator()); err != nil {
		t.Errorf("Bob's link: %v", err)
	}
}

// TestEndOtherSessionsWhileAPasskeyIsAdded checks that adding a passkey while all other sessions are ended does not
// preserve its session.
func TestEndOtherSessionsWhileAPasskeyIsAdded(t *testing.T) {
	w := newWorld(t)
	owner, in := w.register("Ada")
	_, bob := w.register("Bob")
	stolen := w.mustSignIn(owner)
	thiefs := newAuthenticator()
	options := w.begun(w.BeginPasskey(t.Context(), stolen.Session))
	answer := thiefs.create(t, options)

	// Another user's uncommitted registration of the same credential id blocks the thief's halfway.
	tx := w.db.MustBeginTx(t.Context(), nil)
	defer func() { _ = tx.Rollback() }()
	tx.MustExec(`INSERT INTO directory (kind, key, user_id) SELECT 'passkey', rp_id || ' ' || $2, $1 FROM passkeys WHERE user_id = $1`,
		bob.User.ID, jose.EncodeBase64(thiefs.credential.ID))
	added, ended := make(chan passkey.SignedIn, 1), make(chan error, 1)
	waiting := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); scan[int](w, `
			SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) < n; {
			if time.Now().After(deadline) {
				t.Fatalf("not %d are waiting", n)
			}
		}
	}
	go func() {
		session, err := w.FinishRegistration(t.Context(), &stolen.Session, options.Ceremony, answer, "")
		if err != nil {
			t.Errorf("add: %v", err)
		}
		added <- session
	}()
	waiting(1)
	go func() { ended <- w.EndOtherSessions(t.Context(), in.Session) }()
	waiting(2)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	wantLive(w, (<-added).Token, false)
	wantLive(w, in.Token, true)
}

// TestCeremonyOfAnErasedAccount checks that a ceremony does not outlive the account to which it would add a passkey.
func TestCeremonyOfAnErasedAccount(t *testing.T) {
	w := newWorld(t)
	_, in := w.register("Ada")
	code := w.codes(in.Session)[0]
	add, recover := w.begun(w.BeginPasskey(t.Context(), in.Session)), w.begun(w.BeginRecovery(t.Context(), code))
	if err := w.Erase(t.Context(), in.Session); err != nil {
		t.Fatal(err)
	}
	_, err := w.FinishRegistration(t.Context(), &in.Session, add.Ceremony, newAuthenticator().create(t, add), "")
	want(t, err, passkey.ErrUnauthenticated)
	_, err = w.FinishRecovery(t.Context(), "", recover.Ceremony, newAuthenticator().create(t, recover), "")
	want(t, err, passkey.ErrCeremony)
	_, err = w.BeginRecovery(t.Context(), code)
	want(t, err, passkey.ErrCeremony)
	if n := scan[int](w, `SELECT count(*) FROM passkeys`); n != 0 {
		t.Errorf("%d passkeys of a user who is gone", n)
	}
}

// TestExportHasPasskeysOfEveryRelyingPartyID checks that an export has all stored passkeys, even those of a previous
// relying party ID.
func TestExportHasPasskeysOfEveryRelyingPartyID(t *testing.T) {
	w := newWorld(t)
	_, in := w.register("Ada")
	w.db.MustExec(`INSERT INTO passkeys SELECT user_id, 'old', 'old.example', name, public_key, public_jwk, aaguid, transports, sign_count,
		backup_eligible, backup_state, created_at - interval '1 year', last_used_at FROM passkeys`)
	held, err := w.Export(t.Context(), in.Session)
	if err != nil || len(held.Passkeys) != 2 || held.Passkeys[0].RPID != "old.example" {
		t.Errorf("exported: %+v, %v", held.Passkeys, err)
	}
}

// TestNoticeEntriesAreTheNewestOfEachAction has more rejections than one answer holds, and an older recovery that they must
// not displace.
func TestNoticeEntriesAreTheNewestOfEachAction(t *testing.T) {
	w := newWorld(t)
	store, err := sql.NewPasskeys(t.Context(), w.db)
	if err != nil {
		t.Fatal(err)
	}
	user, since := passkey.UserID(uuid.NewString()), w.clock.Now()
	enter := func(user passkey.UserID, action string, after time.Duration) {
		w.db.MustExec(`INSERT INTO audit (at, actor, action, object, user_id, after) VALUES ($1, 'user:x', $2, $2, $3, '{}')`, since.Add(after), action, user)
	}
	enter(user, passkey.ActionRecovered, -time.Second)
	enter(user, passkey.ActionRecovered, time.Second)
	for i := range 5 {
		enter(user, passkey.ActionRejected, time.Duration(2+(i*3)%5)*time.Second) // out of order
		enter(user, "passkey.added", time.Minute)
		enter(passkey.UserID(uuid.NewString()), passkey.ActionRejected, time.Minute)
	}
	entries, err := store.NoticeEntries(t.Context(), user, since, 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, fmt.Sprint(entry.Action, " ", entry.At.Sub(since)))
	}
	want := []string{"passkey.rejected 6s", "passkey.rejected 5s", "passkey.rejected 4s", "account.recovered 1s"}
	if !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}
