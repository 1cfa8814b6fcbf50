package support

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// reconcileTries bounds the attempts of one reconcile. One attempt without a nonce, one with it and one after a stale
// lineage are ordinary; more happen only if several reconciles of one device run at once.
const reconcileTries = 12

// Device is one installation: a key pair and its storage. It is safe for concurrent use, like the storage that tabs and
// the service worker share.
type Device struct {
	ID string

	key    *ecdsa.PrivateKey
	public jwk

	mu    sync.Mutex
	held  reconcileRequest // what the device holds, as its next request says
	nonce string
	acts  []string // entries of the ledger that are uploaded, base64url
	seq   int      // of the last entry
	last  [sha256.Size]byte
}

type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// NewDevice makes a key pair that no server knows yet.
func NewDevice() (*Device, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes() // 0x04 ‖ X ‖ Y
	if err != nil {
		return nil, err
	}
	return &Device{key: key, public: jwk{Kty: "EC", Crv: "P-256", X: encode(point[1:33]), Y: encode(point[33:])}}, nil
}

// Link links the device to the user that c is signed in as.
func (d *Device) Link(ctx context.Context, c *Client, name string) error {
	payload, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return err
	}
	for range reconcileTries {
		nonce, _ := d.stored()
		header, _, err := d.proof(http.MethodPost, c.Origin+"/v1/devices", nonce, payload)
		if err != nil {
			return err
		}
		var linked struct {
			Device  string `json:"device"`
			Lineage string `json:"lineage"`
		}
		answer, err := c.send(ctx, http.MethodPost, "/v1/devices", payload, &linked, header)
		d.keepNonce(answer.Header)
		var problem *Problem
		if errors.As(err, &problem) && problem.Code == "use_dpop_nonce" {
			continue
		}
		if err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ID, d.held = linked.Device, reconcileRequest{Device: linked.Device, Lineage: linked.Lineage}
		return nil
	}
	return errors.New("link: the server asked for a new nonce every time")
}

// Record records an act of a feature under the document that is held. Every reconcile uploads all acts since [Device.Forget].
func (d *Device) Record(feature string, held Document) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seq == 0 {
		d.last = sha256.Sum256([]byte(d.ID))
	}
	d.seq++
	entry, err := json.Marshal(map[string]any{
		"seq": d.seq, "prev": encode(d.last[:]), "at": time.Now().Unix(), "feature": feature, "document": held.ID, "action": "save", "payload": nil,
	})
	d.acts, d.last = append(d.acts, encode(entry)), sha256.Sum256(entry)
	return err
}

// Forget stops uploading the acts recorded so far, which the server has taken.
func (d *Device) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acts = nil
}

// ledger signs the acts recorded; nil if there are none.
func (d *Device) ledger() (*string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.acts) == 0 {
		return nil, nil
	}
	signed, err := sign(d.key, map[string]any{"alg": "ES256", "typ": "ledger+jwt"}, map[string]any{"device": d.ID, "entries": d.acts})
	return &signed, err
}

// Reconciled is the result of a reconcile.
type Reconciled struct {
	Document Document
	Status   int       // 200, or 409 for a quarantined device
	Verdicts []Verdict // on the acts recorded
}

// Verdict is what an act is worth.
type Verdict struct {
	Seq           int64
	Verdict, Code string
}

type reconcileRequest struct {
	Device        string `json:"device"`
	Lineage       string `json:"lineage"`
	KeysetVersion int64  `json:"keyset_version"`
	Passkeys      string `json:"passkeys,omitempty"` // digest of the passkeys document

	Ledger *string `json:"ledger,omitempty"`
}

type reconcileAnswer struct {
	Document string `json:"document"`
	Lineage  string `json:"lineage"`
	Passkeys string `json:"passkeys"`
	Keyset   string `json:"keyset"`

	Verdicts []Verdict `json:"verdicts"`
}

// Reconcile requests a new document through c and follows the device's side of the contract: every attempt reads the
// lineage from storage again, and an answer's lineage is stored only if storage still holds the one that was sent. A
// quarantined device is not an error here: its document says so.
func (d *Device) Reconcile(ctx context.Context, c *Client) (Reconciled, error) {
	for range reconcileTries {
		attempt, err := d.Prepare(c)
		if err != nil {
			return Reconciled{}, err
		}
		reconciled, err := d.Send(ctx, c, attempt)
		if problem, ok := errors.AsType[*Problem](err); ok && problem.Code == "use_dpop_nonce" {
			continue
		}
		return reconciled, err
	}
	return Reconciled{}, errors.New("reconcile: the server asked for a new nonce every time")
}

// Attempt is a signed request for a reconcile.
type Attempt struct {
	lineage, jti string
	payload      []byte
	header       http.Header
}

// Prepare signs a request.
func (d *Device) Prepare(c *Client) (Attempt, error) {
	nonce, sent := d.stored()
	var err error
	if sent.Ledger, err = d.ledger(); err != nil {
		return Attempt{}, err
	}
	payload, err := json.Marshal(sent)
	if err != nil {
		return Attempt{}, err
	}
	header, jti, err := d.proof(http.MethodPost, c.Origin+"/v1/reconcile", nonce, payload)
	return Attempt{sent.Lineage, jti, payload, header}, err
}

