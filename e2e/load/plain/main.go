// Command plain is the baseline for Holdfast's speed: sign-in with passkeys and a signed answer, written on net/http and
// database/sql as most people would. It has no devices, proofs, lineage, limits, audit or notices, and must not be used
// for anything else.
//
//	DATABASE_URL=postgres://… LISTEN=localhost:9000 ORIGIN=http://localhost:9000 plain
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwt"
	_ "github.com/lib/pq"
)

const schema = `
DROP SCHEMA IF EXISTS plain CASCADE;
CREATE SCHEMA plain;
SET search_path = plain;
CREATE TABLE users (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE credentials (id bytea PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, data jsonb NOT NULL);
CREATE INDEX ON credentials (user_id);
CREATE TABLE ceremonies (id uuid PRIMARY KEY, data jsonb NOT NULL, user_name text, user_id uuid, expires_at timestamptz NOT NULL);
CREATE TABLE sessions (token_hash bytea PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, expires_at timestamptz NOT NULL);
CREATE TABLE subscriptions (user_id uuid PRIMARY KEY REFERENCES users, plan text NOT NULL, paid_through timestamptz NOT NULL)`

type server struct {
	db     *sql.DB
	party  *webauthn.WebAuthn
	origin string
	key    *ecdsa.PrivateKey
}

// user is go-webauthn's view of an account.
type user struct {
	id          uuid.UUID
	name        string
	credentials []webauthn.Credential
}

func (u user) WebAuthnID() []byte                         { return u.id[:] }
func (u user) WebAuthnName() string                       { return u.name }
func (u user) WebAuthnDisplayName() string                { return u.name }
func (u user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

func main() {
	origin, err := url.Parse(os.Getenv("ORIGIN"))
	if err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("postgres", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(30)
	db.SetMaxIdleConns(30)
	if _, err := db.Exec(schema); err != nil {
		log.Fatal(err)
	}
	party, err := webauthn.New(&webauthn.Config{RPID: origin.Hostname(), RPDisplayName: "Plain", RPOrigins: []string{origin.String()}})
	if err != nil {
		log.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{db: db, party: party, origin: origin.String(), key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/registration/options", s.handle(s.beginRegistration))
	mux.HandleFunc("POST /v1/registration", s.handle(s.register))
	mux.HandleFunc("POST /v1/authentication/options", s.handle(s.beginAuthentication))
	mux.HandleFunc("POST /v1/authentication", s.handle(s.authenticate))
	mux.HandleFunc("GET /v1/entitlements", s.handle(s.entitlements))
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), mux))
}

// handle answers with the result of f as JSON.
func (s *server) handle(f func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := f(w, r)
		if err != nil {
			log.Print(err)
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(body); err != nil {
			log.Print(err)
		}
	}
}

type begun struct {
	Ceremony  uuid.UUID `json:"ceremony"`
	PublicKey any       `json:"publicKey"`
}

type finish struct {
	Ceremony   uuid.UUID       `json:"ceremony"`
	Credential json.RawMessage `json:"credential"`
}

type signedIn struct {
	User struct {
		ID   uuid.UUID `json:"id"`
		Name string    `json:"name"`
	} `json:"user"`
}

func (s *server) beginRegistration(_ http.ResponseWriter, r *http.Request) (any, error) {
	var request struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	u := user{id: uuid.New(), name: request.Name}
	creation, session, err := s.party.BeginRegistration(u, webauthn.WithResidentKeyRequirement(protocol.ResidentKeyRequirementRequired))
	if err != nil {
		return nil, err
	}
	ceremony, err := s.keep(session, u)
	return begun{ceremony, creation.Response}, err
}

func (s *server) beginAuthentication(http.ResponseWriter, *http.Request) (any, error) {
	assertion, session, err := s.party.BeginDiscoverableLogin()
	if err != nil {
		return nil, err
	}
	ceremony, err := s.keep(session, user{})
	return begun{ceremony, assertion.Response}, err
}

func (s *server) keep(session *webauthn.SessionData, u user) (uuid.UUID, error) {
	data, err := json.Marshal(session)
	if err != nil {
		return uuid.UUID{}, err
	}
	id := uuid.New()
	_, err = s.db.Exec(`INSERT INTO plain.ceremonies VALUES ($1, $2, $3, $4, $5)`, id, data, u.name, u.id, time.Now().Add(5*time.Minute))
	return id, err
}

// take reads the request that finishes a ceremony, and deletes the ceremony.
func (s *server) take(r *http.Request) (request finish, session webauthn.SessionData, u user, err error) {
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return request, session, u, err
	}
	var data []byte
	err = s.db.QueryRow(`DELETE FROM plain.ceremonies WHERE id = $1 AND expires_at > now() RETURNING data, user_name, user_id`, request.Ceremony).
		Scan(&data, &u.name, &u.id)
	if err != nil {
		return request, session, u, err
	}
	return request, session, u, json.Unmarshal(data, &session)
}

