package dpop_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/entitlements/dpop"
)

const target = "https://app.example.com/v1/reconcile"

// signer makes proofs by hand, so that they can be wrong in any way.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (s signer) jwk() map[string]any {
	point, _ := s.key.PublicKey.Bytes()
	return map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}
}

func (s signer) header() map[string]any {
	return map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": s.jwk()}
}

func claims() map[string]any {
	return map[string]any{"jti": "one", "htm": "POST", "htu": target, "iat": 1764000000}
}

func (s signer) sign(t testing.TB, header, claims any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return s.signBytes(t, h, c)
}

func (s signer) signBytes(t testing.TB, header, claims []byte) string {
	t.Helper()
	input := encode(header) + "." + encode(claims)
	digest := sha256.Sum256([]byte(input))
	r, sig, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(append(r.FillBytes(make([]byte, 32)), sig.FillBytes(make([]byte, 32))...))
}

func TestProof(t *testing.T) {
	s := newSigner(t)
	proof, err := dpop.Parse(s.sign(t, s.header(), claims()), "POST", target)
	if err != nil {
		t.Fatal(err)
	}
	if proof.JTI != "one" || len(proof.JKT) != 43 || proof.Nonce != "" || proof.CheckBody([]byte("anything")) != nil {
		t.Errorf("%+v", proof)
	}
}

