package jose_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"holdfast/entitlements/jose"
)

func key(t testing.TB) jose.PrivateKey {
	t.Helper()
	k, err := jose.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k jose.PrivateKey) string {
	t.Helper()
	text, err := jose.Sign(k, "test+jwt", map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSignAndVerify(t *testing.T) {
	k, other := key(t), key(t)
	message, err := jose.Parse(sign(t, k))
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]string
	if err := json.Unmarshal(message.Header, &header); err != nil {
		t.Fatal(err)
	}
	if len(header) != 3 || header["alg"] != "ES256" || header["typ"] != "test+jwt" || header["kid"] != k.ID() {
		t.Errorf("header %v", header)
	}
	if string(message.Payload) != `{"a":1}` {
		t.Errorf("payload %s", message.Payload)
	}
	if err := message.Verify(k.PublicKey); err != nil {
		t.Error("verify:", err)
	}
	for name, wrong := range map[string]jose.PublicKey{"another key": other.PublicKey, "no key": {}} {
		if err := message.Verify(wrong); !errors.Is(err, jose.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyRefusesChangedBytes(t *testing.T) {
	k := key(t)
	text := sign(t, k)
	for i := range text {
		if text[i] == '.' {
			continue
		}
		for _, c := range []byte("Aq_9-=+/ \n.") {
			if c == text[i] {
				continue
			}
			message, err := jose.Parse(text[:i] + string(c) + text[i+1:])
			if err == nil && message.Verify(k.PublicKey) == nil {
				t.Fatalf("byte %d may be %q", i, c)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	text := sign(t, key(t))
	parts := strings.Split(text, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, wrong := range map[string]string{
		"empty":              "",
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         text + ".",
		"five parts":         text + ".a.b",
		"space before":       " " + text,
		"line break after":   text + "\n",
		"line break within":  parts[0] + "." + parts[1] + "." + parts[2][:4] + "\n" + parts[2][4:],
		"padding":            parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"standard alphabet":  parts[0] + "." + parts[1] + "." + "+/" + parts[2][2:],
		"trailing bits":      parts[0] + "." + encode("abcd")[:5] + "h." + parts[2],
		"header is no JSON":  encode("alg") + "." + parts[1] + "." + parts[2],
		"header is an array": encode(`["ES256"]`) + "." + parts[1] + "." + parts[2],
		"header is null":     encode(`null`) + "." + parts[1] + "." + parts[2],
		"header twice":       encode(`{"alg":"ES256"}{}`) + "." + parts[1] + "." + parts[2],
		"duplicate member":   encode(`{"alg":"ES256","alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"invalid UTF-8":      encode("{\"alg\":\"\xff\"}") + "." + parts[1] + "." + parts[2],
		"JSON serialization": `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
	} {
		if _, err := jose.Parse(wrong); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignatureForm: ES256 signatures are r and s, 32 bytes each (RFC 7518 §3.4), in range.
func TestSignatureForm(t *testing.T) {
	k := key(t)
	text := sign(t, k)
	head := text[:strings.LastIndex(text, ".")+1]
	signature, err := jose.DecodeBase64(text[len(head):])
	if err != nil || len(signature) != 64 {
		t.Fatalf("%d bytes, %v", len(signature), err)
	}
	zero := make([]byte, 32)
	order := []byte{
		0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	}
	join := func(parts ...[]byte) (joined []byte) {
		for _, part := range parts {
			joined = append(joined, part...)
		}
		return joined
	}
	for name, wrong := range map[string][]byte{
		"none":         {},
		"zero":         make([]byte, 64),
		"r = 0":        join(zero, signature[32:]),
		"s = 0":        join(signature[:32], zero),
		"r = n":        join(order, signature[32:]),
		"s = n":        join(signature[:32], order),
		"a byte less":  signature[:63],
		"a byte more":  join(signature, []byte{0}),
		"zeros before": join([]byte{0}, signature[:32], []byte{0}, signature[32:]),
		"DER":          join([]byte{0x30, 68, 2, 32}, signature[:32], []byte{2, 32}, signature[32:]),
	} {
		message, err := jose.Parse(head + jose.EncodeBase64(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if err := message.Verify(k.PublicKey); !errors.Is(err, jose.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	k := key(t)
	private, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := jose.ParsePrivateKey(private)
	if err != nil || again.ID() != k.ID() {
		t.Fatalf("%s, %v", again.ID(), err)
	}
	public, err := json.Marshal(k.JWK())
	if err != nil {
		t.Fatal(err)
	}
	if read, err := jose.ParsePublicKey(public); err != nil || read.ID() != k.ID() {
		t.Errorf("%s, %v", read.ID(), err)
	}
	described := strings.Replace(string(public), "{", `{"ext":true,"key_ops":["verify"],"alg":"ES256",`, 1)
	if _, err := jose.ParsePublicKey([]byte(described)); err != nil {
		t.Error("a described key:", err)
	}

	jwk := k.JWK()
	for name, wrong := range map[string]string{
		"private":           string(private),
		"null":              "null",
		"no JSON":           "{",
		"duplicate":         `{"kty":"EC","kty":"EC","crv":"P-256","x":"` + jwk.X + `","y":"` + jwk.Y + `"}`,
		"another curve":     `{"kty":"EC","crv":"P-384","x":"` + jwk.X + `","y":"` + jwk.Y + `"}`,
		"another type":      `{"kty":"oct","k":"AAAA"}`,
		"not on the curve":  `{"kty":"EC","crv":"P-256","x":"` + jwk.Y + `","y":"` + jwk.X + `"}`,
		"infinity":          `{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`,
		"short coordinate":  `{"kty":"EC","crv":"P-256","x":"AA","y":"` + jwk.Y + `"}`,
		"padded coordinate": `{"kty":"EC","crv":"P-256","x":"` + jwk.X + `=","y":"` + jwk.Y + `"}`,
	} {
		if _, err := jose.ParsePublicKey([]byte(wrong)); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var members map[string]string
	if err := json.Unmarshal(private, &members); err != nil {
		t.Fatal(err)
	}
	other := key(t).JWK()
	members["x"], members["y"] = other.X, other.Y
	mixed, _ := json.Marshal(members)
	if _, err := jose.ParsePrivateKey(mixed); !errors.Is(err, jose.ErrKey) {
		t.Errorf("a private key under another's public one: %v", err)
	}
}

// The RSA key is that of RFC 7638 §3.1, the other that of RFC 9449's examples, whose thumbprint is in its §6.1.
func TestThumbprint(t *testing.T) {
	rsa := `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	ec := `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`
	key, err := jose.ParsePublicKey([]byte(ec))
	if err != nil || key.ID() != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("%s, %v", key.ID(), err)
	}
	if _, err := jose.ParsePublicKey([]byte(rsa)); !errors.Is(err, jose.ErrKey) {
		t.Errorf("an RSA key: %v", err)
	}
}

func TestCheckObject(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
	}
	for text, want := range map[string]bool{
		`{}`: true, " {\n} ": true, nested(32): true, `{"a":"\ud83d\ude00"}`: true, `{"__proto__":1}`: true,
		``: false, `[]`: false, `null`: false, `{}{}`: false, `{} x`: false, `{"a":1,}`: false, nested(33): false,
		nested(100_000): false, `{"a":"\ud800"}`: false, "{\"a\":\"\xff\"}": false, "\ufeff{}": false,
		`{"a":{"b":1,"b":2}}`: false, `{"a":1,"\u0061":2}`: false, `{"a":NaN}`: false, `{"a":01}`: false,
	} {
		if err := jose.CheckObject([]byte(text)); (err == nil) != want {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}
