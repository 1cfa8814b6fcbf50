package support

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// Document holds the claims of an entitlement document that the drills use.
type Document struct {
	ID       string                     `json:"jti"`
	Issuer   string                     `json:"iss"`
	Subject  string                     `json:"sub"`
	IssuedAt int64                      `json:"iat"` // unix seconds
	Expires  int64                      `json:"exp"` // unix seconds
	Revision int64                      `json:"rev"`
	State    string                     `json:"state"`
	Reason   *string                    `json:"reason"`
	Features map[string]json.RawMessage `json:"features"`
	Device   string                     `json:"device"`
	Proof    string                     `json:"proof"`

	Compact string `json:"-"` // the JWS itself
}

// Ends returns the end of the document.
func (d Document) Ends() time.Time { return time.Unix(d.Expires, 0) }

// ParseDocument reads the claims of a compact JWS without verifying it; see [JWKS.Verify].
func ParseDocument(compact string) (Document, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return Document{}, fmt.Errorf("no compact JWS: %.60q", compact)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Document{}, err
	}
	document := Document{Compact: compact}
	return document, json.Unmarshal(payload, &document)
}

// JWKS holds the published ES256 keys by their id.
type JWKS map[string]*ecdsa.PublicKey

// FetchJWKS reads /.well-known/jwks.json (RFC 7517).
func FetchJWKS(ctx context.Context, c *Client) (JWKS, error) {
	var set struct {
		Keys []struct {
			jwk
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	if _, err := c.Do(ctx, http.MethodGet, "/.well-known/jwks.json", nil, &set, nil); err != nil {
		return nil, err
	}
	keys := JWKS{}
	for _, member := range set.Keys {
		if member.Kty != "EC" || member.Crv != "P-256" {
			continue
		}
		x, err := base64.RawURLEncoding.DecodeString(member.X)
		if err != nil {
			return nil, err
		}
		y, err := base64.RawURLEncoding.DecodeString(member.Y)
		if err != nil {
			return nil, err
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", member.Kid, err)
		}
		keys[member.Kid] = key
	}
	return keys, nil
}

// Verify checks the signature and the type of an entitlement document as any JWT library would.
func (k JWKS) Verify(d Document) error {
	parts := strings.Split(d.Compact, ".")
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return err
	}
	var header struct{ Alg, Kid, Typ string }
	if err := json.Unmarshal(head, &header); err != nil {
		return err
	}
	if header.Alg != "ES256" || header.Typ != "entitlement+jwt" {
		return fmt.Errorf("header %s", head)
	}
	key, ok := k[header.Kid]
	if !ok {
		return fmt.Errorf("key %q is not published", header.Kid)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	if len(signature) != 64 {
		return fmt.Errorf("a signature of %d bytes", len(signature))
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return errors.New("the signature is wrong")
	}
	return nil
}