// Send sends a request once. A request that the server refused without looking at it can be sent again.
func (d *Device) Send(ctx context.Context, c *Client, attempt Attempt) (Reconciled, error) {
	var given reconcileAnswer
	answer, err := c.send(ctx, http.MethodPost, "/v1/reconcile", attempt.payload, &given, attempt.header)
	d.keepNonce(answer.Header)
	if problem, ok := errors.AsType[*Problem](err); ok && problem.Code == "device_forked" {
		if err := json.Unmarshal(problem.Extra, &given); err != nil {
			return Reconciled{}, err
		}
		document, err := ParseDocument(given.Document)
		return Reconciled{Document: document, Status: answer.Status}, err
	}
	if err != nil {
		return Reconciled{}, err
	}
	document, err := ParseDocument(given.Document)
	if err != nil {
		return Reconciled{}, err
	}
	if document.Proof != attempt.jti || document.Device != d.ID {
		return Reconciled{}, fmt.Errorf("the document answers proof %q of device %q, not %q of %q", document.Proof, document.Device, attempt.jti, d.ID)
	}
	if err := d.keep(attempt.lineage, given); err != nil {
		return Reconciled{}, err
	}
	return Reconciled{Document: document, Status: answer.Status, Verdicts: given.Verdicts}, nil
}

// ContentKeys asks for the content keys of the features granted, and returns them as they are encrypted.
func (d *Device) ContentKeys(ctx context.Context, c *Client) (encrypted string, err error) {
	payload, err := json.Marshal(map[string]any{"device": d.ID, "key": d.public})
	if err != nil {
		return "", err
	}
	for range reconcileTries {
		nonce, _ := d.stored()
		header, _, err := d.proof(http.MethodPost, c.Origin+"/v1/vault/keys", nonce, payload)
		if err != nil {
			return "", err
		}
		var given struct{ Keys string }
		answer, err := c.send(ctx, http.MethodPost, "/v1/vault/keys", payload, &given, header)
		d.keepNonce(answer.Header)
		if problem, ok := errors.AsType[*Problem](err); ok && problem.Code == "use_dpop_nonce" {
			continue
		}
		return given.Keys, err
	}
	return "", errors.New("content keys: the server asked for a new nonce every time")
}

// stored reads the nonce and the lineage at one instant. A nonce that answers a stale lineage must never be sent with a
// lineage read before that nonce arrived, or an honest device looks like a copy.
func (d *Device) stored() (nonce string, held reconcileRequest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nonce, d.held
}

// keep stores an answer if storage still holds the lineage that was sent for it.
func (d *Device) keep(sent string, given reconcileAnswer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held.Lineage != sent {
		return nil
	}
	d.held.Lineage = given.Lineage
	if given.Passkeys != "" {
		digest := sha256.Sum256([]byte(given.Passkeys[:strings.LastIndexByte(given.Passkeys, '.')]))
		d.held.Passkeys = encode(digest[:])
	}
	if given.Keyset == "" {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(given.Keyset, ".")[1])
	if err != nil {
		return err
	}
	var keyset struct{ Version int64 }
	if err := json.Unmarshal(payload, &keyset); err != nil {
		return err
	}
	d.held.KeysetVersion = keyset.Version
	return nil
}

func (d *Device) keepNonce(header http.Header) {
	if nonce := header.Get("DPoP-Nonce"); nonce != "" {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.nonce = nonce
	}
}

// proof makes a DPoP proof (RFC 9449 §4.2) with the contract's body claim; an empty nonce is left out.
func (d *Device) proof(method, url, nonce string, body []byte) (http.Header, string, error) {
	digest := sha256.Sum256(body)
	jti := rand.Text()
	claims := map[string]any{"jti": jti, "htm": method, "htu": url, "iat": time.Now().Unix(), "body": encode(digest[:])}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	signed, err := sign(d.key, map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": d.public}, claims)
	return http.Header{"Dpop": {signed}}, jti, err
}

// sign makes a compact ES256 JWS (RFC 7515 §3.1, RFC 7518 §3.4: r ‖ s).
func sign(key *ecdsa.PrivateKey, header, claims any) (string, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := encode(head) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + encode(signature[:]), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Prove returns the header of a proof for one request, under the latest nonce that the device received.
func (d *Device) Prove(method, url string, body []byte) (http.Header, error) {
	nonce, _ := d.stored()
	header, _, err := d.proof(method, url, nonce, body)
	return header, err
}

// Hear stores the nonce that an answer carries.
func (d *Device) Hear(header http.Header) { d.keepNonce(header) }

// Lineage returns the lineage that the device would send with its next reconcile.
func (d *Device) Lineage() string {
	_, held := d.stored()
	return held.Lineage
}

// Nonce returns the latest nonce that the device received.
func (d *Device) Nonce() string {
	nonce, _ := d.stored()
	return nonce
}

// ProveFor returns a proof for a request to a host's back end that presents document (RFC 9449 §7.1). Changes replace
// claims; an empty one is left out.
func (d *Device) ProveFor(method, url, document string, changes map[string]any) (string, error) {
	digest := sha256.Sum256([]byte(document))
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix(), "ath": encode(digest[:])}
	for name, value := range changes {
		if claims[name] = value; value == "" {
			delete(claims, name)
		}
	}
	return sign(d.key, map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": d.public}, claims)
}
