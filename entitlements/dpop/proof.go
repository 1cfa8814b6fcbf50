package dpop

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements/jose"
)

var (
	// ErrInvalidProof is returned for a proof that is not valid for this request (RFC 9449 §5, invalid_dpop_proof).
	ErrInvalidProof = errors.New("invalid DPoP proof")
	// ErrUseNonce is returned for a sound proof with no nonce of this server, or an expired one (RFC 9449 §8).
	ErrUseNonce = errors.New("DPoP proof without a fresh nonce")
)

// maxJTI is the longest jti, in characters.
const maxJTI = 64

// Proof is a proof whose signature, method and URL have been checked.
type Proof struct {
	// Key is the key that signed, and JKT its RFC 7638 thumbprint.
	Key jose.PublicKey
	JKT string
	// JTI is the proof's own id, at most 64 characters.
	JTI string
	// Nonce is the proof's nonce; empty if it has none. [Nonces.Check] judges it.
	Nonce string
	// Binding is what the checked nonce is bound to; nil for an unbound nonce.
	Binding []byte
	// IssuedAt is the iat: unix seconds by the device's clock. It is not checked and may be any number.
	IssuedAt float64

	body []byte  // SHA-256 of the request body; nil if the proof has none
	ath  *string // hash of the access token, as encoded in the proof; nil if it has none
}

// Parse checks a proof for a request of method to target (RFC 9449 §4.3): the DPoP header's value, a compact JWS with
// exactly the header members typ, alg and jwk. Query and fragment of its htu are ignored. It fails with
// [ErrInvalidProof].
func Parse(header, method, target string) (Proof, error) {
	message, err := jose.Parse(header)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrInvalidProof, err)
	}
	var h struct {
		Typ string         `json:"typ"`
		Alg string         `json:"alg"`
		JWK jsontext.Value `json:"jwk"`
	}
	if err := json.Unmarshal(message.Header, &h, json.RejectUnknownMembers(true)); err != nil {
		return Proof{}, fmt.Errorf("%w: header: %w", ErrInvalidProof, err)
	}
	if h.Typ != "dpop+jwt" || h.Alg != jose.Algorithm {
		return Proof{}, fmt.Errorf("%w: typ %q, alg %q", ErrInvalidProof, h.Typ, h.Alg)
	}
	key, err := jose.ParsePublicKey(h.JWK)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrInvalidProof, err)
	}
	if err := message.Verify(key); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrInvalidProof, err)
	}

	var claims struct {
		JTI   string   `json:"jti"`
		HTM   string   `json:"htm"`
		HTU   string   `json:"htu"`
		IAT   *float64 `json:"iat"`
		Nonce string   `json:"nonce"`
		Body  *string  `json:"body"`
		ATH   *string  `json:"ath"`
	}
	if err := json.Unmarshal(message.Payload, &claims); err != nil {
		return Proof{}, fmt.Errorf("%w: claims: %w", ErrInvalidProof, err)
	}
	switch {
	case claims.JTI == "" || utf8.RuneCountInString(claims.JTI) > maxJTI:
		return Proof{}, fmt.Errorf("%w: jti", ErrInvalidProof)
	case claims.IAT == nil:
		return Proof{}, fmt.Errorf("%w: iat", ErrInvalidProof)
	case claims.HTM != method:
		return Proof{}, fmt.Errorf("%w: htm", ErrInvalidProof)
	case !sameTarget(claims.HTU, target):
		return Proof{}, fmt.Errorf("%w: htu", ErrInvalidProof)
	}
	proof := Proof{Key: key, JKT: key.ID(), JTI: claims.JTI, Nonce: claims.Nonce, IssuedAt: *claims.IAT, ath: claims.ATH}
	if claims.Body != nil {
		if proof.body, err = jose.DecodeBase64(*claims.Body); err != nil || len(proof.body) != sha256.Size {
			return Proof{}, fmt.Errorf("%w: body", ErrInvalidProof)
		}
	}
	return proof, nil
}

// CheckBody compares the request's body with the hash in the proof, if the proof has one. It fails with
// [ErrInvalidProof].
func (p Proof) CheckBody(body []byte) error {
	if p.body == nil {
		return nil
	}
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:], p.body) != 1 {
		return fmt.Errorf("%w: the body is not the one that was signed", ErrInvalidProof)
	}
	return nil
}

// SignsBody reports whether the proof has a hash of the body.
func (p Proof) SignsBody() bool { return p.body != nil }

// CheckToken requires that the proof was made for the access token that came with it (RFC 9449 §4.3, number 12). It
// fails with [ErrInvalidProof].
func (p Proof) CheckToken(token string) error {
	sum := sha256.Sum256([]byte(token))
	if p.ath == nil || subtle.ConstantTimeCompare([]byte(*p.ath), []byte(jose.EncodeBase64(sum[:]))) != 1 {
		return fmt.Errorf("%w: ath", ErrInvalidProof)
	}
	return nil
}

// sameTarget compares without query and fragment (RFC 9449 §4.3, number 9).
func sameTarget(htu, target string) bool {
	if htu == target {
		return true
	}
	u, err := url.Parse(htu)
	if err != nil {
		return false
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	return u.String() == target
}
