package jose_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"holdfast/entitlements/jose"
)

func TestEncryptAndDecrypt(t *testing.T) {
	own, other := key(t), key(t)
	text, err := jose.Encrypt(own.PublicKey, "test+jwt", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 5 {
		t.Fatalf("%d parts", len(parts))
	}
	head, err := jose.DecodeBase64(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Alg, Enc, Kid, Cty string }
	if err := json.Unmarshal(head, &header); err != nil {
		t.Fatal(err)
	}
	if header.Alg != "ECDH-ES+A256KW" || header.Enc != "A256GCM" || header.Kid != own.ID() || header.Cty != "test+jwt" {
		t.Errorf("header %s", head)
	}
	if payload, err := jose.Decrypt(own, text); err != nil || string(payload) != "secret" {
		t.Errorf("%q, %v", payload, err)
	}
	if _, err := jose.Decrypt(other, text); !errors.Is(err, jose.ErrDecrypt) {
		t.Errorf("another key: %v", err)
	}
	for i, part := range parts {
		changed := append([]string{}, parts...)
		first := "A"
		if strings.HasPrefix(part, "A") {
			first = "B"
		}
		changed[i] = first + part[1:]
		if _, err := jose.Decrypt(own, strings.Join(changed, ".")); !errors.Is(err, jose.ErrDecrypt) {
			t.Errorf("part %d changed: %v", i, err)
		}
	}
}