func (s *server) register(w http.ResponseWriter, r *http.Request) (any, error) {
	request, session, u, err := s.take(r)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(request.Credential)
	if err != nil {
		return nil, err
	}
	credential, err := s.party.CreateCredential(u, session, parsed)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return nil, err
	}
	tx, err := s.db.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.Exec(`INSERT INTO plain.users VALUES ($1, $2)`, u.id, u.name); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(`INSERT INTO plain.credentials VALUES ($1, $2, $3)`, credential.ID, u.id, data); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(`INSERT INTO plain.subscriptions VALUES ($1, 'premium', now() + interval '14 days')`, u.id); err != nil {
		return nil, err
	}
	if err := s.open(tx, w, u.id); err != nil {
		return nil, err
	}
	return s.signedIn(u), tx.Commit()
}

func (s *server) authenticate(w http.ResponseWriter, r *http.Request) (any, error) {
	request, session, _, err := s.take(r)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(request.Credential)
	if err != nil {
		return nil, err
	}
	var u user
	_, credential, err := s.party.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		copy(u.id[:], handle)
		if err := s.db.QueryRow(`SELECT name FROM plain.users WHERE id = $1`, u.id).Scan(&u.name); err != nil {
			return nil, err
		}
		rows, err := s.db.Query(`SELECT data FROM plain.credentials WHERE user_id = $1`, u.id)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var data []byte
			var credential webauthn.Credential
			if err := rows.Scan(&data); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(data, &credential); err != nil {
				return nil, err
			}
			u.credentials = append(u.credentials, credential)
		}
		return u, rows.Err()
	}, session, parsed)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return nil, err
	}
	tx, err := s.db.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.Exec(`UPDATE plain.credentials SET data = $2 WHERE id = $1`, credential.ID, data); err != nil {
		return nil, err
	}
	if err := s.open(tx, w, u.id); err != nil {
		return nil, err
	}
	return s.signedIn(u), tx.Commit()
}

// open starts a session.
func (s *server) open(tx *sql.Tx, w http.ResponseWriter, user uuid.UUID) error {
	token := rand.Text()
	hash := sha256.Sum256([]byte(token))
	if _, err := tx.Exec(`INSERT INTO plain.sessions VALUES ($1, $2, now() + interval '14 days')`, hash[:], user); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: "plain", Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return nil
}

func (s *server) signedIn(u user) (answer signedIn) {
	answer.User.ID, answer.User.Name = u.id, u.name
	return answer
}

// entitlements answers a session with a signed token: session, two reads, a signature.
func (s *server) entitlements(_ http.ResponseWriter, r *http.Request) (any, error) {
	cookie, err := r.Cookie("plain")
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(cookie.Value))
	var u user
	err = s.db.QueryRow(`SELECT user_id, name FROM plain.sessions JOIN plain.users ON users.id = user_id WHERE token_hash = $1 AND expires_at > now()`, hash[:]).
		Scan(&u.id, &u.name)
	if err != nil {
		return nil, err
	}
	var plan string
	var paid time.Time
	if err := s.db.QueryRow(`SELECT plan, paid_through FROM plain.subscriptions WHERE user_id = $1`, u.id).Scan(&plan, &paid); err != nil {
		return nil, err
	}
	token, err := jwt.NewBuilder().Issuer(s.origin).Audience([]string{s.origin}).Subject(u.id.String()).
		IssuedAt(time.Now()).Expiration(time.Now().Add(7*24*time.Hour)).
		Claim("plan", plan).Claim("paid_through", paid.Unix()).Claim("features", map[string]any{"export": struct{}{}}).Build()
	if err != nil {
		return nil, err
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, s.key))
	return map[string]string{"document": string(signed)}, err
}
