package dpop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"holdfast/entitlements/jose"
)

// NonceLife is how long a nonce is valid.
const NonceLife = 5 * time.Minute

// tolerance is how far the clock of the replica that issued a nonce may be ahead of this one's.
const tolerance = time.Minute

// ProofLife is how long a proof can be accepted, by the clocks of all replicas: as long as its nonce can be valid.
const ProofLife = NonceLife + tolerance

const (
	nonceHead = 8 + 8 // unix milliseconds, random bytes
	nonceMAC  = 16    // HMAC-SHA-256, cut to 128 bits
)

// Nonces makes and checks nonces. It is safe for concurrent use.
type Nonces struct {
	secret []byte
	now    func() time.Time
	rand   io.Reader
}

// NewNonces returns nonces under a secret of at least 32 bytes, which all replicas share.
func NewNonces(secret []byte, now func() time.Time, rand io.Reader) (*Nonces, error) {
	if len(secret) < 32 {
		return nil, fmt.Errorf("nonce secret: %d bytes are too few", len(secret))
	}
	return &Nonces{secret: secret, now: now, rand: rand}, nil
}

// Issue makes a nonce bound to binding, which may be nil and is readable to every holder of the nonce.
func (n *Nonces) Issue(binding []byte) (string, error) {
	nonce := binary.BigEndian.AppendUint64(nil, uint64(n.now().UnixMilli()))
	random := make([]byte, 8)
	if _, err := io.ReadFull(n.rand, random); err != nil {
		return "", fmt.Errorf("issue nonce: %w", err)
	}
	nonce = append(nonce, random...)
	nonce = append(nonce, binding...)
	return jose.EncodeBase64(append(nonce, n.mac(nonce)...)), nil
}

// Check judges the proof's nonce and returns the proof with the nonce's binding. It fails with [ErrUseNonce].
func (n *Nonces) Check(p Proof) (Proof, error) {
	nonce, err := jose.DecodeBase64(p.Nonce)
	if err != nil || len(nonce) < nonceHead+nonceMAC {
		return Proof{}, ErrUseNonce
	}
	body, mac := nonce[:len(nonce)-nonceMAC], nonce[len(nonce)-nonceMAC:]
	if !hmac.Equal(mac, n.mac(body)) {
		return Proof{}, ErrUseNonce
	}
	age := n.now().Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(body))))
	if age > NonceLife || age < -tolerance {
		return Proof{}, ErrUseNonce
	}
	if len(body) > nonceHead {
		p.Binding = body[nonceHead:]
	}
	return p, nil
}

func (n *Nonces) mac(body []byte) []byte {
	h := hmac.New(sha256.New, n.secret)
	h.Write([]byte("holdfast nonce\x00"))
	h.Write(body)
	return h.Sum(nil)[:nonceMAC]
}
