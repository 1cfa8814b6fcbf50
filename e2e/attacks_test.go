package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/e2e/support"
)

// siege is one server and its attackers. Each request comes from its own network, as far as the server can tell, so that
// the server refuses an attack for what it is, not for the number of attempts.
type siege struct {
	t      *testing.T
	server *support.Server
	hops   *atomic.Int32
}

// person is a user with a passkey and a browser.
type person struct {
	*siege
	client  *support.Client
	user    support.User
	passkey *support.Passkey
}

type begun struct {
	Ceremony  string          `json:"ceremony"`
	PublicKey json.RawMessage `json:"publicKey"`
}

type finish struct {
	Ceremony   string          `json:"ceremony"`
	Credential json.RawMessage `json:"credential"`
}

func (s *siege) in(t *testing.T) *siege { return &siege{t, s.server, s.hops} }

// send sends a request from a new network and returns the code of its refusal, "" for a success.
func (s *siege) send(client *support.Client, method, path string, body, out any, header http.Header) string {
	s.t.Helper()
	hop := s.hops.Add(1)
	if header == nil {
		header = http.Header{}
	}
	if header.Get("X-Forwarded-For") == "" {
		header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", hop/256, hop%256))
	}
	_, err := client.Do(s.t.Context(), method, path, body, out, header)
	if problem, ok := errors.AsType[*support.Problem](err); ok {
		return problem.Code
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return ""
}

func (s *siege) want(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// person registers a new user.
func (s *siege) person(name string) *person {
	s.t.Helper()
	client := s.server.Client()
	user, passkey, err := client.Register(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	return &person{s, client, user, passkey}
}

func (s *siege) begin(client *support.Client, kind string, body any) (b begun) {
	s.t.Helper()
	s.want("begin "+kind, s.send(client, http.MethodPost, "/v1/"+kind+"/options", body, &b, nil), "")
	return b
}

// authenticate finishes an authentication with a true assertion, altered by lie.
func (p *person) authenticate(client *support.Client, lie func(*support.Assertion)) string {
	p.t.Helper()
	options := p.begin(client, "authentication", nil)
	said, err := p.passkey.Say(options.PublicKey)
	if err != nil {
		p.t.Fatal(err)
	}
	if lie != nil {
		lie(&said)
	}
	answer, err := p.passkey.Sign(said)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(client, http.MethodPost, "/v1/authentication", finish{options.Ceremony, answer}, nil, nil)
}

// TestAttacks stages the attacks on sign-in, sessions and recovery against one running server.
func TestAttacks(t *testing.T) {
	t.Parallel()
	server := support.NewServer(t, binary)
	server.Settings = []string{support.Networks, "HOLDFAST_ALLOW_ORIGIN=" + allowedOrigin}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	all := &siege{t, server, new(atomic.Int32)}
	for name, attack := range map[string]func(*siege){
		"a ceremony is replayed":                replay,
		"a ceremony is raced":                   race,
		"a ceremony is used for another kind":   otherKind,
		"a ceremony is used by another user":    otherUser,
		"a credential id is registered twice":   registeredTwice,
		"passkeys and sessions of others":       ofOthers,
		"an assertion that is not what it says": lies,
		"a passkey that may be copied":          copied,
		"a registration on another origin":      otherOrigin,
		"accounts are enumerated":               enumerate,
		"a session is fixed":                    fixation,
		"a request is forged across sites":      forged,
		"recovery codes are guessed":            guessed,
		"a passkey is locked out":               lockedOut,
		"support wants to be admin":             overreaching,
		"a page of an allowed origin is staff":  elsewhere,
	} {
		t.Run(name, func(t *testing.T) { attack(all.in(t)) })
	}
}

func replay(s *siege) {
	ada := s.person("Ada")
	options := s.begin(ada.client, "authentication", nil)
	answer, err := ada.passkey.Assert(options.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	try := func() string {
		return s.send(s.server.Client(), http.MethodPost, "/v1/authentication", finish{options.Ceremony, answer}, nil, nil)
	}
	s.want("first", try(), "")
	s.want("replayed", try(), "ceremony_invalid")
	// A failed attempt spends it as well.
	options = s.begin(ada.client, "authentication", nil)
	if answer, err = ada.passkey.Assert(options.PublicKey); err != nil {
		s.t.Fatal(err)
	}
	s.want("spoilt", s.send(ada.client, http.MethodPost, "/v1/authentication", finish{options.Ceremony, json.RawMessage("{}")}, nil, nil), "credential_rejected")
	s.want("after a spoilt one", try(), "ceremony_invalid")
}

// race: of fifty concurrent attempts to finish one ceremony, of any kind, exactly one succeeds.
func race(s *siege) {
	const n = 50
	ada := s.person("Ada")
	create := func(options begun) json.RawMessage {
		_, created, err := support.CreatePasskey(s.server.Origin, options.PublicKey)
		if err != nil {
			s.t.Fatal(err)
		}
		return created
	}
	for kind, prepare := range map[string]func() finish{
		"authentication": func() finish {
			options := s.begin(ada.client, "authentication", nil)
			answer, err := ada.passkey.Assert(options.PublicKey)
			if err != nil {
				s.t.Fatal(err)
			}
			return finish{options.Ceremony, answer}
		},
		"registration": func() finish {
			options := s.begin(s.server.Client(), "registration", map[string]string{"name": "Eve"})
			return finish{options.Ceremony, create(options)}
		},
		"recovery": func() finish {
			options := s.begin(s.server.Client(), "recovery", map[string]string{"code": ada.codes()[0]})
			return finish{options.Ceremony, create(options)}
		},
	} {
		finished := prepare()
		clients := make([]*support.Client, n)
		for i := range clients {
			clients[i] = s.server.Client()
		}
		codes, start := make([]string, n), make(chan struct{})
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				<-start
				codes[i] = s.send(clients[i], http.MethodPost, "/v1/"+kind, finished, nil, nil)
			})
		}
		close(start)
		all.Wait()
		counted := map[string]int{}
		for i, code := range codes {
			counted[code]++
			if cookies := clients[i].Cookies(); (len(cookies) > 0) != (code == "") {
				s.t.Errorf("%s: %q with cookies %v", kind, code, cookies)
			}
		}
		// Once the passkey has failed too often, its failures get this answer.
		if counted[""] != 1 || counted[""]+counted["ceremony_invalid"]+counted["rate_limited"] != n {
			s.t.Errorf("%s: of %d at once: %v", kind, n, counted)
		}
	}
}

func otherKind(s *siege) {
	ada := s.person("Ada")
	options := s.begin(s.server.Client(), "registration", map[string]string{"name": "Eve"})
	answer, err := ada.passkey.Assert(options.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.want("registration to sign in", s.send(s.server.Client(), http.MethodPost, "/v1/authentication", finish{options.Ceremony, answer}, nil, nil), "ceremony_invalid")

	options = s.begin(s.server.Client(), "authentication", nil)
	creation := s.begin(s.server.Client(), "registration", map[string]string{"name": "Eve"})
	_, created, err := support.CreatePasskey(s.server.Origin, creation.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range []string{"/v1/registration", "/v1/recovery"} {
		s.want("authentication at "+path, s.send(s.server.Client(), http.MethodPost, path, finish{options.Ceremony, created}, nil, nil), "ceremony_invalid")
	}
	s.want("registration as a recovery", s.send(s.server.Client(), http.MethodPost, "/v1/recovery", finish{creation.Ceremony, created}, nil, nil), "ceremony_invalid")
}

func otherUser(s *siege) {
	ada, bob := s.person("Ada"), s.person("Bob")
	for who, client := range map[string]*support.Client{"another user": bob.client, "nobody": s.server.Client()} {
		options := s.begin(ada.client, "registration", nil) // adds a passkey
		_, created, err := support.CreatePasskey(s.server.Origin, options.PublicKey)
		if err != nil {
			s.t.Fatal(err)
		}
		s.want("finished by "+who, s.send(client, http.MethodPost, "/v1/registration", finish{options.Ceremony, created}, nil, nil), "ceremony_invalid")
	}
	if n := len(ada.passkeys()) + len(bob.passkeys()); n != 2 {
		s.t.Errorf("%d passkeys, want 2", n)
	}
}

func (p *person) passkeys() []string {
	p.t.Helper()
	var list struct {
		Passkeys []struct{ ID string } `json:"passkeys"`
	}
	p.want("passkeys", p.send(p.client, http.MethodGet, "/v1/passkeys", nil, &list, nil), "")
	ids := make([]string, len(list.Passkeys))
	for i, passkey := range list.Passkeys {
		ids[i] = passkey.ID
	}
	return ids
}

func registeredTwice(s *siege) {
	ada := s.person("Ada")
	for who, client := range map[string]*support.Client{"somebody new": s.server.Client(), "another user": s.person("Bob").client, "the same user": ada.client} {
		options := s.begin(client, "registration", map[string]string{"name": "Eve"})
		_, created, err := ada.passkey.Copy(options.PublicKey)
		if err != nil {
			s.t.Fatal(err)
		}
		s.want("by "+who, s.send(client, http.MethodPost, "/v1/registration", finish{options.Ceremony, created}, nil, nil), "credential_rejected")
	}
	s.want("its owner", ada.authenticate(s.server.Client(), nil), "")
}

func ofOthers(s *siege) {
	ada, bob := s.person("Ada"), s.person("Bob")
	var list struct {
		Sessions []struct{ ID string } `json:"sessions"`
	}
	s.want("sessions", s.send(ada.client, http.MethodGet, "/v1/sessions", nil, &list, nil), "")
	id := base64.RawURLEncoding.EncodeToString(ada.passkey.ID())
	for _, client := range []*support.Client{bob.client, s.server.Client()} {
		want := "not_found"
		if client != bob.client {
			want = "unauthenticated"
		}
		s.want("delete a passkey", s.send(client, http.MethodDelete, "/v1/passkeys/"+id, nil, nil, nil), want)
		s.want("delete it with its sessions", s.send(client, http.MethodDelete, "/v1/passkeys/"+id, map[string]bool{"end_sessions": true}, nil, nil), want)
		s.want("rename it", s.send(client, http.MethodPatch, "/v1/passkeys/"+id, map[string]string{"name": "Mine"}, nil, nil), want)
		s.want("end a session", s.send(client, http.MethodDelete, "/v1/sessions/"+list.Sessions[0].ID, nil, nil, nil), want)
	}
	s.want("end all others", s.send(bob.client, http.MethodDelete, "/v1/sessions", nil, nil, nil), "")
	if ids := ada.passkeys(); !slices.Equal(ids, []string{id}) {
		s.t.Errorf("passkeys: %q", ids)
	}
}

// lies are well-signed assertions with one false claim. Each uses its own passkey.
func lies(s *siege) {
	bob := s.person("Bob")
	host := s.server.Origin // http://localhost:PORT
	told := map[string]func(*support.Assertion){
		"another origin":            func(a *support.Assertion) { a.Origin = "https://evil.example" },
		"another port":              func(a *support.Assertion) { a.Origin = "http://localhost:1" },
		"no port":                   func(a *support.Assertion) { a.Origin = "http://localhost" },
		"another scheme":            func(a *support.Assertion) { a.Origin = strings.Replace(host, "http:", "https:", 1) },
		"a subdomain":               func(a *support.Assertion) { a.Origin = strings.Replace(host, "localhost", "evil.localhost", 1) },
		"a prefix":                  func(a *support.Assertion) { a.Origin = host + ".evil.example" },
		"another relying party":     func(a *support.Assertion) { a.RPID = "evil.example" },
		"a frame of another origin": func(a *support.Assertion) { a.CrossOrigin = true },
		"a frame below another origin": func(a *support.Assertion) {
			a.CrossOrigin, a.TopOrigin = true, "https://evil.example"
		},
		"a creation":               func(a *support.Assertion) { a.Type = "webauthn.create" },
		"another challenge":        func(a *support.Assertion) { a.Challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		"user not verified":        func(a *support.Assertion) { a.Flags &^= support.UserVerified },
		"user not present":         func(a *support.Assertion) { a.Flags &^= support.UserPresent },
		"backed up, but not able":  func(a *support.Assertion) { a.Flags &^= support.BackupEligible },
		"the handle of another":    func(a *support.Assertion) { a.UserHandle = handle(s.t, bob.user.ID) },
		"the handle of nobody":     func(a *support.Assertion) { a.UserHandle = make([]byte, 16) },
		"no handle":                func(a *support.Assertion) { a.UserHandle = nil },
		"the credential of others": func(a *support.Assertion) { a.ID = bob.passkey.ID() },
		"no credential of anybody": func(a *support.Assertion) { a.ID = []byte("nobody's credential id") },
	}
	for name, lie := range told {
		ada, client := s.person("Ada"), s.server.Client()
		s.want(name, ada.authenticate(client, lie), "credential_rejected")
		if len(client.Cookies()) > 0 {
			s.t.Errorf("%s: cookies %v", name, client.Cookies())
		}
		s.want("the truth after "+name, ada.authenticate(client, nil), "")
	}
}

func handle(t *testing.T, id string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(strings.ReplaceAll(id, "-", ""), "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// copied: evidence of copying in the passkey's own signature is refused, audited, and reported at the next good sign-in.
func copied(s *siege) {
	ada := s.person("Ada")
	s.want("sign in", ada.authenticate(ada.client, nil), "")
	for _, attack := range []struct {
		reason string
		lie    func(*support.Assertion)
	}{
		{"sign_count", func(a *support.Assertion) { a.Count = 1 }},
		{"sign_count", func(a *support.Assertion) { a.Count-- }}, // used before
		{"sign_count", func(a *support.Assertion) { a.Count = 0 }},
		{"backup_eligible", func(a *support.Assertion) { a.Flags &^= support.BackupEligible | support.BackupState }},
		{"user_verification", func(a *support.Assertion) { a.Flags &^= support.UserVerified }},
	} {
		s.want(attack.reason, ada.authenticate(s.server.Client(), attack.lie), "credential_rejected")
		s.want("sign in", ada.authenticate(ada.client, nil), "")
		var session struct {
			Notices []struct{ Code, Reason string } `json:"notices"`
		}
		s.want("session", s.send(ada.client, http.MethodGet, "/v1/session", nil, &session, nil), "")
		if len(session.Notices) != 1 || session.Notices[0].Code != "passkey_rejected" || session.Notices[0].Reason != attack.reason {
			s.t.Errorf("%s: told %+v", attack.reason, session.Notices)
		}
	}
	var trail struct {
		Entries []struct{ Action string } `json:"entries"`
	}
	s.want("audit", s.send(s.server.Client(), http.MethodGet, "/admin/v1/audit?user="+ada.user.ID, nil, &trail, support.Bearer(support.AdminToken)), "")
	rejected := 0
	for _, entry := range trail.Entries {
		if entry.Action == "passkey.rejected" {
			rejected++
		}
	}
	if rejected != 5 {
		s.t.Errorf("%d rejections were audited, want 5", rejected)
	}
}

func otherOrigin(s *siege) {
	for _, origin := range []string{
		"https://evil.example", "http://localhost:1", strings.Replace(s.server.Origin, "localhost", "evil.localhost", 1), strings.Replace(s.server.Origin, "http:", "https:", 1),
	} {
		client := s.server.Client()
		options := s.begin(client, "registration", map[string]string{"name": "Ada"})
		_, created, err := support.CreatePasskey(origin, options.PublicKey)
		if err != nil {
			s.t.Fatal(err)
		}
		s.want(origin, s.send(client, http.MethodPost, "/v1/registration", finish{options.Ceremony, created}, nil, nil), "credential_rejected")
	}
}

// codes makes recovery codes. Ten slow hashes with the race detector can be too slow for a busy machine: the server then
// answers 503, which allows a retry.
func (p *person) codes() []string {
	p.t.Helper()
	var made struct{ Codes []string }
	code := "unavailable"
	for tries := 0; code == "unavailable" && tries < 10; tries++ {
		code = p.send(p.client, http.MethodPost, "/v1/recovery-codes", nil, &made, nil)
	}
	p.want("recovery codes", code, "")
	return made.Codes
}

// enumerate: a known and an unknown passkey get the same answer; so do codes. Package enumeration measures that they
// take equally long.
func enumerate(s *siege) {
	ada, eve := s.person("Ada"), s.person("Eve")
	var shapes []string
	for _, lie := range []func(*support.Assertion){
		func(a *support.Assertion) { a.ID, a.UserHandle = ada.passkey.ID(), handle(s.t, ada.user.ID) },    // known
		func(a *support.Assertion) { a.ID, a.UserHandle = []byte("unknown"), handle(s.t, ada.user.ID) },   // unknown credential
		func(a *support.Assertion) { a.ID, a.UserHandle = []byte("unknown"), []byte("0123456789abcdef") }, // unknown user
	} {
		options := s.begin(eve.client, "authentication", nil)
		said, err := eve.passkey.Say(options.PublicKey)
		if err != nil {
			s.t.Fatal(err)
		}
		lie(&said)
		answer, err := eve.passkey.Sign(said)
		if err != nil {
			s.t.Fatal(err)
		}
		shapes = append(shapes, s.shape("/v1/authentication", finish{options.Ceremony, answer}))
	}
	made := ada.codes()
	var codes []string
	for _, code := range []string{made[0][:25] + "0000", "0000-0000-0000-0000-0000-0000"} {
		codes = append(codes, s.shape("/v1/recovery/options", map[string]string{"code": code}))
	}
	for _, same := range [][]string{shapes, codes} {
		if len(slices.Compact(same)) != 1 {
			s.t.Errorf("answers differ:\n%s", strings.Join(same, "\n"))
		}
	}
}

// shape returns a whole refusal without its request id.
func (s *siege) shape(path string, body any) string {
	s.t.Helper()
	hop := s.hops.Add(1)
	answer, err := s.server.Client().Do(s.t.Context(), http.MethodPost, path, body, nil, http.Header{"X-Forwarded-For": {fmt.Sprintf("10.%d.%d.1", hop/256, hop%256)}})
	problem, ok := errors.AsType[*support.Problem](err)
	if !ok {
		s.t.Fatalf("%s: %v", path, err)
	}
	var members map[string]any
	if err := json.Unmarshal(problem.Extra, &members); err != nil {
		s.t.Fatal(err)
	}
	delete(members, "instance")
	return fmt.Sprint(answer.Status, slices.Sorted(maps.Keys(answer.Header)), members)
}

// fixation: a session that the attacker knows never becomes the victim's.
func fixation(s *siege) {
	eve, ada := s.person("Eve"), s.person("Ada")
	planted := eve.client.Cookies()[0]
	victim := s.server.Client()
	victim.SetCookie(planted)
	s.want("sign in over a planted session", ada.authenticate(victim, nil), "")
	if got := victim.Cookies(); len(got) != 1 || got[0].Value == planted.Value {
		s.t.Errorf("cookies: %v", got)
	}
	s.want("the planted session", s.send(eve.client, http.MethodGet, "/v1/session", nil, nil, nil), "unauthenticated")

	// The server does not adopt a token that it never issued, and each sign-in has its own token.
	victim = s.server.Client()
	made := *planted
	made.Value = strings.Repeat("A", 64)
	victim.SetCookie(&made)
	s.want("sign in over a made-up one", ada.authenticate(victim, nil), "")
	before := victim.Cookies()[0]
	s.want("sign in again", ada.authenticate(victim, nil), "")
	if after := victim.Cookies()[0]; after.Value == before.Value || before.Value == made.Value {
		s.t.Error("the token is not new")
	}
	for _, dead := range []*http.Cookie{before, &made} {
		thief := s.server.Client()
		thief.SetCookie(dead)
		s.want("an old token", s.send(thief, http.MethodGet, "/v1/session", nil, nil, nil), "unauthenticated")
	}
}

// forged: requests that a page of another site triggers in the victim's browser change nothing.
func forged(s *siege) {
	ada := s.person("Ada")
	id := base64.RawURLEncoding.EncodeToString(ada.passkey.ID())
	for name, header := range map[string]http.Header{
		"cross-site":        {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"an older browser":  {"Origin": {"https://evil.example"}},
		"a sandboxed frame": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}},
		"a subdomain":       {"Sec-Fetch-Site": {"same-site"}},
	} {
		for _, request := range []struct{ method, path string }{
			{http.MethodPost, "/v1/registration/options"}, {http.MethodPost, "/v1/recovery-codes"}, {http.MethodPost, "/v1/trial"},
			{http.MethodDelete, "/v1/session"}, {http.MethodDelete, "/v1/sessions"}, {http.MethodDelete, "/v1/passkeys/" + id},
			{http.MethodDelete, "/v1/account"}, {http.MethodPost, "/v1/authentication"}, {http.MethodPost, "/v1/recovery"},
		} {
			s.want(name+": "+request.method+" "+request.path, s.send(ada.client, request.method, request.path, nil, nil, header.Clone()), "cross_origin")
		}
	}
	s.want("session", s.send(ada.client, http.MethodGet, "/v1/session", nil, nil, nil), "")
	if ids := ada.passkeys(); len(ids) != 1 {
		s.t.Errorf("passkeys: %q", ids)
	}
}

// guessed: ten wrong guesses at one code from any network, and thirty from a network at any account; after that one at
// intervals. Other users and passkeys are not delayed.
func guessed(s *siege) {
	ada := s.person("Ada")
	made := ada.codes()
	lookup := made[0][:10]
	counted := map[string]int{}
	for i := range 20 {
		counted[s.send(s.server.Client(), http.MethodPost, "/v1/recovery/options", map[string]string{"code": fmt.Sprintf("%s%04d-0000-0000-0000", lookup, i)}, nil, nil)]++
	}
	if counted["ceremony_invalid"] < 10 || counted["rate_limited"] < 8 || counted["ceremony_invalid"]+counted["rate_limited"] != 20 {
		s.t.Errorf("in place of one code: %v", counted)
	}
	clear(counted)
	for i := range 40 {
		network := http.Header{"X-Forwarded-For": {"203.0.113." + strconv.Itoa(i)}}
		counted[s.send(s.server.Client(), http.MethodPost, "/v1/recovery/options", map[string]string{"code": fmt.Sprintf("9%03d-9%03d-0000-0000-0000-0000", i, i)}, nil, network)]++
	}
	if counted["ceremony_invalid"] < 30 || counted["rate_limited"] < 3 || counted["ceremony_invalid"]+counted["rate_limited"] != 40 {
		s.t.Errorf("from one network: %v", counted)
	}
	s.want("a passkey of the account", ada.authenticate(s.server.Client(), nil), "")
	s.want("another code of the account", s.send(s.server.Client(), http.MethodPost, "/v1/recovery/options", map[string]string{"code": made[1]}, nil, nil), "")
}

// lockedOut: a passkey signs in however often others fail in its name and its account's, and from its network.
func lockedOut(s *siege) {
	ada, eve := s.person("Ada"), s.person("Eve")
	network := http.Header{"X-Forwarded-For": {"198.51.100.1"}}
	counted := map[string]int{}
	for range 40 {
		options := s.begin(eve.client, "authentication", nil)
		said, err := eve.passkey.Say(options.PublicKey)
		if err != nil {
			s.t.Fatal(err)
		}
		said.ID, said.UserHandle = ada.passkey.ID(), handle(s.t, ada.user.ID)
		answer, err := eve.passkey.Sign(said)
		if err != nil {
			s.t.Fatal(err)
		}
		counted[s.send(eve.client, http.MethodPost, "/v1/authentication", finish{options.Ceremony, answer}, nil, network.Clone())]++
	}
	if counted["rate_limited"] < 25 || counted["rate_limited"]+counted["credential_rejected"] != 40 {
		s.t.Errorf("failures: %v", counted)
	}
	options := s.begin(ada.client, "authentication", nil)
	answer, err := ada.passkey.Assert(options.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.want("the passkey itself", s.send(ada.client, http.MethodPost, "/v1/authentication", finish{options.Ceremony, answer}, nil, network.Clone()), "")
}

// operate runs an operator's command beside the server, and returns its standard output.
func (s *siege) operate(command ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), s.server.Binary, append(command, "--data", s.server.Data)...).Output()
	if err != nil {
		s.t.Fatalf("%q: %v", command, err)
	}
	return strings.TrimSpace(string(out))
}

// invited returns a staff member who was invited on the command line, and has accepted the invitation.
func (s *siege) invited(name, role string) *person {
	s.t.Helper()
	link := s.operate("staff", "invite", "--name", name, "--role", role)
	code, ok := strings.CutPrefix(link, s.server.Origin+"/support#invite=")
	if !ok {
		s.t.Fatalf("invitation: %q", link)
	}
	client := s.server.Client()
	var options begun
	s.want("begin", s.send(client, http.MethodPost, "/v1/recovery/options", map[string]string{"code": code}, &options, nil), "")
	passkey, created, err := support.CreatePasskey(s.server.Origin, options.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	var done struct{ User support.User }
	s.want("finish", s.send(client, http.MethodPost, "/v1/recovery", finish{options.Ceremony, created}, &done, nil), "")
	s.want("the link again", s.send(s.server.Client(), http.MethodPost, "/v1/recovery/options", map[string]string{"code": code}, nil, nil), "ceremony_invalid")
	return &person{s, client, done.User, passkey}
}

// allowedOrigin is the origin of further pages that may call the server.
const allowedOrigin = "http://notes.localhost:8090"

// elsewhere: a staff member signs in on a page of an allowed origin, which forwards the signed assertion without an
// origin of its own. The session is an ordinary user's, whatever its requests claim.
func elsewhere(s *siege) {
	grace := s.invited("Grace", "admin")
	page := s.server.Client()
	defer page.Close()
	s.want("signed in", grace.authenticate(page, func(said *support.Assertion) { said.Origin = allowedOrigin }), "")
	invitation := map[string]any{"name": "Mallory", "role": "admin", "reason": "a drill"}
	for name, header := range map[string]http.Header{
		"no origin": {}, "the server's origin": {"Origin": {s.server.Origin}, "Sec-Fetch-Site": {"same-origin"}},
	} {
		s.want(name+": the console", s.send(page, http.MethodGet, "/admin/v1/session", nil, nil, header.Clone()), "reauthentication_required")
		s.want(name+": a new admin", s.send(page, http.MethodPost, "/admin/v1/staff", invitation, nil, header.Clone()), "reauthentication_required")
		s.want(name+": codes", s.send(page, http.MethodPost, "/v1/recovery-codes", nil, nil, header.Clone()), "cross_origin")
		s.want(name+": a passkey", s.send(page, http.MethodPost, "/v1/registration/options", nil, nil, header.Clone()), "cross_origin")
	}

	// A code does not open the account there either, and the refused attempt has not spent it.
	link := s.operate("staff", "invite", "--name", "Sam", "--role", "support")
	for what, code := range map[string]string{
		"a recovery code": grace.codes()[0], "an invitation": strings.TrimPrefix(link, s.server.Origin+"/support#invite="),
	} {
		for _, try := range []struct{ origin, want string }{{allowedOrigin, "cross_origin"}, {s.server.Origin, ""}} {
			options := s.begin(page, "recovery", map[string]string{"code": code})
			_, created, err := support.CreatePasskey(try.origin, options.PublicKey)
			if err != nil {
				s.t.Fatal(err)
			}
			client := s.server.Client()
			s.want(what+" at "+try.origin, s.send(client, http.MethodPost, "/v1/recovery", finish{options.Ceremony, created}, nil, nil), try.want)
			client.Close()
		}
	}
}

// overreaching: support cannot do anything that needs an admin, neither to an admin's account nor from a page opened while
// its user still was one.
func overreaching(s *siege) {
	admin, member, user := s.invited("Eve", "admin"), s.invited("Sam", "support"), s.person("Ada")
	try := func(by *person, method, path string, body map[string]any) string {
		s.t.Helper()
		return s.send(by.client, method, "/admin/v1/"+path, body, nil, http.Header{"Origin": {s.server.Origin}, "Sec-Fetch-Site": {"same-origin"}})
	}
	because := map[string]any{"reason": "a drill"}
	invitation := map[string]any{"name": "Joe", "role": "admin", "reason": "a drill"}
	plan := map[string]any{"features": map[string]any{}, "device_limit": 1, "reason": "a drill"}
	for what, got := range map[string]string{
		"take over an admin":    try(member, http.MethodPost, "users/"+admin.user.ID+"/recovery", because),
		"sign an admin out":     try(member, http.MethodPost, "users/"+admin.user.ID+"/sign-out", because),
		"remove an admin":       try(member, http.MethodDelete, "staff/"+admin.user.ID, because),
		"invite an admin":       try(member, http.MethodPost, "staff", invitation),
		"see who is staff":      try(member, http.MethodGet, "staff", nil),
		"change a plan":         try(member, http.MethodPut, "plans/overreach", plan),
		"a user sees a session": try(user, http.MethodGet, "session", nil),
		"a user finds users":    try(user, http.MethodGet, "users", nil),
	} {
		s.want(what, got, "forbidden")
	}
	s.want("without a reason", try(member, http.MethodPost, "users/"+user.user.ID+"/recovery", nil), "invalid_request")
	s.want("with one", try(member, http.MethodPost, "users/"+user.user.ID+"/recovery", because), "")
	s.want("an admin's page", try(admin, http.MethodGet, "staff", nil), "")
	s.want("a form elsewhere", s.send(admin.client, http.MethodPost, "/admin/v1/staff", invitation, nil,
		http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}), "cross_origin")

	s.operate("staff", "remove", admin.user.ID)
	s.want("the page of who was an admin", try(admin, http.MethodPost, "staff", invitation), "unauthenticated")
	if _, err := admin.client.SignIn(s.t.Context(), admin.passkey); err != nil {
		s.t.Fatal(err)
	}
	s.want("the same page, signed in again", try(admin, http.MethodPost, "staff", invitation), "forbidden")
	if left := s.operate("staff", "list"); strings.Contains(left, "Eve") || strings.Contains(left, "Joe") || !strings.Contains(left, "Sam") {
		s.t.Errorf("staff: %s", left)
	}
}
