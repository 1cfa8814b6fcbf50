package sql_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

const chromeOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"

// relyingParty is the relying party of honest clients.
var relyingParty = virtualwebauthn.RelyingParty{ID: "example.org", Name: "Example", Origin: "https://app.example.org"}

// wristwatch is a clock that tests set.
type wristwatch struct {
	mu  sync.Mutex
	now time.Time
}

func (c *wristwatch) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *wristwatch) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a passkey service with its own database.
type world struct {
	*passkey.Service
	t     *testing.T
	db    *sqlx.DB
	clock *wristwatch
}

func newWorld(t *testing.T, change ...func(*passkey.Config)) *world {
	t.Helper()
	t.Parallel()
	return worldOn(t, sqltest.New(t), change...)
}

// worldOn returns a world on that database.
func worldOn(t *testing.T, db *sqlx.DB, change ...func(*passkey.Config)) *world {
	t.Helper()
	clock := &wristwatch{now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)}
	config := passkey.Config{
		RPID: relyingParty.ID, RPName: relyingParty.Name, Origin: relyingParty.Origin, HashMemory: 64, Now: clock.Now,
	}
	for _, c := range change {
		c(&config)
	}
	w := &world{t: t, db: db, clock: clock}
	w.Service = w.replica(config)
	return w
}