func TestProofVariants(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	with := func(m map[string]any, name string, value any) map[string]any {
		m = maps.Clone(m)
		if m[name] = value; value == nil {
			delete(m, name)
		}
		return m
	}
	private := s.jwk()
	private["d"] = encode(make([]byte, 32))
	good := s.sign(t, s.header(), claims())
	tests := map[string]struct {
		proof string
		ok    bool
	}{
		"plain":                     {good, true},
		"query and fragment":        {s.sign(t, s.header(), with(claims(), "htu", target+"?a=b#c")), true},
		"any iat":                   {s.sign(t, s.header(), with(claims(), "iat", 1.5)), true},
		"an unknown claim":          {s.sign(t, s.header(), with(claims(), "ath", "x")), true},
		"jti of 64":                 {s.sign(t, s.header(), with(claims(), "jti", strings.Repeat("é", 64))), true},
		"jti of 65":                 {s.sign(t, s.header(), with(claims(), "jti", strings.Repeat("a", 65))), false},
		"no jti":                    {s.sign(t, s.header(), with(claims(), "jti", nil)), false},
		"empty jti":                 {s.sign(t, s.header(), with(claims(), "jti", "")), false},
		"jti is a number":           {s.sign(t, s.header(), with(claims(), "jti", 7)), false},
		"no iat":                    {s.sign(t, s.header(), with(claims(), "iat", nil)), false},
		"iat is a string":           {s.sign(t, s.header(), with(claims(), "iat", "1764000000")), false},
		"another method":            {s.sign(t, s.header(), with(claims(), "htm", "GET")), false},
		"method in lower case":      {s.sign(t, s.header(), with(claims(), "htm", "post")), false},
		"another path":              {s.sign(t, s.header(), with(claims(), "htu", "https://app.example.com/v1/devices")), false},
		"another origin":            {s.sign(t, s.header(), with(claims(), "htu", "https://evil.example.com/v1/reconcile")), false},
		"another scheme":            {s.sign(t, s.header(), with(claims(), "htu", "http://app.example.com/v1/reconcile")), false},
		"no htu":                    {s.sign(t, s.header(), with(claims(), "htu", nil)), false},
		"claims are an array":       {s.sign(t, s.header(), []any{}), false},
		"duplicate claim":           {s.signBytes(t, mustJSON(t, s.header()), []byte(`{"jti":"a","jti":"b","htm":"POST","htu":"`+target+`","iat":1}`)), false},
		"typ JWT":                   {s.sign(t, with(s.header(), "typ", "JWT"), claims()), false},
		"no typ":                    {s.sign(t, with(s.header(), "typ", nil), claims()), false},
		"alg none":                  {s.sign(t, with(s.header(), "alg", "none"), claims()), false},
		"alg ES384":                 {s.sign(t, with(s.header(), "alg", "ES384"), claims()), false},
		"alg HS256":                 {s.sign(t, with(s.header(), "alg", "HS256"), claims()), false},
		"a fourth header member":    {s.sign(t, with(s.header(), "kid", "x"), claims()), false},
		"crit":                      {s.sign(t, with(s.header(), "crit", []string{"b64"}), claims()), false},
		"no jwk":                    {s.sign(t, with(s.header(), "jwk", nil), claims()), false},
		"jwk with a private member": {s.sign(t, with(s.header(), "jwk", private), claims()), false},
		"jwk of another key":        {s.sign(t, other.header(), claims()), false},
		"jwk on another curve":      {s.sign(t, with(s.header(), "jwk", with(s.jwk(), "crv", "P-384")), claims()), false},
		"no signature":              {good[:strings.LastIndex(good, ".")+1], false},
		"empty":                     {"", false},
		"body of a wrong length":    {s.sign(t, s.header(), with(claims(), "body", "AAAA")), false},
		"body is no base64url":      {s.sign(t, s.header(), with(claims(), "body", "=")), false},
		"body is a number":          {s.sign(t, s.header(), with(claims(), "body", 1)), false},
	}
	for name, test := range tests {
		_, err := dpop.Parse(test.proof, "POST", target)
		if test.ok && err != nil || !test.ok && !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBody(t *testing.T) {
	s := newSigner(t)
	body := []byte(`{"device":"x"}`)
	sum := sha256.Sum256(body)
	c := claims()
	c["body"] = encode(sum[:])
	proof, err := dpop.Parse(s.sign(t, s.header(), c), "POST", target)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.CheckBody(body); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][]byte{nil, body[1:], append(bytes.Clone(body), ' ')} {
		if err := proof.CheckBody(wrong); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// The examples of RFC 9449: figures 2, 6 and 12 (sections 4.1, 5 and 7.1). Their iat is years old, and is not checked.
func TestExamplesOfTheRFC(t *testing.T) {
	const (
		header = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
		first  = header + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
		later  = header + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA"
		access = header + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"

		thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" // section 6.1
		token      = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU" // figure 12
	)
	for _, example := range []struct{ proof, method, target, jti string }{
		{first, "POST", "https://server.example.com/token", "-BwC3ESc6acc2lTc"},
		{later, "POST", "https://server.example.com/token", "-BwC3ESc6acc2lTc"},
		{access, "GET", "https://resource.example.org/protectedresource", "e1j3V_bKic8-LAEB"},
	} {
		proof, err := dpop.Parse(example.proof, example.method, example.target)
		if err != nil || proof.JKT != thumbprint || proof.JTI != example.jti {
			t.Errorf("%+v, %v", proof, err)
			continue
		}
		if err := proof.CheckToken(token); (err == nil) != (example.proof == access) {
			t.Errorf("%s: for the access token: %v", example.jti, err)
		}
		if err := proof.CheckToken(token + "A"); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("%s: for another token: %v", example.jti, err)
		}
	}
}

func TestNonces(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	secret := bytes.Repeat([]byte{7}, 32)
	clock := func() time.Time { return now }
	nonces, err := dpop.NewNonces(secret, clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	replica, err := dpop.NewNonces(secret, clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := dpop.NewNonces(bytes.Repeat([]byte{8}, 32), clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dpop.NewNonces(secret[:31], clock, rand.Reader); err == nil {
		t.Error("a short secret is taken")
	}
	for _, binding := range [][]byte{nil, []byte("device 7")} {
		nonce, err := nonces.Issue(binding)
		if err != nil {
			t.Fatal(err)
		}
		check := func(n *dpop.Nonces, nonce string) error {
			proof, err := n.Check(dpop.Proof{Nonce: nonce})
			if err == nil && !bytes.Equal(proof.Binding, binding) {
				t.Errorf("bound to %q, want %q", proof.Binding, binding)
			}
			return err
		}
		if err := check(replica, nonce); err != nil {
			t.Error("on another replica:", err)
		}
		for i := range nonce {
			changed := nonce[:i] + string("AB"[btoi(nonce[i] == 'A')]) + nonce[i+1:]
			if err := check(nonces, changed); !errors.Is(err, dpop.ErrUseNonce) {
				t.Errorf("byte %d changed: %v", i, err)
			}
		}
		for name, wrong := range map[string]string{"none": "", "short": nonce[:20], "longer": nonce + "AAAA", "garbage": "%%%"} {
			if err := check(nonces, wrong); !errors.Is(err, dpop.ErrUseNonce) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := check(stranger, nonce); !errors.Is(err, dpop.ErrUseNonce) {
			t.Errorf("under another secret: %v", err)
		}
		began := now
		now = began.Add(5 * time.Minute)
		if err := check(nonces, nonce); err != nil {
			t.Error("after five minutes:", err)
		}
		now = began.Add(5*time.Minute + time.Millisecond)
		if err := check(nonces, nonce); !errors.Is(err, dpop.ErrUseNonce) {
			t.Errorf("after more than five minutes: %v", err)
		}
		now = began.Add(-time.Minute)
		if err := check(nonces, nonce); err != nil {
			t.Error("from a replica whose clock is a minute ahead:", err)
		}
		now = began.Add(-time.Hour)
		if err := check(nonces, nonce); !errors.Is(err, dpop.ErrUseNonce) {
			t.Errorf("from the future: %v", err)
		}
		now = began
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fixedSigner has a fixed key, so that seeds and findings mean the same in every run.
func fixedSigner(t testing.TB) signer {
	t.Helper()
	d := sha256.Sum256([]byte("holdfast proofs"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func requireSeeds(f *testing.F) {
	f.Helper()
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	requireSeeds(f)
	s := fixedSigner(f)
	f.Add(s.sign(f, s.header(), claims()))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		proof, err := dpop.Parse(text, "POST", target)
		switch {
		case err != nil && !errors.Is(err, dpop.ErrInvalidProof):
			t.Errorf("unexpected kind of error: %v", err)
		case err == nil && (proof.JKT == "" || proof.JTI == ""):
			t.Errorf("accepted: %+v", proof)
		}
	})
}

// FuzzProof signs its input, so that only the checks of header and claims can refuse it.
func FuzzProof(f *testing.F) {
	requireSeeds(f)
	s := fixedSigner(f)
	header := string(mustJSON(f, s.header()))
	f.Add(header, string(mustJSON(f, claims())))
	f.Add(header, `{"jti":"a","htm":"POST","htu":"`+target+`?x#y","iat":1e3,"nonce":"n","ath":"h","body":"`+encode(make([]byte, 32))+`"}`)
	f.Fuzz(func(t *testing.T, header, claims string) {
		proof, err := dpop.Parse(s.signBytes(t, []byte(header), []byte(claims)), "POST", target)
		if err != nil {
			if !errors.Is(err, dpop.ErrInvalidProof) {
				t.Errorf("unexpected kind of error: %v", err)
			}
			return
		}
		// An accepted proof survives a round trip.
		said := map[string]any{"jti": proof.JTI, "htm": "POST", "htu": target, "iat": 1, "nonce": proof.Nonce}
		again, err := dpop.Parse(s.sign(t, s.header(), said), "POST", target)
		if err != nil || again.JKT != proof.JKT || again.JTI != proof.JTI || again.Nonce != proof.Nonce {
			t.Errorf("%+v, re-encoded %+v, %v", proof, again, err)
		}
	})
}

func FuzzNonce(f *testing.F) {
	requireSeeds(f)
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	nonces, err := dpop.NewNonces(bytes.Repeat([]byte{7}, 32), now, bytes.NewReader(make([]byte, 8)))
	if err != nil {
		f.Fatal(err)
	}
	nonce, err := nonces.Issue([]byte("bound"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(nonce)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := nonces.Check(dpop.Proof{Nonce: text}); err == nil && text != nonce {
			t.Errorf("forged input accepted: %q", text)
		}
	})
}
