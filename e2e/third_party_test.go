package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/e2e/support"
)

// Third parties that know only /.well-known/jwks.json verify the documents: with another Go library, and with jose in
// Node. Neither accepts a document that was changed, or meant for another audience.
func TestThirdPartiesVerifyDocuments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := support.NewServer(t, binary)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	user, _, err := client.Register(ctx, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Trial(ctx); err != nil {
		t.Fatal(err)
	}
	device, err := support.NewDevice()
	if err != nil {
		t.Fatal(err)
	}
	if err := device.Link(ctx, client, "laptop"); err != nil {
		t.Fatal(err)
	}
	reconciled, err := device.Reconcile(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	good := reconciled.Document.Compact
	if len(reconciled.Document.Features) == 0 {
		t.Fatalf("nothing to verify: %+v", reconciled.Document)
	}
	part := strings.Split(good, ".")
	claims, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	changed := part[0] + "." + base64.RawURLEncoding.EncodeToString(bytes.Replace(claims, []byte(`"rev":`), []byte(`"rev":1`), 1)) + "." + part[2]
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"entitlement+jwt"}`)) + "." + part[1] + "."

	address := server.Address() + "/.well-known/jwks.json"
	for name, verify := range map[string]func(document, issuer string) (string, error){
		"golang-jwt": func(document, issuer string) (string, error) { return verifyInGo(ctx, address, document, issuer) },
		"jose":       func(document, issuer string) (string, error) { return verifyInNode(ctx, address, document, issuer) },
	} {
		if subject, err := verify(good, server.Origin); err != nil || subject != user.ID {
			t.Errorf("%s: subject %q, %v", name, subject, err)
		}
		if _, err := verify(changed, server.Origin); err == nil {
			t.Errorf("%s takes a document that was changed", name)
		}
		if _, err := verify(none, server.Origin); err == nil {
			t.Errorf("%s takes a document without a signature", name)
		}
		if _, err := verify(good, "https://elsewhere.example.com"); err == nil {
			t.Errorf("%s takes a document of another issuer", name)
		}
	}
}

// verifyInGo uses github.com/golang-jwt/jwt, which leaves reading the key set to its caller.
func verifyInGo(ctx context.Context, address, document, issuer string) (subject string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var set struct {
		Keys []struct{ Kid, Kty, Crv, Alg, Use, X, Y string }
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return "", err
	}
	find := func(token *jwt.Token) (any, error) {
		for _, key := range set.Keys {
			if key.Kid != token.Header["kid"] || key.Alg != "ES256" || key.Use != "sig" || key.Crv != "P-256" {
				continue
			}
			point, err := base64.RawURLEncoding.DecodeString("BA") // 0x04, uncompressed: SEC 1 §2.3.3
			for _, coordinate := range []string{key.X, key.Y} {
				b, wrong := base64.RawURLEncoding.DecodeString(coordinate)
				if wrong != nil {
					err = wrong
				}
				point = append(point, b...)
			}
			if err != nil {
				return nil, err
			}
			return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		}
		return nil, fmt.Errorf("no key %v in %s", token.Header["kid"], address)
	}
	token, err := jwt.Parse(document, find, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuer),
		jwt.WithAudience(issuer), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(time.Minute))
	if err != nil {
		return "", err
	}
	return token.Claims.GetSubject()
}

// verifyInNode runs third-party/verify.mjs.
func verifyInNode(ctx context.Context, address, document, issuer string) (subject string, err error) {
	var errors bytes.Buffer
	command := exec.CommandContext(ctx, "node", "third-party/verify.mjs", address, issuer)
	command.Stdin, command.Stderr = strings.NewReader(document), &errors
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %.500s", err, errors.String())
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	return claims.Sub, json.Unmarshal(out, &claims)
}