func newPasskeys(t *testing.T, db *sqlx.DB) *sql.Passkeys {
	t.Helper()
	store, err := sql.NewPasskeys(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// replica returns another service on the world's database, with the world's clock if config has none.
func (w *world) replica(config passkey.Config) *passkey.Service {
	w.t.Helper()
	if config.Now == nil {
		config.RPID, config.RPName, config.Origin, config.HashMemory, config.Now = relyingParty.ID, relyingParty.Name, relyingParty.Origin, 64, w.clock.Now
	}
	service, err := passkey.New(w.t.Context(), config, newPasskeys(w.t, w.db))
	if err != nil {
		w.t.Fatal(err)
	}
	return service
}

// authenticator holds one passkey. Tests change a copy to make it lie.
type authenticator struct {
	rp         virtualwebauthn.RelyingParty
	options    virtualwebauthn.AuthenticatorOptions
	aaguid     uuid.UUID
	credential virtualwebauthn.Credential
	extensions any // clientExtensionResults
}

func newAuthenticator() *authenticator {
	a := &authenticator{rp: relyingParty, aaguid: uuid.MustParse("bada5566-a7aa-401f-bd96-45619a55120d")}
	// The virtual authenticator drops leading zeros of coordinates, which COSE does not allow: one key in 128.
	for len(a.credentialKey()) != 77 {
		a.credential = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return a
}

func (a *authenticator) credentialKey() []byte {
	if a.credential.Key == nil {
		return nil
	}
	return a.credential.Key.AttestationData()
}

func (a *authenticator) but(change func(*authenticator)) *authenticator {
	changed := *a
	change(&changed)
	return &changed
}

func (a *authenticator) virtual() virtualwebauthn.Authenticator {
	return virtualwebauthn.Authenticator{Options: a.options, Aaguid: a.aaguid}
}

// create answers registration options, and stores the user handle as a discoverable credential does.
func (a *authenticator) create(t *testing.T, options passkey.Options) []byte {
	t.Helper()
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(options.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	a.options.UserHandle = []byte(parsed.UserID)
	return a.extended(t, virtualwebauthn.CreateAttestationResponse(a.rp, a.virtual(), a.credential, *parsed))
}

// get answers authentication options.
func (a *authenticator) get(t *testing.T, options passkey.Options) []byte {
	t.Helper()
	parsed, err := virtualwebauthn.ParseAssertionOptions(string(options.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return a.extended(t, virtualwebauthn.CreateAssertionResponse(a.rp, a.virtual(), a.credential, *parsed))
}

func (a *authenticator) extended(t *testing.T, answer string) []byte {
	t.Helper()
	if a.extensions == nil {
		return []byte(answer)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(answer), &members); err != nil {
		t.Fatal(err)
	}
	members["clientExtensionResults"] = a.extensions
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// begun returns the options of a Begin method that must succeed.
func (w *world) begun(options passkey.Options, err error) passkey.Options {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return options
}

// register creates an account with a new passkey.
func (w *world) register(name string) (*authenticator, passkey.SignedIn) {
	w.t.Helper()
	a := newAuthenticator()
	return a, w.registerWith(a, name)
}

func (w *world) registerWith(a *authenticator, name string) passkey.SignedIn {
	w.t.Helper()
	options := w.begun(w.BeginRegistration(name))
	in, err := w.FinishRegistration(w.t.Context(), nil, options.Ceremony, a.create(w.t, options), chromeOnWindows)
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// addPasskey adds a passkey to the session's account.
func (w *world) addPasskey(session passkey.Session, a *authenticator) (passkey.SignedIn, error) {
	w.t.Helper()
	options := w.begun(w.BeginPasskey(w.t.Context(), session))
	return w.FinishRegistration(w.t.Context(), &session, options.Ceremony, a.create(w.t, options), "")
}

func (w *world) signIn(a *authenticator, previous passkey.SessionToken) (passkey.SignedIn, error) {
	w.t.Helper()
	options := w.begun(w.BeginAuthentication())
	return w.FinishAuthentication(w.t.Context(), previous, options.Ceremony, passkey.ReadAssertion(a.get(w.t, options)), "")
}

// finish answers a ceremony as a sign-in.
func (w *world) finish(ceremony string, answer []byte) error {
	_, err := w.FinishAuthentication(w.t.Context(), "", ceremony, passkey.ReadAssertion(answer), "")
	return err
}

func (w *world) mustSignIn(a *authenticator) passkey.SignedIn {
	w.t.Helper()
	in, err := w.signIn(a, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// TestCeremoniesArePrepared checks that a registration and a sign-in spend their ceremony and store their result in one
// prepared statement each, which is not planned again.
func TestCeremoniesArePrepared(t *testing.T) {
	w := newWorld(t)
	w.db.SetMaxOpenConns(1)
	a, _ := w.register("Ada")
	w.mustSignIn(a)
	var uses []string
	if err := w.db.Select(&uses, `
		SELECT concat_ws(' ', substring(statement FROM '(?:INSERT INTO|UPDATE) \w+'), generic_plans + custom_plans)
		FROM pg_prepared_statements WHERE NOT from_sql AND generic_plans + custom_plans > 0 ORDER BY 1`); err != nil {
		t.Fatal(err)
	}
	if want := []string{"INSERT INTO spent 1", "INSERT INTO spent 1", "INSERT INTO users 1", "UPDATE passkeys 1"}; !slices.Equal(uses, want) {
		t.Errorf("prepared statements were used: %q, want %q", uses, want)
	}
}

// scan reads one value from the database.
func scan[T any](w *world, query string, args ...any) (value T) {
	w.t.Helper()
	if err := w.db.GetContext(w.t.Context(), &value, query, args...); err != nil {
		w.t.Fatal(err)
	}
	return value
}

// actions returns the audited actions of a user, in order.
func (w *world) actions(user passkey.UserID) (actions []string) {
	w.t.Helper()
	err := w.db.SelectContext(w.t.Context(), &actions, `
		SELECT action || coalesce(' ' || (after ->> 'cause'), '') FROM audit WHERE user_id = $1 ORDER BY id`, user)
	if err != nil {
		w.t.Fatal(err)
	}
	return actions
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got error %v, want %v", err, target)
	}
}

func wantLive(w *world, token passkey.SessionToken, live bool) {
	w.t.Helper()
	_, err := w.Session(w.t.Context(), token)
	if live && err != nil {
		w.t.Errorf("session has ended: %v", err)
	}
	if !live && !errors.Is(err, passkey.ErrUnauthenticated) {
		w.t.Errorf("session is live (%v)", err)
	}
}

// together runs f n times concurrently and returns how many calls succeeded; all errors must be target.
func (w *world) together(n int, target error, f func(i int) error) (succeeded int) {
	w.t.Helper()
	// If connections had to be opened first, the calls would run one after another.
	var open []*sqlx.Conn
	for range min(n, 10) {
		conn, err := w.db.Connx(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		open = append(open, conn)
	}
	for _, conn := range open {
		conn.Close()
	}
	start, results := make(chan struct{}), make(chan error, n)
	for i := range n {
		go func() {
			<-start
			results <- f(i)
		}()
	}
	close(start)
	for range n {
		if err := <-results; err == nil {
			succeeded++
		} else {
			want(w.t, err, target)
		}
	}
	return succeeded
}

func TestRegisterAndSignIn(t *testing.T) {
	w := newWorld(t)
	a := newAuthenticator()
	a.options.BackupEligible = true
	in := w.registerWith(a, "  Ada Lovelace ")

	if in.User.Name != "Ada Lovelace" || in.Passkey.Name != "1Password" || in.Passkey.Provider != "1Password" ||
		in.Passkey.Synced || in.Passkey.LastUsedAt != nil || in.Session.UserAgent != "Chrome on Windows" {
		t.Errorf("registered: %+v", in)
	}
	if string(in.Passkey.ID) != string(a.credential.ID) {
		t.Error("the passkey has another id than the credential")
	}
	session, err := w.Session(t.Context(), in.Token)
	if err != nil || !reflect.DeepEqual(session, in.Session) {
		t.Errorf("session: got %+v, %v, want %+v", session, err, in.Session)
	}
	user, err := w.User(t.Context(), in.User.ID)
	if err != nil || user != in.User {
		t.Errorf("user: got %+v, %v, want %+v", user, err, in.User)
	}

	w.clock.advance(time.Hour)
	a.credential.Counter, a.options.BackupState = 5, true
	again := w.mustSignIn(a)
	if again.User != in.User || !again.Passkey.Synced || again.Passkey.LastUsedAt == nil || !again.Passkey.LastUsedAt.Equal(w.clock.Now()) {
		t.Errorf("signed in: %+v", again)
	}
	if again.Token == in.Token || again.Session.ID == in.Session.ID {
		t.Error("the session is not a new one")
	}
	passkeys, err := w.Passkeys(t.Context(), in.User.ID)
	if err != nil || len(passkeys) != 1 || !reflect.DeepEqual(passkeys[0], again.Passkey) {
		t.Errorf("passkeys: got %+v, %v, want %+v", passkeys, err, again.Passkey)
	}
	if count := scan[int](w, `SELECT sign_count FROM passkeys WHERE backup_state AND backup_eligible`); count != 5 {
		t.Errorf("sign count is %d, want 5", count)
	}
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{"passkey.added"}) {
		t.Errorf("audited: %q", got)
	}
	if key := scan[string](w, `SELECT public_jwk ->> 'crv' FROM passkeys`); key != "P-256" {
		t.Errorf("curve of the stored JWK: %q", key)
	}
}

func TestOptions(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")

	var creation struct {
		RP         struct{ ID, Name string }
		User       struct{ ID, Name, DisplayName string }
		Challenge  string
		Parameters []struct {
			Type string
			Alg  int
		} `json:"pubKeyCredParams"`
		Timeout     int
		Attestation string
		Hints       []string
		Exclude     []struct{ ID, Type string } `json:"excludeCredentials"`
		Selection   struct {
			ResidentKey, UserVerification string
			RequireResidentKey            bool
			Attachment                    string `json:"authenticatorAttachment"`
		} `json:"authenticatorSelection"`
		Extensions map[string]any
	}
	options := w.begun(w.BeginPasskey(t.Context(), in.Session))
	if err := json.Unmarshal(options.PublicKey, &creation); err != nil {
		t.Fatal(err)
	}
	algorithms := []int{}
	for _, parameter := range creation.Parameters {
		algorithms = append(algorithms, parameter.Alg)
	}
	if creation.RP.ID != "example.org" || len(creation.User.ID) != 22 || len(creation.Challenge) != 43 ||
		creation.Timeout != 300_000 || creation.Attestation != "none" || creation.Selection.ResidentKey != "required" ||
		!creation.Selection.RequireResidentKey || creation.Selection.UserVerification != "required" ||
		creation.Selection.Attachment != "" || // a phone or a security key is equally good
		!slices.Equal(algorithms, []int{-7, -8, -35, -36, -257}) ||
		!slices.Equal(creation.Hints, []string{"client-device", "hybrid"}) {
		t.Errorf("creation options: %s", options.PublicKey)
	}
	if !reflect.DeepEqual(creation.Extensions, map[string]any{"credProps": true, "prf": map[string]any{}}) {
		t.Errorf("extensions: %v", creation.Extensions)
	}
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(options.PublicKey))
	if err != nil || len(creation.Exclude) != 1 || !a.credential.IsExcludedForAttestation(*parsed) {
		t.Errorf("excludeCredentials: %v, %v", creation.Exclude, err)
	}

	var request map[string]any
	options = w.begun(w.BeginAuthentication())
	if err := json.Unmarshal(options.PublicKey, &request); err != nil {
		t.Fatal(err)
	}
	delete(request, "challenge")
	expected := map[string]any{"rpId": "example.org", "timeout": 300_000.0, "userVerification": "required", "hints": []any{"client-device", "hybrid"}}
	if !reflect.DeepEqual(request, expected) {
		t.Errorf("request options: %v", request)
	}
}

func TestCeremonyIsSpentOnce(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	options := w.begun(w.BeginAuthentication())
	answer := a.get(t, options)
	want(t, w.finish(options.Ceremony, answer), nil)
	want(t, w.finish(options.Ceremony, answer), passkey.ErrCeremony)

	creation := w.begun(w.BeginRegistration("Bob"))
	b := newAuthenticator()
	if _, err := w.FinishRegistration(t.Context(), nil, creation.Ceremony, b.create(t, creation), ""); err != nil {
		t.Fatal(err)
	}
	_, err := w.FinishRegistration(t.Context(), nil, creation.Ceremony, newAuthenticator().create(t, creation), "")
	want(t, err, passkey.ErrCeremony)

	for _, ceremony := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA\x00", "\xff"} {
		want(t, w.finish(ceremony, answer), passkey.ErrCeremony)
	}
}

func TestFailedTrySpendsTheCeremony(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	options := w.begun(w.BeginAuthentication())
	want(t, w.finish(options.Ceremony, []byte("{")), passkey.ErrCredentialRejected)
	want(t, w.finish(options.Ceremony, a.get(t, options)), passkey.ErrCeremony)

	options = w.begun(w.BeginAuthentication())
	_, err := w.FinishRegistration(t.Context(), nil, options.Ceremony, a.get(t, options), "")
	want(t, err, passkey.ErrCeremony)
	want(t, w.finish(options.Ceremony, a.get(t, options)), passkey.ErrCeremony)
}

func TestConcurrentFinishesOfOneCeremony(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada") // keeps no sign count, so that only the ceremony can cause a refusal
	options := w.begun(w.BeginAuthentication())
	answer := a.get(t, options)
	n := w.together(50, passkey.ErrCeremony, func(int) error {
		return w.finish(options.Ceremony, answer)
	})
	if n != 1 {
		t.Errorf("%d of 50 won, want 1", n)
	}
	if sessions := scan[int](w, `SELECT count(*) FROM sessions`); sessions != 2 {
		t.Errorf("%d sessions, want those of registration and one sign-in", sessions)
	}
}

func TestEndedCeremony(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	options := w.begun(w.BeginAuthentication())
	w.clock.advance(5*time.Minute - time.Microsecond)
	want(t, w.finish(options.Ceremony, a.get(t, options)), nil)
	options = w.begun(w.BeginAuthentication())
	w.clock.advance(5 * time.Minute)
	want(t, w.finish(options.Ceremony, a.get(t, options)), passkey.ErrCeremony)
}

func TestCeremonyOfAnotherKind(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	bob, enrolment, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Bob", "")
	if err != nil {
		t.Fatal(err)
	}
	enrol := func() passkey.Options { return w.begun(w.BeginRecovery(t.Context(), enrolment.Code)) }
	register := func() passkey.Options { return w.begun(w.BeginRegistration("Eve")) }
	add := func() passkey.Options { return w.begun(w.BeginPasskey(t.Context(), in.Session)) }
	authenticate := func() passkey.Options { return w.begun(w.BeginAuthentication()) }
	tries := 1 // that of Ada's registration
	refused := func(finished string, err error) {
		t.Helper()
		if tries++; !errors.Is(err, passkey.ErrCeremony) {
			t.Errorf("%s: %v", finished, err)
		}
		if spent := scan[int](w, `SELECT count(*) FROM spent`); spent != tries {
			t.Errorf("%s: %d ceremonies were spent in %d tries", finished, spent, tries)
		}
	}

	for name, begin := range map[string]func() passkey.Options{"registration": register, "addition": add, "authentication": authenticate} {
		options := begin()
		_, err := w.FinishRecovery(t.Context(), "", options.Ceremony, answerTo(t, newAuthenticator(), options), "")
		refused(name+" finished as enrolment", err)
	}
	for name, begin := range map[string]func() passkey.Options{"registration": register, "addition": add, "enrolment": enrol} {
		options := begin()
		refused(name+" finished as authentication", w.finish(options.Ceremony, a.get(t, options)))
	}
	for name, begin := range map[string]func() passkey.Options{"enrolment": enrol, "authentication": authenticate} {
		options := begin()
		_, err := w.FinishRegistration(t.Context(), nil, options.Ceremony, answerTo(t, newAuthenticator(), options), "")
		refused(name+" finished as registration", err)
	}
	// The code of an enrolment would stay valid.
	options := enrol()
	_, err = w.FinishRegistration(t.Context(), &passkey.Session{User: bob}, options.Ceremony, answerTo(t, newAuthenticator(), options), "")
	refused("enrolment finished as addition", err)
}

// answerTo creates a credential, whatever the options are for.
func answerTo(t *testing.T, a *authenticator, options passkey.Options) []byte {
	t.Helper()
	request, err := virtualwebauthn.ParseAssertionOptions(string(options.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAttestationResponse(a.rp, a.virtual(), a.credential,
		virtualwebauthn.AttestationOptions{Challenge: request.Challenge}))
}

func TestCeremonyOfAnotherUser(t *testing.T) {
	w := newWorld(t)
	_, ada := w.register("Ada")
	_, bob := w.register("Bob")
	add := w.begun(w.BeginPasskey(t.Context(), ada.Session))
	_, err := w.FinishRegistration(t.Context(), &bob.Session, add.Ceremony, newAuthenticator().create(t, add), "")
	want(t, err, passkey.ErrCeremony)

	add = w.begun(w.BeginPasskey(t.Context(), ada.Session))
	_, err = w.FinishRegistration(t.Context(), nil, add.Ceremony, newAuthenticator().create(t, add), "")
	want(t, err, passkey.ErrCeremony)

	register := w.begun(w.BeginRegistration("Eve"))
	_, err = w.FinishRegistration(t.Context(), &bob.Session, register.Ceremony, newAuthenticator().create(t, register), "")
	want(t, err, passkey.ErrCeremony)

	if n := scan[int](w, `SELECT count(*) FROM passkeys`); n != 2 {
		t.Errorf("%d passkeys, want 2", n)
	}
}

// rows counts the rows of every table.
func (w *world) rows() map[string]int {
	w.t.Helper()
	var tables []string
	err := w.db.SelectContext(w.t.Context(), &tables, `
		SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'goose_db_version'`)
	if err != nil || len(tables) < 15 {
		w.t.Fatalf("tables %q, %v", tables, err)
	}
	rows := map[string]int{}
	for _, table := range tables {
		rows[table] = scan[int](w, `SELECT count(*) FROM `+table)
	}
	return rows
}

// TestBeginCeremonyStoresNothing checks that beginning ceremonies cannot fill the database.
func TestBeginCeremonyStoresNothing(t *testing.T) {
	w := newWorld(t)
	_, ada := w.register("Ada")
	_, link, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Bob", "")
	if err != nil {
		t.Fatal(err)
	}
	code := w.codes(ada.Session)[0]
	before := w.rows()
	for range 3 {
		w.begun(w.BeginRegistration("Eve"))
		w.begun(w.BeginAuthentication())
		w.begun(w.BeginPasskey(t.Context(), ada.Session))
		w.begun(w.BeginRecovery(t.Context(), link.Code))
		w.begun(w.BeginRecovery(t.Context(), code))
	}
	if after := w.rows(); !reflect.DeepEqual(after, before) {
		t.Errorf("rows: %v, were %v", after, before)
	}
}

// TestCeremonyOnAnotherReplica checks that a ceremony can be used once across all replicas, including one that starts
// later.
func TestCeremonyOnAnotherReplica(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	options := w.begun(w.BeginAuthentication())
	answer := a.get(t, options)
	later := w.replica(passkey.Config{})
	if _, err := later.FinishAuthentication(t.Context(), "", options.Ceremony, passkey.ReadAssertion(answer), ""); err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*passkey.Service{w.Service, later, w.replica(passkey.Config{})} {
		_, err := replica.FinishAuthentication(t.Context(), "", options.Ceremony, passkey.ReadAssertion(answer), "")
		want(t, err, passkey.ErrCeremony)
	}

	options = w.begun(later.BeginRegistration("Bob"))
	answer = newAuthenticator().create(t, options)
	replicas := []*passkey.Service{w.Service, later}
	n := w.together(50, passkey.ErrCeremony, func(i int) error {
		_, err := replicas[i%2].FinishRegistration(t.Context(), nil, options.Ceremony, answer, "")
		return err
	})
	if users := scan[int](w, `SELECT count(*) FROM users WHERE name = 'Bob'`); n != 1 || users != 1 {
		t.Errorf("%d of 50 won, %d accounts, want 1", n, users)
	}
}

// TestCeremonyOfAnotherRelyingParty checks that services that share a database share its secret but not their ceremonies.
func TestCeremonyOfAnotherRelyingParty(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	for what, config := range map[string]passkey.Config{
		"relying party id": {RPID: "app.example.org", Origin: relyingParty.Origin},
		"origin":           {RPID: relyingParty.ID, Origin: "https://www.example.org", AllowOrigins: []string{relyingParty.Origin}},
	} {
		config.RPName, config.Now = "Other", w.clock.Now
		options := w.begun(w.replica(config).BeginAuthentication())
		if err := w.finish(options.Ceremony, a.get(t, options)); !errors.Is(err, passkey.ErrCeremony) {
			t.Errorf("of another %s: %v", what, err)
		}
	}
	if n := scan[int](w, `SELECT count(*) FROM spent`); n != 1 {
		t.Errorf("%d were spent, want that of the registration", n)
	}
}

// TestSpentOutlivesSlowClocks checks that a spent ceremony is remembered until it has ended by the slowest permitted clock,
// not just by the clock of the replica that sweeps.
func TestSpentOutlivesSlowClocks(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	options := w.begun(w.BeginAuthentication())
	answer := a.get(t, options)
	want(t, w.finish(options.Ceremony, answer), nil)
	ahead := w.clock.Now().Add(passkey.CeremonyLife + 2*entitlements.MaxClockOff - time.Microsecond)
	if err := sql.Sweep(t.Context(), w.db, ahead); err != nil {
		t.Fatal(err)
	}
	want(t, w.finish(options.Ceremony, answer), passkey.ErrCeremony)
	if err := sql.Sweep(t.Context(), w.db, ahead.Add(time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	if n := scan[int](w, `SELECT count(*) FROM spent`); n != 0 {
		t.Errorf("%d are never deleted", n)
	}
}

func TestRejectedAssertions(t *testing.T) {
	w := newWorld(t)
	a := newAuthenticator()
	a.credential.Counter = 3
	ada := w.registerWith(a, "Ada")
	b, bob := w.register("Bob")
	before := scan[int](w, `SELECT count(*) FROM sessions`)

	lies := map[string]func(*authenticator){
		"user not verified":     func(a *authenticator) { a.options.UserNotVerified = true },
		"user not present":      func(a *authenticator) { a.options.UserNotPresent = true },
		"other origin":          func(a *authenticator) { a.rp.Origin = "https://evil.example.com" },
		"sibling origin":        func(a *authenticator) { a.rp.Origin = "https://other.example.org" },
		"plain http":            func(a *authenticator) { a.rp.Origin = "http://app.example.org" },
		"other relying party":   func(a *authenticator) { a.rp.ID = "example.com" },
		"handle of another":     func(a *authenticator) { a.options.UserHandle = b.options.UserHandle },
		"handle of nobody":      func(a *authenticator) { a.options.UserHandle = make([]byte, 16) },
		"handle too short":      func(a *authenticator) { a.options.UserHandle = []byte{1} },
		"no handle":             func(a *authenticator) { a.options.UserHandle = nil },
		"credential of another": func(a *authenticator) { a.credential.ID = b.credential.ID },
		"unknown credential":    func(a *authenticator) { a.credential.ID = []byte("nobody's") },
		"key of another":        func(a *authenticator) { a.credential.Key = b.credential.Key },
		"backed up, not able":   func(a *authenticator) { a.options.BackupState = true },
	}
	for name, lie := range lies {
		liar := a.but(func(a *authenticator) { a.credential.Counter = 10 }).but(lie)
		in, err := w.signIn(liar, "")
		if !errors.Is(err, passkey.ErrCredentialRejected) || in.Token != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A challenge of another ceremony.
	one, other := w.begun(w.BeginAuthentication()), w.begun(w.BeginAuthentication())
	want(t, w.finish(one.Ceremony, a.but(func(a *authenticator) { a.credential.Counter = 10 }).get(t, other)), passkey.ErrCredentialRejected)

	if after := scan[int](w, `SELECT count(*) FROM sessions`); after != before {
		t.Errorf("%d sessions began", after-before)
	}
	// None of them changed anything. A refusal of what the passkey itself has signed is audited, once.
	for user, audited := range map[passkey.UserID][]string{
		ada.User.ID: {"passkey.added", "passkey.rejected user_verification"},
		bob.User.ID: {"passkey.added"},
	} {
		if got := w.actions(user); !slices.Equal(got, audited) {
			t.Errorf("audited: %q", got)
		}
	}
	a.credential.Counter = 4
	w.mustSignIn(a)
}

func TestCredentialOfAnotherRelyingParty(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	w.db.MustExec(`UPDATE passkeys SET rp_id = 'old.example.org'`)
	_, err := w.signIn(a, "")
	want(t, err, passkey.ErrCredentialRejected)
	if passkeys, err := w.Passkeys(t.Context(), in.User.ID); err != nil || len(passkeys) != 0 {
		t.Errorf("passkeys: %v, %v", passkeys, err)
	}
}

func TestSignCount(t *testing.T) {
	w := newWorld(t)
	a := newAuthenticator()
	a.credential.Counter = 7
	in := w.registerWith(a, "Ada")
	for _, count := range []uint32{6, 7, 0} {
		a.credential.Counter = count
		_, err := w.signIn(a, "")
		want(t, err, passkey.ErrCredentialRejected)
		want(t, err, passkey.ErrCloned)
	}
	if count := scan[int](w, `SELECT sign_count FROM passkeys`); count != 7 {
		t.Errorf("sign count is %d, want 7", count)
	}
	expected := []string{"passkey.added", "passkey.rejected sign_count", "passkey.rejected sign_count", "passkey.rejected sign_count"}
	if got := w.actions(in.User.ID); !slices.Equal(got, expected) {
		t.Errorf("audited: %q", got)
	}
	a.credential.Counter = 4294967295
	w.mustSignIn(a)

	// A passkey may never count; once it counts, its count must rise.
	b, _ := w.register("Bob")
	w.mustSignIn(b)
	w.mustSignIn(b)
	b.credential.Counter = 1
	w.mustSignIn(b)
	b.credential.Counter = 0
	_, err := w.signIn(b, "")
	want(t, err, passkey.ErrCredentialRejected)
}

func TestConcurrentSignInsWithOneSignCount(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	a.credential.Counter = 1
	ceremonies, answers := make([]string, 10), make([][]byte, 10)
	for i := range answers {
		options := w.begun(w.BeginAuthentication())
		ceremonies[i], answers[i] = options.Ceremony, a.get(t, options)
	}
	n := w.together(10, passkey.ErrCloned, func(i int) error {
		return w.finish(ceremonies[i], answers[i])
	})
	if n != 1 {
		t.Errorf("%d of 10 won, want 1", n)
	}
	if got := w.actions(in.User.ID); len(got) != 1+9 {
		t.Errorf("audited: %q", got)
	}
}

// TestSignInComparesAndSets checks that a sign-in is stored only if the passkey is still as it was judged: another sign-in
// may have come in between.
func TestSignInComparesAndSets(t *testing.T) {
	w := newWorld(t)
	a := newAuthenticator()
	a.credential.Counter = 5
	in := w.registerWith(a, "Ada")
	store := newPasskeys(t, w.db)
	_, read, err := store.Credential(t.Context(), relyingParty.ID, in.User.ID, a.credential.ID)
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(change func(*passkey.Credential)) (stored bool) {
		t.Helper()
		read := read
		change(&read)
		hash := sha256.Sum256([]byte(uuid.NewString()))
		session := passkey.NewSession{Session: in.Session, TokenHash: hash[:]}
		session.ID, session.ToldFrom = uuid.NewString(), &read.CreatedAt
		_, changed, err := store.SignIn(t.Context(), read, passkey.CredentialUse{SignCount: 6, At: w.clock.Now()}, nil, session, 20)
		if err != nil {
			t.Error(err)
		}
		return !changed
	}
	for what, change := range map[string]func(*passkey.Credential){
		"another count":              func(c *passkey.Credential) { c.SignCount = 4 },
		"another backup eligibility": func(c *passkey.Credential) { c.BackupEligible = true },
		"another relying party":      func(c *passkey.Credential) { c.RPID = "example.com" },
		"another passkey":            func(c *passkey.Credential) { c.ID = []byte{1} },
		"another user":               func(c *passkey.Credential) { c.User = passkey.UserID(uuid.NewString()) },
	} {
		if signIn(change) {
			t.Errorf("stored on %s", what)
		}
	}
	if n := scan[int](w, `SELECT count(*) FROM sessions`); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	if same := func(*passkey.Credential) {}; !signIn(same) || signIn(same) {
		t.Error("what was read must be good once")
	}
}

// TestConcurrentSignInsWithRisingCounts checks that each concurrent sign-in is judged by what the others have stored, and
// that a count above all others is never taken for a copy.
func TestConcurrentSignInsWithRisingCounts(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	const n = 10
	ceremonies, answers := make([]string, n), make([][]byte, n)
	for i := range answers {
		a.credential.Counter = uint32(i + 1)
		options := w.begun(w.BeginAuthentication())
		ceremonies[i], answers[i] = options.Ceremony, a.get(t, options)
	}
	highest := false
	won := w.together(n, passkey.ErrCloned, func(i int) error {
		err := w.finish(ceremonies[i], answers[i])
		if i == n-1 {
			highest = err == nil
		}
		return err
	})
	if count := scan[int](w, `SELECT sign_count FROM passkeys`); !highest || count != n {
		t.Errorf("the highest count signed in: %t, the count is %d, want %d", highest, count, n)
	}
	if got := w.actions(in.User.ID); len(got) != 1+n-won {
		t.Errorf("%d won, audited: %q", won, got)
	}
}

func TestBackupEligibilityNeverChanges(t *testing.T) {
	w := newWorld(t)
	for _, eligible := range []bool{true, false} {
		a := newAuthenticator()
		a.options.BackupEligible = eligible
		in := w.registerWith(a, "Ada")
		changed := a.but(func(a *authenticator) { a.options.BackupEligible = !eligible })
		_, err := w.signIn(changed, "")
		want(t, err, passkey.ErrCredentialRejected)
		// Without the passkey's signature the flag means nothing.
		_, err = w.signIn(changed.but(func(a *authenticator) { a.credential.Key = newAuthenticator().credential.Key }), "")
		want(t, err, passkey.ErrCredentialRejected)
		if got := w.actions(in.User.ID); !slices.Equal(got, []string{"passkey.added", "passkey.rejected backup_eligible"}) {
			t.Errorf("audited: %q", got)
		}
		w.mustSignIn(a) // the passkey itself is not locked
	}
}

func TestRejectedRegistrations(t *testing.T) {
	w := newWorld(t)
	lies := map[string]func(*authenticator){
		"user not verified":   func(a *authenticator) { a.options.UserNotVerified = true },
		"user not present":    func(a *authenticator) { a.options.UserNotPresent = true },
		"other origin":        func(a *authenticator) { a.rp.Origin = "https://evil.example.com" },
		"other relying party": func(a *authenticator) { a.rp.ID = "example.com" },
		"backed up, not able": func(a *authenticator) { a.options.BackupState = true },
		"not discoverable": func(a *authenticator) {
			a.extensions = map[string]any{"credProps": map[string]any{"rk": false}}
		},
		"id too long": func(a *authenticator) { a.credential.ID = make([]byte, 1024) },
	}
	for name, lie := range lies {
		options := w.begun(w.BeginRegistration("Ada"))
		_, err := w.FinishRegistration(t.Context(), nil, options.Ceremony, newAuthenticator().but(lie).create(t, options), "")
		if !errors.Is(err, passkey.ErrCredentialRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := scan[int](w, `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM passkeys) + (SELECT count(*) FROM audit)`); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
}

func TestCredentialIDBelongsToOneUser(t *testing.T) {
	w := newWorld(t)
	a, ada := w.register("Ada")
	_, bob := w.register("Bob")

	thief := newAuthenticator().but(func(thief *authenticator) { thief.credential.ID = a.credential.ID })
	options := w.begun(w.BeginRegistration("Eve"))
	_, err := w.FinishRegistration(t.Context(), nil, options.Ceremony, thief.create(t, options), "")
	want(t, err, passkey.ErrCredentialRejected)
	for _, in := range []passkey.SignedIn{ada, bob} {
		_, err := w.addPasskey(in.Session, thief)
		want(t, err, passkey.ErrCredentialRejected)
		wantLive(w, in.Token, true) // nothing of the addition is left, not even the end of the old session
	}
	if n := scan[int](w, `SELECT count(*) FROM users`); n != 2 {
		t.Errorf("%d users, want 2", n)
	}
	w.mustSignIn(a)
}

func TestExtensionResults(t *testing.T) {
	w := newWorld(t)
	a := newAuthenticator()
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U"
	prf := map[string]any{"enabled": true, "results": map[string]any{"first": secret}}
	// Results that not every ceremony requested: Safari sends appid, and others send anything.
	a.extensions = map[string]any{"appid": false, "credProps": map[string]any{"rk": true}, "prf": prf, "unheardOf": []int{1}}
	w.registerWith(a, "Ada")
	w.mustSignIn(a)

	_, err := w.signIn(a.but(func(a *authenticator) { a.rp.Origin = "https://evil.example.com" }), "")
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) {
		t.Error("the error holds the prf result")
	}
	for _, table := range []string{"users", "passkeys", "sessions", "spent", "audit"} {
		text := scan[string](w, `SELECT coalesce(string_agg(t::text, ''), '') FROM `+table+` t`)
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", "secretsecret")) {
			t.Errorf("%s holds the prf result", table)
		}
	}
}

func TestAddPasskey(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	b := newAuthenticator()
	added, err := w.addPasskey(in.Session, b)
	if err != nil {
		t.Fatal(err)
	}
	if added.User != in.User || added.Token == in.Token {
		t.Errorf("added: %+v", added)
	}
	wantLive(w, in.Token, false)
	wantLive(w, added.Token, true)
	for _, a := range []*authenticator{a, b} {
		if in := w.mustSignIn(a); in.User.ID != added.User.ID {
			t.Error("signed in as another user")
		}
	}
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{"passkey.added", "passkey.added"}) {
		t.Errorf("audited: %q", got)
	}

	// A session that ends between the two steps adds nothing.
	options := w.begun(w.BeginPasskey(t.Context(), added.Session))
	if err := w.SignOut(t.Context(), added.Session); err != nil {
		t.Fatal(err)
	}
	_, err = w.FinishRegistration(t.Context(), &added.Session, options.Ceremony, newAuthenticator().create(t, options), "")
	want(t, err, passkey.ErrUnauthenticated)
	if err := w.SignOut(t.Context(), added.Session); err != nil {
		t.Errorf("sign out again: %v", err)
	}

}

func TestPasskeyLimit(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	for range passkey.MaxPasskeys - 2 {
		added, err := w.addPasskey(in.Session, newAuthenticator())
		if err != nil {
			t.Fatal(err)
		}
		in = added
	}
	// One place is left, and several sessions compete for it.
	const n = 8
	sessions, ceremonies, answers := make([]passkey.Session, n), make([]string, n), make([][]byte, n)
	for i := range n {
		sessions[i] = w.mustSignIn(a).Session
		options := w.begun(w.BeginPasskey(t.Context(), sessions[i]))
		ceremonies[i], answers[i] = options.Ceremony, newAuthenticator().create(t, options)
	}
	succeeded := w.together(n, passkey.ErrTooManyPasskeys, func(i int) error {
		_, err := w.FinishRegistration(t.Context(), &sessions[i], ceremonies[i], answers[i], "")
		return err
	})
	if succeeded != 1 {
		t.Errorf("%d of %d got the last place", succeeded, n)
	}
	_, err := w.BeginPasskey(t.Context(), w.mustSignIn(a).Session)
	want(t, err, passkey.ErrTooManyPasskeys)
}

func TestRenamePasskey(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	_, bob := w.register("Bob")
	renamed, err := w.RenamePasskey(t.Context(), in.User.ID, a.credential.ID, " My phone ")
	if err != nil || renamed.Name != "My phone" || renamed.Provider != "1Password" {
		t.Errorf("renamed: %+v, %v", renamed, err)
	}
	_, err = w.RenamePasskey(t.Context(), bob.User.ID, a.credential.ID, "Mine")
	want(t, err, passkey.ErrNotFound)
	_, err = w.RenamePasskey(t.Context(), "nobody", a.credential.ID, "Mine")
	want(t, err, passkey.ErrNotFound)
	_, err = w.RenamePasskey(t.Context(), in.User.ID, a.credential.ID, "\t")
	want(t, err, passkey.ErrInvalidName)
}

func TestDeletePasskey(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	_, bob := w.register("Bob")
	want(t, w.DeletePasskey(t.Context(), in.Session, a.credential.ID, false), passkey.ErrLastPasskey)
	want(t, w.DeletePasskey(t.Context(), bob.Session, a.credential.ID, false), passkey.ErrNotFound)
	b := newAuthenticator()
	in, err := w.addPasskey(in.Session, b)
	if err != nil {
		t.Fatal(err)
	}
	in = w.mustSignIn(b)
	if err := w.DeletePasskey(t.Context(), in.Session, a.credential.ID, false); err != nil {
		t.Fatal(err)
	}
	want(t, w.DeletePasskey(t.Context(), in.Session, a.credential.ID, false), passkey.ErrNotFound)
	_, err = w.signIn(a, "")
	want(t, err, passkey.ErrCredentialRejected)
	if got := w.actions(in.User.ID); !slices.Equal(got, []string{"passkey.added", "passkey.added", "passkey.removed"}) {
		t.Errorf("audited: %q", got)
	}
}

func TestConcurrentDeletionsLeaveOnePasskey(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		a, in := w.register("Ada")
		b := newAuthenticator()
		in, err := w.addPasskey(in.Session, b)
		if err != nil {
			t.Fatal(err)
		}
		ids := [][]byte{a.credential.ID, b.credential.ID}
		n := w.together(2, passkey.ErrLastPasskey, func(i int) error {
			return w.DeletePasskey(t.Context(), in.Session, ids[i], false)
		})
		left := scan[int](w, `SELECT count(*) FROM passkeys WHERE user_id = $1`, in.User.ID)
		if n != 1 || left != 1 {
			t.Errorf("%d deletions succeeded and %d passkeys are left, want 1 and 1", n, left)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t)
	a, idle := w.register("Ada")
	w.clock.advance(14*day - time.Microsecond)
	wantLive(w, idle.Token, true)
	w.clock.advance(14 * day)
	wantLive(w, idle.Token, false)
	if sessions, err := w.Sessions(t.Context(), idle.User.ID); err != nil || len(sessions) != 0 {
		t.Errorf("sessions: %v, %v", sessions, err)
	}

	used := w.mustSignIn(a)
	for range 8 {
		w.clock.advance(10 * day)
		wantLive(w, used.Token, true)
	}
	w.clock.advance(10*day - time.Microsecond)
	wantLive(w, used.Token, true)
	w.clock.advance(time.Microsecond)
	wantLive(w, used.Token, false)
}

func TestSessionUseIsStoredHourly(t *testing.T) {
	w := newWorld(t)
	_, in := w.register("Ada")
	began := w.clock.Now()
	read := func() time.Time { return scan[time.Time](w, `SELECT last_active_at FROM sessions`) }
	w.clock.advance(time.Hour - time.Microsecond)
	wantLive(w, in.Token, true)
	if got := read(); !got.Equal(began) {
		t.Errorf("noted at %s, within the hour", got)
	}
	w.clock.advance(time.Microsecond)
	wantLive(w, in.Token, true)
	if got := read(); !got.Equal(began.Add(time.Hour)) {
		t.Errorf("noted at %s, want %s", got, began.Add(time.Hour))
	}
}

func TestSessionTokens(t *testing.T) {
	w := newWorld(t)
	_, ada := w.register("Ada")
	_, bob := w.register("Bob")
	if text := scan[string](w, `SELECT string_agg(t::text, '') FROM sessions t`); strings.Contains(text, string(ada.Token)) {
		t.Error("a token is stored")
	}
	first, second := string(ada.Token[:22]), string(bob.Token[22:])
	for _, token := range []string{"", "x", string(ada.Token) + "A", string(ada.Token[:63]) + "\n", string(ada.Token[:30]) + "\n" + string(ada.Token[30:]), first + second, strings.Repeat("A", 64)} {
		wantLive(w, passkey.SessionToken(token), false)
	}
}

func TestSessionRotation(t *testing.T) {
	w := newWorld(t)
	a, in := w.register("Ada")
	b, _ := w.register("Bob")
	// A failed sign-in does not change the session.
	_, err := w.signIn(a.but(func(a *authenticator) { a.options.UserNotVerified = true }), in.Token)
	want(t, err, passkey.ErrCredentialRejected)
	wantLive(w, in.Token, true)

	again, err := w.signIn(a, in.Token)
	if err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, false)
	wantLive(w, again.Token, true)
	// Another user signs in at the same browser.
	other, err := w.signIn(b, again.Token)
	if err != nil {
		t.Fatal(err)
	}
	wantLive(w, again.Token, false)
	wantLive(w, other.Token, true)
	// An invalid token does not prevent the sign-in.
	if _, err := w.signIn(a, "nonsense"); err != nil {
		t.Error(err)
	}
}

func TestSessionsOfUser(t *testing.T) {
	w := newWorld(t)
	a, one := w.register("Ada")
	_, bob := w.register("Bob")
	w.clock.advance(time.Minute)
	two := w.mustSignIn(a)
	sessions, err := w.Sessions(t.Context(), one.User.ID)
	if err != nil || len(sessions) != 2 || sessions[0].ID != two.Session.ID || sessions[1].ID != one.Session.ID {
		t.Errorf("sessions: %+v, %v", sessions, err)
	}
	want(t, w.EndSession(t.Context(), bob.User.ID, one.Session.ID), passkey.ErrNotFound)
	want(t, w.EndSession(t.Context(), one.User.ID, "nonsense"), passkey.ErrNotFound)
	wantLive(w, one.Token, true)
	if err := w.EndSession(t.Context(), one.User.ID, one.Session.ID); err != nil {
		t.Error(err)
	}
	want(t, w.EndSession(t.Context(), one.User.ID, one.Session.ID), passkey.ErrNotFound)
	wantLive(w, one.Token, false)
	wantLive(w, two.Token, true)
}

func TestEnrolment(t *testing.T) {
	w := newWorld(t, func(c *passkey.Config) { c.InviteOnly = true })
	user, enrolment, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "token:x"}, "Ada", "crm-1")
	if err != nil {
		t.Fatal(err)
	}
	if !enrolment.ExpiresAt.Equal(w.clock.Now().Add(15 * time.Minute)) {
		t.Errorf("ends at %s", enrolment.ExpiresAt)
	}
	// A failed try spends the ceremony, not the code.
	options := w.begun(w.BeginRecovery(t.Context(), enrolment.Code))
	_, err = w.FinishRecovery(t.Context(), "", options.Ceremony, []byte("{}"), "")
	want(t, err, passkey.ErrCredentialRejected)
	_, err = w.FinishRecovery(t.Context(), "", options.Ceremony, newAuthenticator().create(t, options), "")
	want(t, err, passkey.ErrCeremony)

	const n = 10
	ceremonies, answers := make([]string, n), make([][]byte, n)
	authenticators := make([]*authenticator, n)
	for i := range n {
		options := w.begun(w.BeginRecovery(t.Context(), enrolment.Code))
		authenticators[i] = newAuthenticator()
		ceremonies[i], answers[i] = options.Ceremony, authenticators[i].create(t, options)
	}
	winners := make(chan int, n)
	succeeded := w.together(n, passkey.ErrCeremony, func(i int) error {
		in, err := w.FinishRecovery(t.Context(), "", ceremonies[i], answers[i], "")
		if err == nil {
			winners <- i
			if in.User != user {
				return fmt.Errorf("enrolled %+v, want %+v", in.User, user)
			}
		}
		return err
	})
	if succeeded != 1 {
		t.Fatalf("%d of %d enrolled, want 1", succeeded, n)
	}
	if in := w.mustSignIn(authenticators[<-winners]); in.User != user {
		t.Errorf("signed in as %+v, want %+v", in.User, user)
	}
	_, err = w.BeginRecovery(t.Context(), enrolment.Code)
	want(t, err, passkey.ErrCeremony)
	if got := w.actions(user.ID); !slices.Equal(got, []string{"user.created", "passkey.added"}) {
		t.Errorf("audited: %q", got)
	}
}

// TestEnrolmentEndsThePreviousSession checks that an enrolment atomically ends the session that was live in its browser.
func TestEnrolmentEndsThePreviousSession(t *testing.T) {
	w := newWorld(t)
	_, bob := w.register("Bob")
	_, enrolment, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Ada", "")
	if err != nil {
		t.Fatal(err)
	}
	options := w.begun(w.BeginRecovery(t.Context(), enrolment.Code))
	_, err = w.FinishRecovery(t.Context(), bob.Token, options.Ceremony, []byte("{}"), "")
	want(t, err, passkey.ErrCredentialRejected)
	wantLive(w, bob.Token, true)

	options = w.begun(w.BeginRecovery(t.Context(), enrolment.Code))
	ada, err := w.FinishRecovery(t.Context(), bob.Token, options.Ceremony, newAuthenticator().create(t, options), "")
	if err != nil {
		t.Fatal(err)
	}
	wantLive(w, bob.Token, false)
	wantLive(w, ada.Token, true)
}

func TestEnrolmentEnds(t *testing.T) {
	w := newWorld(t)
	_, enrolment, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Ada", "")
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(14 * time.Minute)
	options := w.begun(w.BeginRecovery(t.Context(), enrolment.Code))
	w.clock.advance(time.Minute)
	_, err = w.FinishRecovery(t.Context(), "", options.Ceremony, newAuthenticator().create(t, options), "")
	want(t, err, passkey.ErrCeremony)
	for _, code := range []string{enrolment.Code, "", "x", "AAAAAAAAAAAAAAAAAAAAAA", "\x00"} {
		_, err = w.BeginRecovery(t.Context(), code)
		want(t, err, passkey.ErrCeremony)
	}
}

func TestInviteOnly(t *testing.T) {
	w := newWorld(t, func(c *passkey.Config) { c.InviteOnly = true })
	_, err := w.BeginRegistration("Ada")
	want(t, err, passkey.ErrInviteOnly)

	// A ceremony that began before the operator closed registration.
	open, err := passkey.New(t.Context(), passkey.Config{
		RPID: relyingParty.ID, RPName: relyingParty.Name, Origin: relyingParty.Origin, Now: w.clock.Now,
	}, newPasskeys(t, w.db))
	if err != nil {
		t.Fatal(err)
	}
	options := w.begun(open.BeginRegistration("Ada"))
	_, err = w.FinishRegistration(t.Context(), nil, options.Ceremony, newAuthenticator().create(t, options), "")
	want(t, err, passkey.ErrInviteOnly)
}

func TestCreateUserConflict(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Ada", "crm-1"); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Bob", "crm-1")
	want(t, err, passkey.ErrConflict)
	_, _, err = w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, "Bob", " crm-2")
	want(t, err, passkey.ErrInvalid)
	if n := scan[int](w, `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM audit)`); n != 2 {
		t.Errorf("%d users and audit entries, want one of each", n)
	}
}

func TestFindUsers(t *testing.T) {
	w := newWorld(t)
	var ids []passkey.UserID
	create := func(name, externalID string) passkey.User {
		t.Helper()
		user, _, err := w.CreateUser(t.Context(), passkey.Agent{Actor: "operator"}, name, externalID)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, user.ID)
		return user
	}
	find := func(query string) (names []string) {
		t.Helper()
		cursor := ""
		for {
			users, next, err := w.FindUsers(t.Context(), passkey.UserQuery{Text: query, Cursor: cursor, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, user := range users {
				names = append(names, user.Name)
			}
			if next == "" {
				return names
			}
			if len(users) != 2 {
				t.Fatalf("%d users on a page that is not the last", len(users))
			}
			cursor = next
		}
	}
	for _, name := range []string{"ada", "Ada", "Ada Lovelace", "Bob", "100%", "100x", "Émile Zola-O'Brien", "Jose\u0301", "…", "Straße"} {
		create(name, "")
	}
	eve := create("Eve", "crm-7")
	w.db.MustExec(`INSERT INTO subscriptions (id, user_id, plan, state, paid_through, created_at, updated_at)
		VALUES ('sub_1', $1, 'premium', 'active', now(), now(), now()), ('Ada:1', $1, 'premium', 'active', now(), now(), now())`, eve.ID)
	w.db.MustExec(`INSERT INTO directory (kind, key, user_id) SELECT 'subscription', id, user_id FROM subscriptions`)
	w.db.MustExec(`INSERT INTO billing_events (source, id, customer, subject, at, rank, facts, received_at, user_id) VALUES
		('stripe', 'evt_1', 'cus_1', 'sub_1', now(), 0, '{}', now(), $1), ('stripe', 'evt_2', 'cus_1', 'in_1', now(), 0, '{}', now(), $1),
		('stripe', 'evt_3', 'cus_2', 'sub_2', now(), 0, '{}', now(), NULL)`, eve.ID)
	for query, expected := range map[string]int{
		"": 11, "a": 3, "STRASSE": 1, "émile": 1, "ADA": 3, "ada l": 1, "LOVELACE": 1, "love ad": 1, "ove": 1, "ovel lac": 1, "el": 0, "da": 0, "ver": 0, "raß": 1, "100%": 2, "100 x": 0, "_": 0, `\`: 0, "'": 0, "…": 1,
		"ÉMILE": 1, "E\u0301mile": 1, "o'brien": 1, "zola": 1, "José": 1, "jose\u0301": 1, "ada\u200b": 3, "\u200b": 11, "a:* | b": 0, "crm-7": 1, "crm": 0, "nobody": 0,
		string(eve.ID): 1, strings.ToUpper(string(eve.ID)): 1, uuid.NewString(): 0,
		"sub_1": 1, "SUB_1": 0, "sub": 0, "Ada:1": 1, "cus_1": 1, "CUS_1": 0, "cus_2": 0, "in_1": 0,
	} {
		if got := find(query); len(got) != expected {
			t.Errorf("%q finds %q, want %d", query, got, expected)
		}
	}

	// Users created or deleted between the pages do not shift the others.
	page, cursor, err := w.FindUsers(t.Context(), passkey.UserQuery{Order: passkey.OrderName, Limit: 4})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[passkey.UserID]int{}
	for _, user := range page {
		seen[user.ID]++
	}
	create("0 new, before the cursor", "")
	create("zoe, new, behind it", "")
	w.db.MustExec(`DELETE FROM users WHERE id = $1`, page[3].ID)
	for cursor != "" {
		page, cursor, err = w.FindUsers(t.Context(), passkey.UserQuery{Order: passkey.OrderName, Cursor: cursor, Limit: 4})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range page {
			seen[user.ID]++
		}
	}
	for i, id := range ids[:11] {
		if seen[id] != 1 {
			t.Errorf("user %d was seen %d times", i, seen[id])
		}
	}

	for _, bad := range []passkey.UserQuery{
		{Text: "\x00", Limit: 1}, {Text: "\xff", Limit: 1}, {Cursor: "!", Limit: 1}, {Cursor: "AAAA", Limit: 1},
		{Cursor: strings.Repeat("_", 40), Limit: 1}, {Limit: 0}, {Limit: 201}, {Order: "age", Limit: 1},
	} {
		_, _, err := w.FindUsers(t.Context(), bad)
		want(t, err, passkey.ErrInvalid)
	}
	for _, id := range []passkey.UserID{"", "nobody", passkey.UserID(uuid.NewString())} {
		_, err := w.User(t.Context(), id)
		want(t, err, passkey.ErrNotFound)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	token, secret, err := w.CreateToken(ctx, "operator", "CRM", []passkey.Scope{passkey.SupportRead, passkey.BillingWrite, passkey.SupportRead}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "holdfast_") || len(secret) != len("holdfast_")+43 {
		t.Errorf("secret: %q", secret)
	}
	if text := scan[string](w, `SELECT string_agg(t::text, '') FROM admin_tokens t`); strings.Contains(text, secret[9:]) {
		t.Error("the secret is stored")
	}
	found, err := w.Token(ctx, secret)
	if err != nil || !reflect.DeepEqual(found, token) {
		t.Errorf("token: got %+v, %v, want %+v", found, err, token)
	}
	for scope, allowed := range map[passkey.Scope]bool{
		passkey.SupportRead: true, passkey.BillingWrite: true, passkey.SupportWrite: false, passkey.Admin: false,
	} {
		if found.Allows(scope) != allowed {
			t.Errorf("allows %s: %t", scope, !allowed)
		}
	}
	for _, wrong := range []string{"", "holdfast_", secret[:51] + "!", secret + "A", strings.ToUpper(secret), "\x00"} {
		_, err := w.Token(ctx, wrong)
		want(t, err, passkey.ErrUnauthenticated)
	}

	w.clock.advance(time.Hour - time.Microsecond)
	if _, err := w.Token(ctx, secret); err != nil {
		t.Error(err)
	}
	w.clock.advance(time.Microsecond)
	_, err = w.Token(ctx, secret)
	want(t, err, passkey.ErrUnauthenticated)

	lasting, secret, err := w.CreateToken(ctx, "operator", "Root", []passkey.Scope{passkey.Admin}, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(100 * 365 * 24 * time.Hour)
	if found, err = w.Token(ctx, secret); err != nil || !found.Allows(passkey.SupportWrite) {
		t.Errorf("token: %+v, %v", found, err)
	}
	for range 2 {
		if err := w.RevokeToken(ctx, "operator", lasting.ID); err != nil {
			t.Error(err)
		}
		w.clock.advance(time.Minute)
	}
	_, err = w.Token(ctx, secret)
	want(t, err, passkey.ErrUnauthenticated)
	want(t, w.RevokeToken(ctx, "operator", uuid.NewString()), passkey.ErrNotFound)
	want(t, w.RevokeToken(ctx, "operator", "nonsense"), passkey.ErrNotFound)

	tokens, err := w.Tokens(ctx)
	if err != nil || len(tokens) != 2 || tokens[0].ID != token.ID || tokens[0].RevokedAt != nil ||
		tokens[1].RevokedAt == nil || !tokens[1].RevokedAt.Equal(w.clock.Now().Add(-2*time.Minute)) {
		t.Errorf("tokens: %+v, %v", tokens, err)
	}
	var actions []string
	if err := w.db.SelectContext(ctx, &actions, `SELECT action FROM audit ORDER BY id`); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(actions, []string{"token.created", "token.created", "token.revoked"}) {
		t.Errorf("audited: %q", actions)
	}
	for _, scopes := range [][]passkey.Scope{nil, {"everything"}} {
		_, _, err := w.CreateToken(ctx, "operator", "CRM", scopes, 0)
		want(t, err, passkey.ErrInvalid)
	}
	_, _, err = w.CreateToken(ctx, "operator", "", []passkey.Scope{passkey.Admin}, 0)
	want(t, err, passkey.ErrInvalidName)
}

// TestStoreFailureIsNotRejection checks that a failing database is not reported as a rejected credential.
func TestStoreFailureIsNotRejection(t *testing.T) {
	w := newWorld(t)
	a, _ := w.register("Ada")
	options := w.begun(w.BeginAuthentication())
	w.db.Close()
	_, err := w.FinishAuthentication(context.Background(), "", options.Ceremony, passkey.ReadAssertion(a.get(t, options)), "")
	if err == nil || errors.Is(err, passkey.ErrCredentialRejected) || errors.Is(err, passkey.ErrCeremony) {
		t.Errorf("got %v", err)
	}
}
