package entitlements_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

const issuer = "https://app.example.com"

func generateKeys(t testing.TB) entitlements.Keys {
	t.Helper()
	keys, err := entitlements.GenerateKeys(rand.Reader, issuer, noon)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func documentClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "aud": issuer, "sub": "6f6c5a4e-1111-4222-8333-444455556666", "jti": "id",
		"iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Unix() + 3600, "refresh_after": noon.Unix() + 1800, "rev": 7,
		"state": "active", "reason": nil, "paid_through": noon.Unix() + 86400, "plans": []string{"premium"},
		"features": map[string]any{"export": map[string]any{}, "notes": map[string]any{"limit": 500}},
		"device":   "7f6c5a4e-1111-4222-8333-444455556666", "cnf": map[string]any{"jkt": "thumbprint"}, "proof": "proof-1",
		"status": map[string]any{"status_list": map[string]any{"idx": 12, "uri": issuer + "/v1/status-lists/0"}},
	}
}

func with(claims map[string]any, name string, value any) map[string]any {
	claims = maps.Clone(claims)
	claims[name] = value
	return claims
}

func without(claims map[string]any, name string) map[string]any {
	claims = maps.Clone(claims)
	delete(claims, name)
	return claims
}

func signed(t testing.TB, key jose.PrivateKey, typ string, claims any) string {
	t.Helper()
	text, err := jose.Sign(key, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reheaded gives a message another header, and keeps the signature.
func reheaded(message, header string) string {
	return jose.EncodeBase64([]byte(header)) + message[strings.Index(message, "."):]
}

func TestVerifier(t *testing.T) {
	keys := generateKeys(t)
	key, stranger := keys.Signing[0], generateKeys(t).Signing[0]
	verifier := entitlements.Verifier{Keyset: keys.Keyset, Issuer: issuer}
	good := signed(t, key, "entitlement+jwt", documentClaims())
	sign := func(claims map[string]any) string { return signed(t, key, "entitlement+jwt", claims) }
	kid := key.ID()

	tests := map[string]struct {
		document string
		at       time.Duration
		want     error
	}{
		"good":                       {good, 0, nil},
		"an unknown claim":           {sign(with(documentClaims(), "later", 1)), 0, nil},
		"last second":                {good, 3599 * time.Second, nil},
		"end":                        {good, 3600 * time.Second, entitlements.Expired},
		"before it was issued":       {good, -time.Second, entitlements.NotYetValid},
		"empty":                      {"", 0, entitlements.Malformed},
		"cut":                        {good[:len(good)-1], 0, entitlements.Malformed},
		"JSON serialization":         {`{"payload":"` + good + `"}`, 0, entitlements.Malformed},
		"a header member too many":   {reheaded(good, `{"alg":"ES256","kid":"`+kid+`","typ":"entitlement+jwt","jku":"https://evil"}`), 0, entitlements.HeaderInvalid},
		"crit":                       {reheaded(good, `{"alg":"ES256","kid":"`+kid+`","typ":"entitlement+jwt","crit":["exp"]}`), 0, entitlements.HeaderInvalid},
		"an embedded key":            {reheaded(good, `{"alg":"ES256","jwk":{},"typ":"entitlement+jwt"}`), 0, entitlements.HeaderInvalid},
		"no kid":                     {reheaded(good, `{"alg":"ES256","typ":"entitlement+jwt"}`), 0, entitlements.HeaderInvalid},
		"kid is a number":            {reheaded(good, `{"alg":"ES256","kid":1,"typ":"entitlement+jwt"}`), 0, entitlements.HeaderInvalid},
		"kid is null":                {reheaded(good, `{"alg":"ES256","kid":null,"typ":"entitlement+jwt"}`), 0, entitlements.HeaderInvalid},
		"member in another case":     {reheaded(good, `{"ALG":"ES256","kid":"`+kid+`","typ":"entitlement+jwt"}`), 0, entitlements.HeaderInvalid},
		"duplicate header member":    {reheaded(good, `{"alg":"ES256","alg":"ES256","kid":"`+kid+`","typ":"entitlement+jwt"}`), 0, entitlements.Malformed},
		"alg none":                   {reheaded(good, `{"alg":"none","kid":"`+kid+`","typ":"entitlement+jwt"}`), 0, entitlements.AlgorithmInvalid},
		"alg HS256":                  {reheaded(good, `{"alg":"HS256","kid":"`+kid+`","typ":"entitlement+jwt"}`), 0, entitlements.AlgorithmInvalid},
		"a passkeys document":        {signed(t, key, "passkeys+jwt", documentClaims()), 0, entitlements.TypeInvalid},
		"a keyset":                   {keys.Compact, 0, entitlements.TypeInvalid},
		"an unknown key":             {signed(t, stranger, "entitlement+jwt", documentClaims()), 0, entitlements.KeyUnknown},
		"the root's key":             {signed(t, keys.Root, "entitlement+jwt", documentClaims()), 0, entitlements.KeyUnknown},
		"another's signature":        {reheaded(signed(t, stranger, "entitlement+jwt", documentClaims()), `{"alg":"ES256","kid":"`+kid+`","typ":"entitlement+jwt"}`), 0, entitlements.SignatureInvalid},
		"the same header, respelled": {reheaded(good, `{ "alg":"ES256","kid":"`+kid+`","typ":"entitlement+jwt"}`), 0, entitlements.SignatureInvalid},
		"another issuer":             {sign(with(documentClaims(), "iss", "https://evil.example.com")), 0, entitlements.IssuerMismatch},
		"another audience":           {sign(with(documentClaims(), "aud", "https://evil.example.com")), 0, entitlements.AudienceMismatch},
		"a list of audiences":        {sign(with(documentClaims(), "aud", []string{issuer})), 0, entitlements.ClaimsInvalid},
		"issued before the key":      {sign(with(with(documentClaims(), "iat", noon.Unix()-1), "nbf", noon.Unix()-1)), 0, entitlements.KeyOutsideValidity},
		"nbf is not iat":             {sign(with(documentClaims(), "nbf", noon.Unix()-1)), 0, entitlements.ClaimsInvalid},
		"ends when it begins":        {sign(with(documentClaims(), "exp", noon.Unix())), 0, entitlements.ClaimsInvalid},
		"refresh after the end":      {sign(with(documentClaims(), "refresh_after", noon.Unix()+3601)), 0, entitlements.ClaimsInvalid},
		"exp is a string":            {sign(with(documentClaims(), "exp", "1")), 0, entitlements.ClaimsInvalid},
		"exp is a fraction":          {sign(with(documentClaims(), "exp", float64(noon.Unix())+0.5)), 0, entitlements.ClaimsInvalid},
		"an unknown state":           {sign(with(documentClaims(), "state", "gold")), 0, entitlements.ClaimsInvalid},
		"features are a list":        {sign(with(documentClaims(), "features", []string{"export"})), 0, entitlements.ClaimsInvalid},
		"a negative revision":        {sign(with(documentClaims(), "rev", -1)), 0, entitlements.ClaimsInvalid},
	}
	for _, claim := range []string{"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "refresh_after", "state", "plans", "features", "device", "cnf", "proof", "status"} {
		tests["without "+claim] = struct {
			document string
			at       time.Duration
			want     error
		}{sign(without(documentClaims(), claim)), 0, entitlements.ClaimsInvalid}
	}
	for name, test := range tests {
		document, err := verifier.Verify(test.document, noon.Add(test.at))
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if err == nil && (document.Revision != 7 || *document.Features["notes"].Limit != 500) {
			t.Errorf("%s: %+v", name, document)
		}
	}
}

func passkeysClaims(iat int64) map[string]any {
	return map[string]any{
		"iss": issuer, "aud": issuer, "sub": "6f6c5a4e-1111-4222-8333-444455556666", "device": "7f6c5a4e-1111-4222-8333-444455556666",
		"iat": iat, "exp": iat + 3600, "rp_id": "example.com",
		"passkeys": []any{map[string]any{"id": "AAAA", "jwk": map[string]any{"kty": "EC", "crv": "P-256"}}},
	}
}

// TestVerifyPasskeys tests only the differences from documents.
func TestVerifyPasskeys(t *testing.T) {
	keys := generateKeys(t)
	verifier := entitlements.Verifier{Keyset: keys.Keyset, Issuer: issuer}
	claims := func() map[string]any { return passkeysClaims(noon.Unix()) }
	sign := func(claims map[string]any) string { return signed(t, keys.Signing[0], "passkeys+jwt", claims) }
	passkeys := func(list ...any) string { return sign(with(claims(), "passkeys", list)) }
	jwk := map[string]any{"kty": "EC"}
	tests := map[string]struct {
		document string
		at       time.Duration
		want     error
	}{
		"good":                  {sign(claims()), 0, nil},
		"no passkeys":           {sign(with(claims(), "passkeys", []any{})), 0, nil},
		"last second":           {sign(claims()), 3599 * time.Second, nil},
		"end":                   {sign(claims()), 3600 * time.Second, entitlements.Expired},
		"before it was issued":  {sign(claims()), -time.Second, entitlements.NotYetValid},
		"a document":            {signed(t, keys.Signing[0], "entitlement+jwt", claims()), 0, entitlements.TypeInvalid},
		"an unknown key":        {signed(t, keys.Root, "passkeys+jwt", claims()), 0, entitlements.KeyUnknown},
		"another issuer":        {sign(with(claims(), "iss", "https://evil.example.com")), 0, entitlements.IssuerMismatch},
		"another audience":      {sign(with(claims(), "aud", "https://evil.example.com")), 0, entitlements.AudienceMismatch},
		"issued before the key": {sign(with(claims(), "iat", noon.Unix()-1)), 0, entitlements.KeyOutsideValidity},
		"passkeys are null":     {sign(with(claims(), "passkeys", nil)), 0, entitlements.ClaimsInvalid},
		"a passkey is null":     {passkeys(nil), 0, entitlements.ClaimsInvalid},
		"a passkey is a text":   {passkeys("AAAA"), 0, entitlements.ClaimsInvalid},
		"without id":            {passkeys(map[string]any{"jwk": jwk}), 0, entitlements.ClaimsInvalid},
		"an empty id":           {passkeys(map[string]any{"id": "", "jwk": jwk}), 0, entitlements.ClaimsInvalid},
		"without key":           {passkeys(map[string]any{"id": "AAAA"}), 0, entitlements.ClaimsInvalid},
		"a key of no type":      {passkeys(map[string]any{"id": "AAAA", "jwk": map[string]any{}}), 0, entitlements.ClaimsInvalid},
	}
	for claim := range claims() {
		tests["without claim "+claim] = struct {
			document string
			at       time.Duration
			want     error
		}{sign(without(claims(), claim)), 0, entitlements.ClaimsInvalid}
	}
	for name, test := range tests {
		document, err := verifier.VerifyPasskeys(test.document, noon.Add(test.at))
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if name == "good" && (document.RPID != "example.com" || len(document.Passkeys) != 1 || string(document.Passkeys[0].JWK) != `{"crv":"P-256","kty":"EC"}`) {
			t.Errorf("%s: %+v", name, document)
		}
	}
}

func TestVerifyKeyset(t *testing.T) {
	keys, other := generateKeys(t), generateKeys(t)
	both := entitlements.Roots{Current: other.Roots.Current, Next: keys.Roots.Current}
	end := time.Unix(keys.Keyset.ExpiresAt, 0)
	changed := func(change func(*entitlements.Keyset)) string {
		k := keys.Keyset
		k.Keys = append([]entitlements.KeysetKey(nil), k.Keys...)
		change(&k)
		return signed(t, keys.Root, "keyset+jwt", k)
	}
	tests := map[string]struct {
		roots  entitlements.Roots
		keyset string
		at     time.Time
		want   error
	}{
		"good":                   {keys.Roots, keys.Compact, noon, nil},
		"by the next root":       {both, keys.Compact, noon, nil},
		"last second":            {keys.Roots, keys.Compact, end.Add(-time.Second), nil},
		"ended":                  {keys.Roots, keys.Compact, end, entitlements.KeysetExpired},
		"unknown root":           {other.Roots, keys.Compact, noon, entitlements.RootUnknown},
		"signed by a signer":     {keys.Roots, signed(t, keys.Signing[0], "keyset+jwt", keys.Keyset), noon, entitlements.RootUnknown},
		"another type":           {keys.Roots, signed(t, keys.Root, "entitlement+jwt", keys.Keyset), noon, entitlements.TypeInvalid},
		"another's signature":    {keys.Roots, keys.Compact[:strings.LastIndex(keys.Compact, ".")] + other.Compact[strings.LastIndex(other.Compact, "."):], noon, entitlements.SignatureInvalid},
		"another issuer":         {keys.Roots, changed(func(k *entitlements.Keyset) { k.Issuer = "https://evil" }), noon, entitlements.IssuerMismatch},
		"no version":             {keys.Roots, changed(func(k *entitlements.Keyset) { k.Version = 0 }), noon, entitlements.ClaimsInvalid},
		"no keys":                {keys.Roots, changed(func(k *entitlements.Keyset) { k.Keys = nil }), noon, entitlements.ClaimsInvalid},
		"the same key twice":     {keys.Roots, changed(func(k *entitlements.Keyset) { k.Keys = append(k.Keys, k.Keys[0]) }), noon, entitlements.ClaimsInvalid},
		"a kid of another key":   {keys.Roots, changed(func(k *entitlements.Keyset) { k.Keys[0].KeyID = other.Signing[0].ID() }), noon, entitlements.ClaimsInvalid},
		"a key for encryption":   {keys.Roots, changed(func(k *entitlements.Keyset) { k.Keys[0].Use = "enc" }), noon, entitlements.ClaimsInvalid},
		"a key of another curve": {keys.Roots, changed(func(k *entitlements.Keyset) { k.Keys[0].Crv = "P-384" }), noon, entitlements.ClaimsInvalid},
		"an algorithm too many":  {keys.Roots, changed(func(k *entitlements.Keyset) { k.Keys[0].Algorithm = "HS256" }), noon, entitlements.ClaimsInvalid},
	}
	for name, test := range tests {
		if _, err := test.roots.VerifyKeyset(test.keyset, issuer, test.at); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestKeysFolder(t *testing.T) {
	keys := generateKeys(t)
	folder := func(keys entitlements.Keys, without ...string) fstest.MapFS {
		files, err := keys.Files()
		if err != nil {
			t.Fatal(err)
		}
		fsys := fstest.MapFS{}
		for name, data := range files {
			fsys[name] = &fstest.MapFile{Data: data}
		}
		for _, name := range without {
			delete(fsys, name)
		}
		return fsys
	}
	loaded, err := entitlements.LoadKeys(folder(keys), issuer, noon)
	if err != nil || loaded.Compact != keys.Compact || loaded.Root.ID() != keys.Root.ID() || loaded.Signing[0].ID() != keys.Signing[0].ID() {
		t.Fatalf("loaded %v", err)
	}
	carried, err := entitlements.LoadKeys(folder(keys, "root.jwk"), issuer, noon)
	if err != nil || !carried.Root.IsZero() {
		t.Errorf("with the root carried away: %v", err)
	}
	for _, name := range []string{"roots.json", "keyset.jws", "signing/" + keys.Signing[0].ID() + ".jwk"} {
		if _, err := entitlements.LoadKeys(folder(keys, name), issuer, noon); err == nil {
			t.Errorf("loads without %s", name)
		}
	}
	if _, err := entitlements.LoadKeys(folder(keys), "https://elsewhere.example.com", noon); !errors.Is(err, entitlements.IssuerMismatch) {
		t.Errorf("for another issuer: %v", err)
	}
	if _, err := entitlements.LoadKeys(folder(keys), issuer, noon.Add(entitlements.KeysetLife)); !errors.Is(err, entitlements.KeysetExpired) {
		t.Errorf("after the keyset's end: %v", err)
	}
	moved, err := keys.ForIssuer("https://elsewhere.example.com", noon)
	if err != nil || moved.Keyset.Version != 2 {
		t.Fatalf("for another issuer: %+v, %v", moved.Keyset, err)
	}
	if _, err := entitlements.LoadKeys(folder(moved), "https://elsewhere.example.com", noon); err != nil {
		t.Errorf("loaded for another issuer: %v", err)
	}
	if _, err := carried.ForIssuer("https://elsewhere.example.com", noon); err == nil {
		t.Error("a keyset was signed without a root key")
	}
	var roots struct{ Current, Next *map[string]string }
	if err := json.Unmarshal(folder(keys)["roots.json"].Data, &roots); err != nil || roots.Next != nil || len(*roots.Current) != 4 {
		t.Errorf("roots.json: %+v, %v", roots, err)
	}
}

// TestVerifierReadsTheExternalID checks that documents are good with and without the claim, which older verifiers ignore:
// anything but text counts as none.
func TestVerifierReadsTheExternalID(t *testing.T) {
	keys := generateKeys(t)
	verifier := entitlements.Verifier{Keyset: keys.Keyset, Issuer: issuer}
	claims := documentClaims()
	for want, claims := range map[string]map[string]any{
		"crm-17": with(claims, "external_id", "crm-17"), "": claims,
	} {
		if document, err := verifier.Verify(signed(t, keys.Signing[0], "entitlement+jwt", claims), noon); err != nil || document.ExternalID != want {
			t.Errorf("%q: %q, %v", want, document.ExternalID, err)
		}
	}
	for _, odd := range []any{nil, 17, true, []string{"crm-17"}, map[string]any{"id": "crm-17"}} {
		document, err := verifier.Verify(signed(t, keys.Signing[0], "entitlement+jwt", with(claims, "external_id", odd)), noon)
		if err != nil || document.ExternalID != "" {
			t.Errorf("%v: %q, %v", odd, document.ExternalID, err)
		}
	}
}
