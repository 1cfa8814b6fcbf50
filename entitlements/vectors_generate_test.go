package entitlements_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
)

// The code below makes the test vectors. It shares no code with the verifier: messages are built by hand, so that they
// can be wrong in any way. Keys are fixed and signatures deterministic (RFC 6979), so the files are reproducible.

const (
	begin  = int64(1_772_366_400) // 2026-03-01T12:00:00Z: the usual document's iat
	end    = begin + 3600         // its exp
	user   = "6f6c5a4e-1111-4222-8333-444455556666"
	device = "7f6c5a4e-1111-4222-8333-444455556666"
	daily  = int64(86_400)
)

type vectorKey struct {
	private *ecdsa.PrivateKey
	kid     string
	jwk     object
}

type object = map[string]any

// newVectorKey derives a key from its name.
func newVectorKey(t testing.TB, name string) vectorKey {
	t.Helper()
	d := sha256.Sum256([]byte("holdfast test vectors: " + name))
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	k := vectorKey{private: private, jwk: object{"kty": "EC", "crv": "P-256", "x": base64url(point[1:33]), "y": base64url(point[33:])}}
	k.kid = thumbprintOf(k.jwk)
	return k
}

func thumbprintOf(jwk object) string {
	sum := sha256.Sum256([]byte(jsonText(object{"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"]})))
	return base64url(sum[:])
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jsonText(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// rs signs with RFC 6979 and returns r and s, 32 bytes each.
func (k vectorKey) rs(input string) (r, s []byte) {
	digest := sha256.Sum256([]byte(input))
	der, err := k.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &signature); err != nil {
		panic(err)
	}
	return signature.R.FillBytes(make([]byte, 32)), signature.S.FillBytes(make([]byte, 32))
}

// sign signs a header and a payload without changing them.
func (k vectorKey) sign(header, payload string) string {
	return k.signInput(base64url([]byte(header)) + "." + base64url([]byte(payload)))
}

func (k vectorKey) signInput(input string) string {
	r, s := k.rs(input)
	return input + "." + base64url(append(r, s...))
}

// pem returns the public key in PEM, which a confused verifier would take for a secret.
func (k vectorKey) pem() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (k vectorKey) header(typ string) string {
	return fmt.Sprintf(`{"alg":"ES256","kid":"%s","typ":"%s"}`, k.kid, typ)
}

// vectorWriter collects the cases of one file.
type vectorWriter struct {
	file vectorFile
	// The default key, keyset, roots and clock of a case.
	key           vectorKey
	keyset, roots string
	now           int64 // unix milliseconds
}

func (w *vectorWriter) add(v vector, code string, result any) {
	v.Code, v.Issuer = code, issuer
	if v.Roots == "" {
		v.Roots = w.roots
	}
	if v.Kind == "document" && v.Keyset == "" {
		v.Keyset = w.keyset
	}
	if v.Now == 0 {
		v.Now = w.now
	}
	if code == "" {
		v.Result = json.RawMessage(jsonText(result))
	}
	w.file.Cases = append(w.file.Cases, v)
}

func (w *vectorWriter) refuse(code, name, input string) {
	w.add(vector{Name: name, Kind: "document", Input: input}, code, nil)
}

// document signs claims in the usual way.
func (w *vectorWriter) document(claims object) string {
	return w.key.sign(w.key.header("entitlement+jwt"), jsonText(claims))
}

func (w *vectorWriter) accept(name string, claims object) {
	w.add(vector{Name: name, Kind: "document", Input: w.document(claims)}, "", documentResultOf(claims))
}

// at returns a document judged at a time, in milliseconds from another one in seconds.
func (w *vectorWriter) at(code, name string, claims object, keyset string, seconds, milliseconds int64) {
	v := vector{Name: name, Kind: "document", Input: w.document(claims), Keyset: keyset, Now: seconds*1000 + milliseconds}
	w.add(v, code, documentResultOf(claims))
}

func usualClaims() object {
	return object{
		"iss": issuer, "aud": issuer, "sub": user, "jti": "document-1", "iat": begin, "nbf": begin, "exp": end,
		"refresh_after": begin + 1800, "rev": 7, "skew": 0, "state": "active", "reason": nil, "paid_through": begin + 30*daily,
		"plans": []string{"premium"}, "features": object{"export": object{}, "notes": object{"limit": 500}},
		"device": device, "cnf": object{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, "proof": "proof-1",
		"status": object{"status_list": object{"idx": 12, "uri": issuer + "/v1/status-lists/0"}},
	}
}

// changed returns the usual claims with some replaced: names and values alternate.
func changed(namesAndValues ...any) object {
	claims := usualClaims()
	for i := 0; i < len(namesAndValues); i += 2 {
		claims[namesAndValues[i].(string)] = namesAndValues[i+1]
	}
	return claims
}

// issuedAt moves the usual claims in time.
func issuedAt(iat int64) object {
	return changed("iat", iat, "nbf", iat, "exp", iat+3600, "refresh_after", iat+1800)
}

func documentResultOf(claims object) object {
	result := object{}
	for _, name := range []string{"sub", "device", "rev", "state", "reason", "iat", "exp", "paid_through", "plans", "features"} {
		result[name] = claims[name]
	}
	if _, ok := claims["skew"]; !ok {
		result["skew"] = 0
	} else {
		result["skew"] = claims["skew"]
	}
	return result
}

// vectorWorld holds the keys and keysets of all vectors.
type vectorWorld struct {
	current, next, foreign            vectorKey // roots
	signing, second, removed, strange vectorKey
	roots                             map[string]json.RawMessage
	keysets                           map[string]string
}

func newVectorWorld(t testing.TB) vectorWorld {
	w := vectorWorld{
		current: newVectorKey(t, "current root"), next: newVectorKey(t, "next root"), foreign: newVectorKey(t, "foreign root"),
		signing: newVectorKey(t, "signing key, the second try"), second: newVectorKey(t, "second signing key"),
		removed: newVectorKey(t, "withdrawn signing key"), strange: newVectorKey(t, "stranger's key"),
	}
	roots := func(current, next any) json.RawMessage {
		return json.RawMessage(jsonText(object{"current": current, "next": next}))
	}
	w.roots = map[string]json.RawMessage{
		"one":   roots(w.current.jwk, nil),
		"both":  roots(w.current.jwk, w.next.jwk),
		"moved": roots(w.next.jwk, nil),
	}
	usual, brief := w.keysetClaims(), w.keysetClaims()
	brief["exp"] = begin + 1800
	w.keysets = map[string]string{"usual": w.signKeyset(w.current, usual), "brief": w.signKeyset(w.current, brief)}
	return w
}

// entry returns a keyset entry, valid for documents issued from two days before the usual one until 90 days after it.
func (w vectorWorld) entry(k vectorKey) object {
	entry := maps.Clone(k.jwk)
	maps.Copy(entry, object{"kid": k.kid, "alg": "ES256", "use": "sig", "nbf": begin - 2*daily, "exp": begin + 90*daily})
	return entry
}

func (w vectorWorld) keysetClaims() object {
	return object{
		"iss": issuer, "iat": begin - 2*daily, "exp": begin + 400*daily, "version": 3,
		"keys": []any{w.entry(w.signing), w.entry(w.second)},
	}
}

func (w vectorWorld) signKeyset(root vectorKey, claims object) string {
	return root.sign(root.header("keyset+jwt"), jsonText(claims))
}

func (w vectorWorld) writer(about string) *vectorWriter {
	return &vectorWriter{
		file: vectorFile{About: about, Roots: w.roots, Keysets: w.keysets},
		key:  w.signing, keyset: "usual", roots: "one", now: (begin + 60) * 1000,
	}
}

func generateVectors(t *testing.T) map[string][]byte {
	t.Helper()
	w := newVectorWorld(t)
	files := map[string][]byte{}
	for name, make := range map[string]func() *vectorWriter{
		"form.json": w.form, "header.json": w.header, "signature.json": w.signature, "claims.json": w.claims,
		"time.json": w.time, "expectations.json": w.expectations, "keysets.json": w.keysetVectors, "marks.json": w.marks,
	} {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(make().file); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	return files
}

// form tests the form of a text before it is read: RFC 7515 §7.1 in its one canonical spelling.
func (w vectorWorld) form() *vectorWriter {
	f := w.writer("Form: a compact JWS in strict base64url whose header is one JSON object. Anything else is malformed.")
	good := f.document(usualClaims())
	part := strings.Split(good, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	head := w.signing.header("entitlement+jwt")
	signed := func(header string) string { return w.signing.sign(header, jsonText(usualClaims())) }

	f.accept("form: a usual document", usualClaims())
	f.add(vector{Name: "form: white space in the signed JSON", Kind: "document", Input: w.signing.sign(
		" {\n\t\"alg\" : \"ES256\" ,\r\n\"kid\":\""+w.signing.kid+"\",\"typ\":\"entitlement+jwt\"} ", " "+jsonText(usualClaims())+"\n",
	)}, "", documentResultOf(usualClaims()))
	f.add(vector{Name: "form: an escaped member name, once", Kind: "document", Input: signed(
		strings.Replace(head, `"alg"`, `"\u0061lg"`, 1),
	)}, "", documentResultOf(usualClaims()))
	f.add(vector{Name: "form: members in another order", Kind: "document", Input: signed(
		fmt.Sprintf(`{"typ":"entitlement+jwt","kid":"%s","alg":"ES256"}`, w.signing.kid),
	)}, "", documentResultOf(usualClaims()))

	for _, c := range []struct{ name, input string }{
		{"empty", ""},
		{"a dot", "."},
		{"two dots", ".."},
		{"one part", part[0]},
		{"two parts", join(part[0], part[1])},
		{"an empty part after", good + "."},
		{"an empty part before", "." + good},
		{"no header", join("", part[1], part[2])},
		{"five parts, as a JWE has", join(part[0], part[1], part[2], part[1], part[2])},
		{"many dots", strings.Repeat(".", 1000)},
		{"flattened JSON serialization", jsonText(object{"protected": part[0], "payload": part[1], "signature": part[2]})},
		{"general JSON serialization", jsonText(object{"payload": part[1], "signatures": []any{object{"protected": part[0], "signature": part[2]}}})},
		{"a quoted document", `"` + good + `"`},
		{"with a scheme", "DPoP " + good},
		{"a space before", " " + good},
		{"a space after", good + " "},
		{"a line break after", good + "\n"},
		{"a carriage return within", part[0][:4] + "\r" + part[0][4:] + "." + part[1] + "." + part[2]},
		{"a line break in the payload", join(part[0], part[1][:8]+"\n"+part[1][8:], part[2])},
		{"a space in the payload", join(part[0], part[1][:8]+" "+part[1][8:], part[2])},
		{"a tab in the signature", join(part[0], part[1], part[2][:8]+"\t"+part[2][8:])},
		{"padding after the header", join(padded(part[0]), part[1], part[2])},
		{"padding after the payload", join(part[0], padded(part[1]), part[2])},
		{"padding after the signature", join(part[0], part[1], part[2]+"==")},
		{"padding in percent encoding", join(part[0], part[1], part[2]+"%3D%3D")},
		{"the standard alphabet", join(part[0], part[1], "+/"+part[2][2:])},
		{"percent encoding", join(part[0], part[1], "%41"+part[2][1:])},
		{"a NUL byte", join(part[0], part[1], part[2]+"\x00")},
		{"a letter outside ASCII", join(part[0], "é"+part[1][1:], part[2])},
		{"a full-width letter", join(part[0], part[1], "Ａ"+part[2][1:])},
		{"a full-width dot", part[0] + "．" + part[1] + "." + part[2]},
		{"trailing bits in the header", join(twin(base64url([]byte(strings.TrimRight(head, " ")+pad(head)))), part[1], part[2])},
		{"trailing bits in the payload", join(part[0], twin(base64url([]byte("{}"))), part[2])},
		{"trailing bits in the signature", join(part[0], part[1], twin(part[2]))},
		{"one letter too many", join(part[0], part[1], part[2]+"AAA")},
		{"a letter less in the signature", join(part[0], part[1], part[2][:len(part[2])-1])},
	} {
		f.refuse("malformed", "form: "+c.name, c.input)
	}
	// RFC 7797 §3: the payload is neither encoded in the message nor for signing.
	bare := base64url([]byte(fmt.Sprintf(`{"alg":"ES256","b64":false,"crit":["b64"],"kid":"%s","typ":"entitlement+jwt"}`, w.signing.kid)))
	f.refuse("malformed", "form: an unencoded payload", w.signing.signInput(bare+"."+jsonText(object{"sub": user})))
	for _, c := range []struct{ name, header string }{
		{"is no JSON", "alg=ES256"},
		{"is empty text", " "},
		{"is an array", `["ES256"]`},
		{"is a string", `"ES256"`},
		{"is a number", `256`},
		{"is null", `null`},
		{"is cut", head[:len(head)-1]},
		{"is followed by another", head + "{}"},
		{"has a trailing comma", strings.Replace(head, "}", ",}", 1)},
		{"has a comment", head + "/**/"},
		{"has single quotes", strings.ReplaceAll(head, `"`, "'")},
		{"has a byte order mark", "\ufeff" + head},
		{"is UTF-16", "{\x00\"\x00a\x00l\x00g\x00\"\x00:\x001\x00}\x00"},
		{"has invalid UTF-8", strings.Replace(head, `"typ"`, "\"\xff\":1,\"typ\"", 1)},
		{"has overlong UTF-8", strings.Replace(head, `"typ"`, "\"\xc0\xaf\":1,\"typ\"", 1)},
		{"has a surrogate in UTF-8", strings.Replace(head, `"typ"`, "\"\xed\xa0\x80\":1,\"typ\"", 1)},
		{"has a lone surrogate", strings.Replace(head, w.signing.kid, `\ud800`, 1)},
		{"has a lone surrogate in a name", strings.Replace(head, `"typ"`, `"\udc00":1,"typ"`, 1)},
		{"has a raw control character", strings.Replace(head, w.signing.kid, "\n", 1)},
		{"names alg twice", strings.Replace(head, "{", `{"alg":"ES256",`, 1)},
		{"names alg twice, none last", strings.Replace(head, "}", `,"alg":"none"}`, 1)},
		{"names alg twice, once escaped", strings.Replace(head, "}", `,"\u0061lg":"none"}`, 1)},
		{"names kid twice", strings.Replace(head, "{", `{"kid":"x",`, 1)},
		{"names typ twice", strings.Replace(head, "}", `,"typ":"JWT"}`, 1)},
		{"names __proto__ twice", strings.Replace(head, "}", `,"__proto__":{},"__proto__":{}}`, 1)},
		{"has a duplicate further down", strings.Replace(head, "}", `,"jwk":{"kty":"EC","kty":"oct"}}`, 1)},
		{"is nested too deep", strings.Replace(head, "}", `,"x":`+nest(32)+`}`, 1)},
		{"is nested 5000 deep", strings.Replace(head, "}", `,"x":`+nest(5000)+`}`, 1)},
	} {
		f.refuse("malformed", "form: the header "+c.name, signed(c.header))
	}
	return f
}

func padded(part string) string {
	if len(part)%4 == 0 {
		return part + "===="
	}
	return part + strings.Repeat("=", 4-len(part)%4)
}

// pad makes a text's length one more than a multiple of three, so that its base64url has unused bits.
func pad(text string) string { return strings.Repeat(" ", (4-len(text)%3)%3) }

// twin returns another spelling of the same bytes: the last letter differs in unused bits.
func twin(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last+1])
}

func nest(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// header tests the header: exactly alg, kid and typ, of fixed values, and a known key.
func (w vectorWorld) header() *vectorWriter {
	f := w.writer("Header: exactly alg, kid and typ, all strings; one algorithm, one type, a key of the keyset.")
	payload := jsonText(usualClaims())
	members := func(namesAndValues ...any) object {
		header := object{"alg": "ES256", "kid": w.signing.kid, "typ": "entitlement+jwt"}
		for i := 0; i < len(namesAndValues); i += 2 {
			if header[namesAndValues[i].(string)] = namesAndValues[i+1]; namesAndValues[i+1] == missing {
				delete(header, namesAndValues[i].(string))
			}
		}
		return header
	}
	signed := func(namesAndValues ...any) string {
		return w.signing.sign(jsonText(members(namesAndValues...)), payload)
	}

	stranger := w.strange.jwk
	for _, c := range []struct {
		name  string
		value any
	}{
		{"jwk", stranger}, {"jku", "https://evil.example.com/jwks.json"}, {"x5u", "https://evil.example.com/chain.pem"},
		{"x5c", []string{"MIIB"}}, {"x5t", "AAAA"}, {"x5t#S256", "AAAA"}, {"crit", []string{"exp"}}, {"crit", []string{}},
		{"b64", false}, {"b64", true}, {"cty", "JWT"}, {"zip", "DEF"}, {"enc", "A128GCM"}, {"nonce", "x"}, {"__proto__", object{"alg": "none"}},
		{"constructor", object{}}, {"", ""}, {"ALG", "none"}, {"Kid", "x"}, {"x", deepest(29)},
	} {
		name := fmt.Sprintf("header: with %q", c.name)
		if c.name == "crit" || c.name == "b64" {
			name = fmt.Sprintf("header: with %s %v", c.name, c.value)
		}
		f.refuse("header_invalid", name, signed(c.name, c.value))
	}
	f.refuse("header_invalid", "header: b64 with crit, payload not encoded", w.signing.sign(jsonText(members("b64", false, "crit", []string{"b64"})), payload))
	f.refuse("header_invalid", "header: an embedded key in place of kid, signed by it",
		w.strange.sign(jsonText(members("kid", missing, "jwk", stranger)), payload))
	f.refuse("header_invalid", "header: an embedded key beside kid, signed by it", w.strange.sign(jsonText(members("jwk", stranger)), payload))
	f.refuse("header_invalid", "header: one member that is named like all three", w.signing.sign(`{"alg,kid,typ":"x"}`, payload))
	f.refuse("header_invalid", "header: two of the names in one", w.signing.sign(`{"alg":"ES256","kid,typ":"x"}`, payload))
	f.refuse("header_invalid", "header: empty", w.signing.sign("{}", payload))
	for _, name := range []string{"alg", "kid", "typ"} {
		f.refuse("header_invalid", "header: without "+name, signed(name, missing))
		f.refuse("header_invalid", "header: "+name+" is null", signed(name, nil))
		f.refuse("header_invalid", "header: "+name+" is a number", signed(name, 1))
		f.refuse("header_invalid", "header: "+name+" is a list", signed(name, []any{members()[name]}))
		f.refuse("header_invalid", "header: "+name+" is an object", signed(name, object{}))
		f.refuse("header_invalid", "header: "+name+" in upper case", signed(name, missing, strings.ToUpper(name), members()[name]))
	}
	f.refuse("header_invalid", "header: kid is an object with a prototype", signed("kid", object{"__proto__": object{"kid": w.signing.kid}}))

	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "ES256\x00", "ES256K", "ES384", "RS256", "PS256", "HS256", "EdDSA", "Ed25519", "ECDH-ES"} {
		f.refuse("algorithm_invalid", fmt.Sprintf("header: alg %q", alg), signed("alg", alg))
	}
	unsigned := base64url([]byte(jsonText(members("alg", "none")))) + "." + base64url([]byte(payload)) + "."
	f.refuse("algorithm_invalid", "header: alg none and no signature", unsigned)
	point, _ := w.signing.private.PublicKey.Bytes()
	for _, c := range []struct {
		name   string
		secret []byte
	}{{"the key's point", point}, {"the key's JWK", []byte(jsonText(w.signing.jwk))}, {"the key's x coordinate", point[1:33]}, {"the key's PEM", w.signing.pem()}, {"an empty secret", nil}} {
		f.refuse("algorithm_invalid", "header: HS256 under "+c.name, macced(jsonText(members("alg", "HS256")), payload, c.secret))
		f.refuse("signature_invalid", "header: ES256 over an HMAC under "+c.name, macced(jsonText(members()), payload, c.secret))
	}
	for _, typ := range []string{"JWT", "", "keyset+jwt", "passkeys+jwt", "statuslist+jwt", "dpop+jwt", "ledger+jwt", "Entitlement+JWT", "application/entitlement+jwt", "entitlement+jwt "} {
		f.refuse("type_invalid", fmt.Sprintf("header: typ %q", typ), signed("typ", typ))
	}
	f.refuse("type_invalid", "header: a keyset in place of a document", w.keysets["usual"])

	for _, kid := range []string{"", "__proto__", "constructor", "toString", "../../keys/root", "' OR 1=1 --", strings.ToLower(w.signing.kid), w.signing.kid + "=", " " + w.signing.kid, strings.Repeat("k", 5000)} {
		f.refuse("key_unknown", fmt.Sprintf("header: kid %.50q", kid), signed("kid", kid))
	}
	for _, c := range []struct {
		name string
		key  vectorKey
	}{{"a stranger's", w.strange}, {"the root's own", w.current}, {"one that was withdrawn from the keyset", w.removed}} {
		f.refuse("key_unknown", "header: the key is "+c.name, c.key.sign(c.key.header("entitlement+jwt"), payload))
	}

	f.refuse("header_invalid", "header: first of all its members", w.strange.sign(jsonText(members("alg", "none", "typ", "JWT", "kid", "x", "crit", []string{"x"})), "x"))
	f.refuse("algorithm_invalid", "header: then the algorithm", w.strange.sign(jsonText(members("alg", "none", "typ", "JWT", "kid", "x")), "x"))
	f.refuse("type_invalid", "header: then the type", w.strange.sign(jsonText(members("typ", "JWT", "kid", "x")), "x"))
	f.refuse("key_unknown", "header: then the key", w.strange.sign(jsonText(members("kid", "x")), "x"))
	return f
}

// missing in place of a member's value removes the member.
const missing = "\x00missing"

func deepest(depth int) any {
	value := any([]any{})
	for range depth {
		value = []any{value}
	}
	return value
}

func macced(header, payload string, secret []byte) string {
	input := base64url([]byte(header)) + "." + base64url([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64url(mac.Sum(nil))
}

// signature tests the signature: r and s, 32 bytes each (RFC 7518 §3.4), both from 1 to n-1.
func (w vectorWorld) signature() *vectorWriter {
	f := w.writer("Signature: ES256, r and s of 32 bytes each, over the very bytes of header and payload.")
	good := f.document(usualClaims())
	dot := strings.LastIndex(good, ".")
	input := good[:dot]
	r, s := w.signing.rs(input)
	n, p := elliptic.P256().Params().N, elliptic.P256().Params().P
	number := func(i *big.Int) []byte { return i.FillBytes(make([]byte, 32)) }
	less := func(i *big.Int, b []byte) []byte { return number(new(big.Int).Sub(i, new(big.Int).SetBytes(b))) }
	zero, one, ones := make([]byte, 32), number(big.NewInt(1)), bytes.Repeat([]byte{0xff}, 32)
	next := func(i *big.Int) []byte { return number(new(big.Int).Add(i, big.NewInt(1))) }

	// With r = -e/d the sum of the two points is the point at infinity, which has no x to compare with.
	digest := sha256.Sum256([]byte(input))
	d, err := w.signing.private.Bytes()
	if err != nil {
		panic(err)
	}
	infinity := new(big.Int).ModInverse(new(big.Int).SetBytes(d), n)
	infinity.Mul(infinity, new(big.Int).SetBytes(digest[:])).Neg(infinity).Mod(infinity, n)

	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	f.add(vector{
		Name: "signature: s and n-s verify alike", Kind: "document", Input: input + "." + base64url(join(r, less(n, s))),
		Comment: "RFC 7518 asks for no low s: what a signature looks like identifies nothing.",
	}, "", documentResultOf(usualClaims()))
	der := join([]byte{0x30, 0x44, 2, 32}, r, []byte{2, 32}, s)
	for _, c := range []struct {
		name      string
		signature []byte
	}{
		{"none", nil},
		{"one byte", []byte{0}},
		{"r and s are 0", join(zero, zero)},
		{"r is 0", join(zero, s)},
		{"s is 0", join(r, zero)},
		{"r is 0, s is 1", join(zero, one)},
		{"r is 1, s is 0", join(one, zero)},
		{"r and s are 1", join(one, one)},
		{"r is n", join(number(n), s)},
		{"s is n", join(r, number(n))},
		{"r is n, s is 0", join(number(n), zero)},
		{"r and s are n", join(number(n), number(n))},
		{"r is n+1", join(next(n), s)},
		{"s is n+1", join(r, next(n))},
		{"r is p", join(number(p), s)},
		{"s is p", join(r, number(p))},
		{"r and s are 2^256-1", join(ones, ones)},
		{"s is 2^256-1", join(r, ones)},
		{"r is n-r", join(less(n, r), s)},
		{"r and s swapped", join(s, r)},
		{"the point at infinity", join(number(infinity), s)},
		{"DER", der},
		{"DER with a long length", join([]byte{0x30, 0x81, 0x44}, der[2:])},
		{"DER cut to 64 bytes", der[:64]},
		{"only r", r},
		{"a byte less", join(r, s[:31])},
		{"a byte more", join(r, s, []byte{0})},
		{"a zero before", join([]byte{0}, r, s)},
		{"a zero before s", join(r, []byte{0}, s)},
		{"a zero before both", join([]byte{0}, r, []byte{0}, s)},
		{"of 48-byte numbers", join(make([]byte, 16), r, make([]byte, 16), s)},
		{"of 66-byte numbers", join(make([]byte, 34), r, make([]byte, 34), s)},
		{"twice", join(r, s, r, s)},
		{"of 4096 bytes", make([]byte, 4096)},
	} {
		f.refuse("signature_invalid", "signature: "+c.name, input+"."+base64url(c.signature))
	}
	for bit := range 8 {
		changed := join(r, s)
		changed[bit*9%64] ^= 1 << bit
		f.refuse("signature_invalid", fmt.Sprintf("signature: bit %d of byte %d flipped", bit, bit*9%64), input+"."+base64url(changed))
	}
	signature := good[dot:]
	head := w.signing.header("entitlement+jwt")
	for _, c := range []struct{ name, header, payload string }{
		{"another revision", head, jsonText(changed("rev", 8))},
		{"another end", head, jsonText(changed("exp", end+1))},
		{"the same claims, respelled", head, " " + jsonText(usualClaims())},
		{"the same header, respelled", " " + head, jsonText(usualClaims())},
		{"an empty payload", head, ""},
	} {
		f.refuse("signature_invalid", "signature: over "+c.name, base64url([]byte(c.header))+"."+base64url([]byte(c.payload))+signature)
	}
	f.refuse("signature_invalid", "signature: a stranger's under our kid", w.strange.sign(head, jsonText(usualClaims())))
	f.refuse("signature_invalid", "signature: the root's under our kid", w.current.sign(head, jsonText(usualClaims())))
	f.refuse("signature_invalid", "signature: the second key's under the first one's kid", w.second.sign(head, jsonText(usualClaims())))
	sum := sha256.Sum256([]byte(input))
	digestOnly := base64url(sum[:])
	f.refuse("signature_invalid", "signature: over the digest's text", input+w.signing.sign(digestOnly, "")[strings.LastIndex(w.signing.sign(digestOnly, ""), "."):])
	f.refuse("signature_invalid", "signature: before the claims are read", w.strange.sign(head, "no claims"))
	f.key = w.second
	f.accept("signature: by the second key", usualClaims())
	return f
}

// claims tests every claim: present, of its type, and consistent with the others.
func (w vectorWorld) claims() *vectorWriter {
	f := w.writer("Claims: each is there, of its type, and contradicts no other. Numbers are what IEEE 754 makes of them; claims that nobody knows are passed over.")
	head := w.signing.header("entitlement+jwt")
	raw := func(payload string) string { return w.signing.sign(head, payload) }
	text := jsonText(usualClaims())
	respelled := func(from, to string) string {
		if strings.Count(text, from) != 1 {
			panic(from)
		}
		return raw(strings.Replace(text, from, to, 1))
	}
	rev := func(number string) string { return respelled(`"rev":7`, `"rev":`+number) }

	for _, name := range []string{"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "refresh_after", "rev", "state", "reason", "paid_through", "plans", "features", "device", "cnf", "proof", "status"} {
		without := usualClaims()
		delete(without, name)
		f.refuse("claims_invalid", "claims: without "+name, f.document(without))
		if name != "reason" && name != "paid_through" {
			f.refuse("claims_invalid", "claims: "+name+" is null", f.document(changed(name, nil)))
		}
		f.refuse("claims_invalid", "claims: "+name+" is true", f.document(changed(name, true)))
	}
	for _, name := range []string{"iss", "aud", "sub", "jti", "state", "device", "proof"} {
		f.refuse("claims_invalid", "claims: "+name+" is empty", f.document(changed(name, "")))
		f.refuse("claims_invalid", "claims: "+name+" is a number", f.document(changed(name, 1)))
		f.refuse("claims_invalid", "claims: "+name+" is a list", f.document(changed(name, []any{usualClaims()[name]})))
	}
	for _, name := range []string{"iat", "nbf", "exp", "refresh_after", "rev", "paid_through"} {
		f.refuse("claims_invalid", "claims: "+name+" is a text", f.document(changed(name, fmt.Sprint(usualClaims()[name]))))
		f.refuse("claims_invalid", "claims: "+name+" is negative", f.document(changed(name, -1)))
	}
	for _, c := range []struct {
		name   string
		claims object
	}{
		{"nbf a second before iat", changed("nbf", begin-1)},
		{"nbf a second after iat", changed("nbf", begin+1)},
		{"exp is iat", changed("exp", begin, "refresh_after", begin)},
		{"exp before iat", changed("exp", begin-1, "refresh_after", begin-1)},
		{"refresh_after a second before iat", changed("refresh_after", begin-1)},
		{"refresh_after a second after exp", changed("refresh_after", end+1)},
		{"exp past the end of time", changed("exp", 8_640_000_000_001)},
		{"paid_through past the end of time", changed("paid_through", 8_640_000_000_001)},
		{"an unknown state", changed("state", "platinum")},
		{"a state in upper case", changed("state", "Active")},
		{"reason is a number", changed("reason", 1)},
		{"plans is a text", changed("plans", "premium")},
		{"plans is an object", changed("plans", object{})},
		{"a plan is a number", changed("plans", []any{1})},
		{"a plan is null", changed("plans", []any{nil})},
		{"features is a list", changed("features", []any{"export"})},
		{"a feature is true", changed("features", object{"export": true})},
		{"a feature is null", changed("features", object{"export": nil})},
		{"a feature is a list", changed("features", object{"export": []any{}})},
		{"a limit is null", changed("features", object{"notes": object{"limit": nil}})},
		{"a limit is negative", changed("features", object{"notes": object{"limit": -1}})},
		{"a limit is a text", changed("features", object{"notes": object{"limit": "500"}})},
		{"a limit is a fraction", changed("features", object{"notes": object{"limit": 0.5}})},
		{"features in state none", changed("state", "none")},
		{"features in state expired", changed("state", "expired", "reason", "lapsed")},
		{"features in state revoked", changed("state", "revoked", "reason", "revoked")},
		{"cnf is a text", changed("cnf", "thumbprint")},
		{"cnf without jkt", changed("cnf", object{"jwk": object{}})},
		{"jkt is empty", changed("cnf", object{"jkt": ""})},
		{"jkt is null", changed("cnf", object{"jkt": nil})},
		{"status without a list", changed("status", object{})},
		{"status without idx", changed("status", object{"status_list": object{"uri": "https://a"}})},
		{"status without uri", changed("status", object{"status_list": object{"idx": 1}})},
		{"a negative idx", changed("status", object{"status_list": object{"idx": -1, "uri": "https://a"}})},
		{"idx is a text", changed("status", object{"status_list": object{"idx": "1", "uri": "https://a"}})},
		{"an empty uri", changed("status", object{"status_list": object{"idx": 1, "uri": ""}})},
		{"only a prototype", object{"__proto__": usualClaims()}},
		{"a claim only in a prototype", func() object {
			c := usualClaims()
			delete(c, "rev")
			c["__proto__"] = object{"rev": 7}
			return c
		}()},
		{"a claim in another case", func() object {
			c := usualClaims()
			delete(c, "rev")
			c["Rev"] = 7
			return c
		}()},
	} {
		f.refuse("claims_invalid", "claims: "+c.name, f.document(c.claims))
	}
	for _, c := range []struct{ name, input string }{
		{"no payload", raw("")},
		{"not JSON", raw("claims")},
		{"null", raw("null")},
		{"an array", raw("[" + text + "]")},
		{"a string", raw(jsonText(text))},
		{"two objects", raw(text + "{}")},
		{"a byte order mark", raw("\ufeff" + text)},
		{"a trailing comma", raw(text[:len(text)-1] + ",}")},
		{"a duplicate claim", raw(strings.Replace(text, "{", `{"rev":7,`, 1))},
		{"a duplicate claim that nobody knows", raw(strings.Replace(text, "{", `{"x":7,"x":7,`, 1))},
		{"a duplicate claim, once escaped", raw(strings.Replace(text, "{", `{"\u0072ev":7,`, 1))},
		{"a duplicate further down", raw(strings.Replace(text, "{", `{"x":[{"a":1,"a":1}],`, 1))},
		{"a duplicate feature", respelled(`"export":{}`, `"export":{},"export":{}`)},
		{"invalid UTF-8", respelled(`"premium"`, "\"\xff\"")},
		{"a lone surrogate", respelled(`"premium"`, `"\ud800"`)},
		{"a lone low surrogate", respelled(`"premium"`, `"a\udfffb"`)},
		{"surrogates in the wrong order", respelled(`"premium"`, `"\udc00\ud800"`)},
		{"a lone surrogate that nobody reads", raw(strings.Replace(text, "{", `{"x":"\udbff",`, 1))},
		{"nested too deep", raw(strings.Replace(text, "{", `{"x":`+nest(32)+`,`, 1))},
		{"nested 5000 deep", raw(strings.Replace(text, "{", `{"x":`+nest(5000)+`,`, 1))},
		{"nested 12000 deep", raw(strings.Replace(text, "{", `{"x":`+nest(12000)+`,`, 1))},
		{"rev is a fraction", rev("7.5")},
		{"rev is 2^53", rev("9007199254740992")},
		{"rev is 2^53+1", rev("9007199254740993")},
		{"rev is 2^63", rev("9223372036854775808")},
		{"rev is 2^64+7", rev("18446744073709551623")},
		{"rev is 1e400", rev("1e400")},
		{"rev is 1e-1", rev("1e-1")},
		{"rev has a thousand digits", rev("1" + strings.Repeat("0", 999))},
		{"rev has a leading zero", rev("07")},
		{"rev has a plus sign", rev("+7")},
		{"rev is hexadecimal", rev("0x7")},
		{"rev is NaN", rev("NaN")},
		{"rev is Infinity", rev("Infinity")},
	} {
		f.refuse("claims_invalid", "claims: "+c.name, c.input)
	}

	for _, c := range []struct {
		name, input string
		rev         int64
	}{
		{"rev is 0", rev("0"), 0},
		{"rev is -0", rev("-0"), 0},
		{"rev is 7.0", rev("7.0"), 7},
		{"rev is 0.7e1", rev("0.7e1"), 7},
		{"rev is 7E+2", rev("7E+2"), 700},
		{"rev is 2^53-1", rev("9007199254740991"), 9007199254740991},
		{"rev rounds to 7", rev("7.00000000000000000000001"), 7},
	} {
		f.add(vector{Name: "claims: " + c.name, Kind: "document", Input: c.input}, "", documentResultOf(changed("rev", c.rev)))
	}
	for _, c := range []struct{ name, claim string }{
		{"nested as deep as may be", `"x":` + nest(31)},
		{"a claim that nobody knows", `"later":{"a":[1,2.5,null,"é\ud83d\ude00"]}`},
		{"a claim named __proto__", `"__proto__":{"state":"revoked"}`},
	} {
		f.add(vector{Name: "claims: " + c.name, Kind: "document", Input: raw(strings.Replace(text, "{", "{"+c.claim+",", 1))}, "", documentResultOf(usualClaims()))
	}
	for _, c := range []struct {
		name string
		skew any
	}{
		{"is null", nil}, {"is true", true}, {"is a text", "0"}, {"is a fraction", 0.5}, {"is a list", []any{0}},
		{"is a second more than a day", 86_401}, {"is a second less than a day back", -86_401}, {"is 1e300", 1e300},
	} {
		f.refuse("claims_invalid", "claims: skew "+c.name, f.document(changed("skew", c.skew)))
	}
	f.accept("claims: skew is a day", changed("skew", 86_400))
	f.accept("claims: skew is a day back", changed("skew", -86_400))
	unskewed := usualClaims()
	delete(unskewed, "skew")
	f.accept("claims: no skew, as before it was signed", unskewed)
	f.accept("claims: external_id", changed("external_id", "crm-17"))
	f.accept("claims: external_id is no text, as for verifiers that ignore it", changed("external_id", 17))
	f.accept("claims: refresh_after is iat", changed("refresh_after", begin))
	f.accept("claims: refresh_after is exp", changed("refresh_after", end))
	f.accept("claims: no paid_through", changed("paid_through", nil))
	f.accept("claims: paid_through at the end of time", changed("paid_through", 8_640_000_000_000))
	f.accept("claims: exp at the end of time", changed("exp", 8_640_000_000_000))
	f.accept("claims: no plans and no features", changed("plans", []any{}, "features", object{}))
	f.accept("claims: state grace", changed("state", "grace"))
	f.accept("claims: state none", changed("state", "none", "plans", []any{}, "features", object{}, "paid_through", nil))
	f.accept("claims: state revoked", changed("state", "revoked", "reason", "revoked", "plans", []any{}, "features", object{}))
	f.accept("claims: state expired", changed("state", "expired", "reason", "lapsed", "plans", []any{}, "features", object{}))
	f.accept("claims: a reason that nobody knows", changed("state", "none", "reason", "later", "plans", []any{}, "features", object{}))
	f.accept("claims: features with the names of members", changed("features", object{"__proto__": object{"limit": 1}, "constructor": object{}, "": object{}}))
	f.accept("claims: a limit of 0", changed("features", object{"notes": object{"limit": 0}}))
	f.add(vector{Name: "claims: a feature with more to it", Kind: "document", Input: f.document(changed("features", object{"notes": object{"limit": 5, "later": true}}))},
		"", documentResultOf(changed("features", object{"notes": object{"limit": 5}})))

	other := "https://evil.example.com"
	f.refuse("issuer_mismatch", "claims: another issuer", f.document(changed("iss", other)))
	f.refuse("issuer_mismatch", "claims: the issuer with a slash", f.document(changed("iss", issuer+"/")))
	f.refuse("issuer_mismatch", "claims: the issuer in upper case", f.document(changed("iss", strings.ToUpper(issuer))))
	f.refuse("issuer_mismatch", "claims: another issuer before another audience", f.document(changed("iss", other, "aud", other)))
	f.refuse("audience_mismatch", "claims: another audience", f.document(changed("aud", other)))
	f.refuse("audience_mismatch", "claims: another audience before the key's time", f.document(func() object {
		c := issuedAt(begin - 3*daily)
		c["aud"] = other
		return c
	}()))
	f.refuse("claims_invalid", "claims: before another issuer", f.document(changed("iss", other, "rev", nil)))
	return f
}

// time tests the edges: a second and a millisecond before, the moment itself, a second after.
func (w vectorWorld) time() *vectorWriter {
	f := w.writer("Time: a document counts from its iat until its exp, its key for documents with an iat from nbf until exp, its keyset until exp. Ends do not belong to what they end.")
	usual := usualClaims()
	first, last := begin-2*daily, begin+90*daily // of the signing key

	f.at("not_yet_valid", "time: a day before iat", usual, "", begin-daily, 0)
	f.at("not_yet_valid", "time: a second before iat", usual, "", begin-1, 0)
	f.at("not_yet_valid", "time: a millisecond before iat", usual, "", begin, -1)
	f.at("", "time: at iat", usual, "", begin, 0)
	f.at("", "time: a second after iat", usual, "", begin+1, 0)
	f.at("", "time: a second before exp", usual, "", end-1, 0)
	f.at("", "time: a millisecond before exp", usual, "", end, -1)
	f.at("expired", "time: at exp", usual, "", end, 0)
	f.at("expired", "time: a millisecond after exp", usual, "", end, 1)
	f.at("expired", "time: a second after exp", usual, "", end+1, 0)
	f.at("expired", "time: a year after exp", usual, "", end+365*daily, 0)
	f.at("not_yet_valid", "time: a clock before 1970", usual, "", -1, 500)
	second := changed("exp", begin+1, "refresh_after", begin)
	f.at("", "time: a life of one second", second, "", begin, 999)
	f.at("expired", "time: a life of one second, over", second, "", begin+1, 0)

	f.at("key_outside_validity", "time: issued a second before the key's nbf", issuedAt(first-1), "", first, 0)
	f.at("", "time: issued at the key's nbf", issuedAt(first), "", first, 0)
	f.at("", "time: issued a second after the key's nbf", issuedAt(first+1), "", first+1, 0)
	f.at("", "time: issued a second before the key's exp", issuedAt(last-1), "", last-1, 0)
	f.at("", "time: still good after the key's exp", issuedAt(last-1), "", last+3598, 0)
	f.at("key_outside_validity", "time: issued at the key's exp", issuedAt(last), "", last, 0)
	f.at("key_outside_validity", "time: issued a second after the key's exp", issuedAt(last+1), "", last+1, 0)

	f.at("", "time: a second before the keyset's exp", usual, "brief", begin+1799, 0)
	f.at("", "time: a millisecond before the keyset's exp", usual, "brief", begin+1800, -1)
	f.at("keyset_expired", "time: at the keyset's exp", usual, "brief", begin+1800, 0)
	f.at("keyset_expired", "time: a second after the keyset's exp", usual, "brief", begin+1801, 0)

	f.at("keyset_expired", "time: the keyset's end before the document's", usual, "brief", end+1, 0)
	f.at("key_outside_validity", "time: the key's time before the keyset's end", issuedAt(first-1), "brief", begin+1800, 0)
	f.at("key_outside_validity", "time: the key's time before the document's end", issuedAt(first-1), "", end, 0)
	f.at("keyset_expired", "time: the keyset's end before the document's beginning", issuedAt(begin+daily), "brief", begin+1800, 0)
	return f
}

// expectations tests what a document is compared with besides its own claims.
func (w vectorWorld) expectations() *vectorWriter {
	f := w.writer("Expectations: what is expected is compared, in the order subject, device and key, proof, revision; what is not expected is not.")
	usual := usualClaims()
	jkt := usual["cnf"].(object)["jkt"].(string)
	all := func(change func(*vectorExpectation)) *vectorExpectation {
		e := vectorExpectation{Subject: new(user), Device: new(device), JKT: new(jkt), Proof: new("proof-1"), Revision: new(int64(7))}
		change(&e)
		return &e
	}
	input := f.document(usual)
	for _, c := range []struct {
		code, name string
		expect     *vectorExpectation
	}{
		{"", "all of it", all(func(*vectorExpectation) {})},
		{"", "nothing", &vectorExpectation{}},
		{"", "a lower revision", all(func(e *vectorExpectation) { e.Revision = new(int64(6)) })},
		{"", "revision 0", &vectorExpectation{Revision: new(int64(0))}},
		{"subject_mismatch", "another user", all(func(e *vectorExpectation) { e.Subject = new(device) })},
		{"subject_mismatch", "the user in upper case", all(func(e *vectorExpectation) { e.Subject = new(strings.ToUpper(user)) })},
		{"subject_mismatch", "a user without a name", &vectorExpectation{Subject: new("")}},
		{"device_mismatch", "another device", all(func(e *vectorExpectation) { e.Device = new(user) })},
		{"device_mismatch", "a device without an id", &vectorExpectation{Device: new("")}},
		{"device_mismatch", "another key", all(func(e *vectorExpectation) { e.JKT = new(w.strange.kid) })},
		{"device_mismatch", "no key", &vectorExpectation{JKT: new("")}},
		{"proof_mismatch", "the answer to another proof", all(func(e *vectorExpectation) { e.Proof = new("proof-2") })},
		{"proof_mismatch", "the answer to no proof", &vectorExpectation{Proof: new("")}},
		{"revision_rollback", "the next revision", all(func(e *vectorExpectation) { e.Revision = new(int64(8)) })},
		{"revision_rollback", "a much later revision", &vectorExpectation{Revision: new(int64(9007199254740991))}},
		{"subject_mismatch", "nothing that fits", &vectorExpectation{Subject: new("x"), Device: new("x"), JKT: new("x"), Proof: new("x"), Revision: new(int64(8))}},
		{"device_mismatch", "only the user fits", all(func(e *vectorExpectation) {
			e.Device, e.JKT, e.Proof, e.Revision = new("x"), new("x"), new("x"), new(int64(8))
		})},
		{"proof_mismatch", "user, device and key fit", all(func(e *vectorExpectation) { e.Proof, e.Revision = new("x"), new(int64(8)) })},
	} {
		f.add(vector{Name: "expectations: " + c.name, Kind: "document", Input: input, Expect: c.expect}, c.code, documentResultOf(usual))
	}
	f.add(vector{Name: "expectations: the time comes first", Kind: "document", Input: input, Now: end * 1000, Expect: &vectorExpectation{Subject: new("x")}}, "expired", nil)
	return f
}

// keysetVectors tests the ways in which a keyset fails.
func (w vectorWorld) keysetVectors() *vectorWriter {
	f := w.writer("Keysets: signed by an embedded root, each key complete and its own kid's. A keyset's beginning is not judged, its end is.")
	f.file.Keysets = nil
	finish := func(claims object) object {
		kids := []string{}
		for _, entry := range claims["keys"].([]any) {
			kids = append(kids, entry.(object)["kid"].(string))
		}
		return object{"version": claims["version"], "exp": claims["exp"], "keys": kids}
	}
	result := func(input string, root vectorKey, claims object) object {
		r := finish(claims)
		r["marks"] = []any{markOf(root, claims["version"], input)}
		return r
	}
	add := func(code, name string, v vector) {
		v.Kind, v.Name = "keyset", "keyset: "+name
		f.add(v, code, nil)
	}
	accept := func(name, roots string, root vectorKey, claims object, now int64) {
		input := w.signKeyset(root, claims)
		f.add(vector{Kind: "keyset", Name: "keyset: " + name, Input: input, Roots: roots, Now: now}, "", result(input, root, claims))
	}
	with := func(namesAndValues ...any) object {
		claims := w.keysetClaims()
		for i := 0; i < len(namesAndValues); i += 2 {
			if claims[namesAndValues[i].(string)] = namesAndValues[i+1]; namesAndValues[i+1] == missing {
				delete(claims, namesAndValues[i].(string))
			}
		}
		return claims
	}
	keyWith := func(namesAndValues ...any) object {
		entry := w.entry(w.signing)
		for i := 0; i < len(namesAndValues); i += 2 {
			if entry[namesAndValues[i].(string)] = namesAndValues[i+1]; namesAndValues[i+1] == missing {
				delete(entry, namesAndValues[i].(string))
			}
		}
		return with("keys", []any{entry, w.entry(w.second)})
	}
	sign := func(claims object) string { return w.signKeyset(w.current, claims) }
	usual := sign(w.keysetClaims())
	head := w.current.header("keyset+jwt")
	text := jsonText(w.keysetClaims())
	kend := begin + 400*daily

	accept("by the current root", "one", w.current, w.keysetClaims(), 0)
	accept("by the current root of two", "both", w.current, w.keysetClaims(), 0)
	accept("by the next root", "both", w.next, w.keysetClaims(), 0)
	accept("by a root that has moved from next to current", "moved", w.next, w.keysetClaims(), 0)
	accept("issued in the future", "one", w.current, w.keysetClaims(), (begin-3*daily)*1000)
	accept("a second before its end", "one", w.current, w.keysetClaims(), (kend-1)*1000)
	accept("a millisecond before its end", "one", w.current, w.keysetClaims(), kend*1000-1)
	accept("a life of one second", "one", w.current, with("iat", begin, "exp", begin+1), begin*1000+999)
	accept("version 1", "one", w.current, with("version", 1), 0)
	accept("version 2^53-1", "one", w.current, with("version", 9007199254740991), 0)
	accept("one key", "one", w.current, with("keys", []any{w.entry(w.second)}), 0)
	accept("a key that ends after the keyset", "one", w.current, keyWith("exp", kend+daily), 0)
	accept("members that nobody knows", "one", w.current, keyWith("key_ops", []string{"verify"}, "ext", true, "__proto__", object{"d": "x"}), 0)

	add("keyset_expired", "at its end", vector{Input: usual, Now: kend * 1000})
	add("keyset_expired", "a second after its end", vector{Input: usual, Now: (kend + 1) * 1000})
	add("root_unknown", "by a foreign root", vector{Input: w.signKeyset(w.foreign, w.keysetClaims()), Roots: "both"})
	add("root_unknown", "by a next root that is not embedded", vector{Input: w.signKeyset(w.next, w.keysetClaims())})
	add("root_unknown", "by a root that is embedded no longer", vector{Input: usual, Roots: "moved"})
	add("root_unknown", "by one of its own keys", vector{Input: w.signKeyset(w.signing, w.keysetClaims())})
	add("root_unknown", "kid is empty", vector{Input: w.current.sign(strings.Replace(head, w.current.kid, "", 1), text)})
	add("root_unknown", "kid is __proto__", vector{Input: w.current.sign(strings.Replace(head, w.current.kid, "__proto__", 1), text)})
	add("signature_invalid", "a foreign signature under our root's kid", vector{Input: w.foreign.sign(head, text)})
	add("signature_invalid", "the next root's signature under the current one's kid", vector{Input: w.next.sign(head, text), Roots: "both"})
	add("signature_invalid", "another version under the same signature", vector{
		Input: base64url([]byte(head)) + "." + base64url([]byte(jsonText(with("version", 4)))) + usual[strings.LastIndex(usual, "."):],
	})
	r, s := w.current.rs(usual[:strings.LastIndex(usual, ".")])
	zero := make([]byte, 32)
	add("signature_invalid", "r is 0", vector{Input: usual[:strings.LastIndex(usual, ".")+1] + base64url(append(zero[:32:32], s...))})
	add("signature_invalid", "s is 0", vector{Input: usual[:strings.LastIndex(usual, ".")+1] + base64url(append(r[:32:32], zero...))})
	add("signature_invalid", "DER", vector{Input: usual[:strings.LastIndex(usual, ".")+1] + base64url(bytes.Join([][]byte{{0x30, 0x44, 2, 32}, r, {2, 32}, s}, nil))})
	add("signature_invalid", "s is n", vector{
		Input: usual[:strings.LastIndex(usual, ".")+1] + base64url(append(r[:32:32], elliptic.P256().Params().N.Bytes()...)),
	})
	add("malformed", "a JWK Set", vector{Input: jsonText(object{"keys": []any{w.entry(w.signing)}})})
	add("malformed", "JSON serialization", vector{Input: jsonText(object{"payload": base64url([]byte(text)), "protected": base64url([]byte(head)), "signature": "AA"})})
	add("malformed", "padding", vector{Input: usual + "=="})
	add("malformed", "duplicate header members", vector{Input: w.current.sign(strings.Replace(head, "{", `{"alg":"ES256",`, 1), text)})
	add("header_invalid", "an embedded key", vector{Input: w.foreign.sign(jsonText(object{"alg": "ES256", "jwk": w.foreign.jwk, "typ": "keyset+jwt"}), text)})
	for _, member := range []struct{ name, value string }{
		{"jwk", jsonText(w.foreign.jwk)}, {"jku", `"https://evil.example.com/jwks.json"`}, {"x5c", `["MIIB"]`}, {"x5u", `"https://evil.example.com/chain.pem"`},
		{"crit", `["exp"]`}, {"b64", "false"}, {"x", "1"},
	} {
		add("header_invalid", "with "+member.name, vector{Input: w.current.sign(strings.Replace(head, "}", `,"`+member.name+`":`+member.value+"}", 1), text)})
	}
	add("algorithm_invalid", "alg none", vector{Input: base64url([]byte(strings.Replace(head, "ES256", "none", 1))) + "." + base64url([]byte(text)) + "."})
	point, _ := w.current.private.PublicKey.Bytes()
	add("algorithm_invalid", "HS256 under the root's point", vector{Input: macced(strings.Replace(head, "ES256", "HS256", 1), text, point)})
	add("algorithm_invalid", "HS256 under the root's PEM", vector{Input: macced(strings.Replace(head, "ES256", "HS256", 1), text, w.current.pem())})
	add("signature_invalid", "ES256 over an HMAC under the root's PEM", vector{Input: macced(head, text, w.current.pem())})
	add("type_invalid", "a document's typ", vector{Input: w.current.sign(w.current.header("entitlement+jwt"), text)})
	add("type_invalid", "typ JWT", vector{Input: w.current.sign(w.current.header("JWT"), text)})
	add("type_invalid", "a document", vector{Input: f.document(usualClaims())})

	for _, name := range []string{"iss", "iat", "exp", "version", "keys"} {
		add("claims_invalid", "without "+name, vector{Input: sign(with(name, missing))})
		add("claims_invalid", name+" is null", vector{Input: sign(with(name, nil))})
		add("claims_invalid", name+" is a list of a text", vector{Input: sign(with(name, []any{"1"}))})
	}
	for _, name := range []string{"kty", "crv", "x", "y", "kid", "alg", "use", "nbf", "exp"} {
		add("claims_invalid", "a key without "+name, vector{Input: sign(keyWith(name, missing))})
		add("claims_invalid", "a key whose "+name+" is null", vector{Input: sign(keyWith(name, nil))})
	}
	jwk := func(name string, value any) object {
		entry := maps.Clone(w.signing.jwk)
		entry[name] = value
		return keyWith(name, value, "kid", thumbprintOf(entry))
	}
	x, y := w.signing.jwk["x"].(string), w.signing.jwk["y"].(string)
	moved := elliptic.P256().Params().P
	smallX, smallY := smallPoint()
	for _, c := range []struct {
		name   string
		claims object
	}{
		{"version 0", with("version", 0)},
		{"version -1", with("version", -1)},
		{"version is a fraction", with("version", 1.5)},
		{"version is a text", with("version", "3")},
		{"version 2^53", with("version", 9007199254740992)},
		{"ends when it begins", with("exp", begin-2*daily)},
		{"ends before it begins", with("exp", begin-3*daily)},
		{"ends past the end of time", with("exp", 8_640_000_000_001)},
		{"no keys", with("keys", []any{})},
		{"keys is an object", with("keys", object{"0": w.entry(w.signing)})},
		{"a key is null", with("keys", []any{w.entry(w.signing), nil})},
		{"a key is a text", with("keys", []any{w.entry(w.signing), "key"})},
		{"the same key twice", with("keys", []any{w.entry(w.signing), w.entry(w.signing)})},
		{"a kid that is not the key's", keyWith("kid", w.strange.kid)},
		{"a kid that is a name", keyWith("kid", "signing-1")},
		{"a key for encryption", keyWith("use", "enc")},
		{"a key for another algorithm", keyWith("alg", "ES384")},
		{"a key for HS256", keyWith("alg", "HS256")},
		{"a key for none", keyWith("alg", "none")},
		{"a private key", keyWith("d", base64url(make([]byte, 32)))},
		{"a private key of null", keyWith("d", nil)},
		{"a key that ends when it begins", keyWith("exp", begin-2*daily)},
		{"a key that ends before it begins", keyWith("exp", begin-3*daily)},
		{"a key whose nbf is a fraction", keyWith("nbf", 0.5)},
		{"a key whose nbf is negative", keyWith("nbf", -1)},
		{"a key on P-384", jwk("crv", "P-384")},
		{"a key on secp256k1", jwk("crv", "secp256k1")},
		{"a symmetric key", keyWith("kty", "oct", "k", "AAAA")},
		{"an RSA key", keyWith("kty", "RSA", "n", "AQAB", "e", "AQAB")},
		{"an OKP key", jwk("kty", "OKP")},
		{"a key whose kty is in lower case", jwk("kty", "ec")},
		{"a point off the curve", jwk("y", x)},
		{"the point at infinity", with("keys", []any{entryOf(w, strings.Repeat("A", 43), strings.Repeat("A", 43))})},
		{"a coordinate too short", jwk("x", base64url(make([]byte, 31)))},
		{"a coordinate with a zero before", jwk("x", base64url(append([]byte{0}, decoded(x)...)))},
		{"a padded coordinate", jwk("x", x+"=")},
		{"a coordinate with trailing bits", jwk("y", twin(y))},
		{"a coordinate in the standard alphabet", jwk("x", strings.NewReplacer("-", "+", "_", "/").Replace(x))},
		{"a coordinate with a line break", jwk("x", x+"\n")},
		{"an empty coordinate", jwk("y", "")},
		{"a coordinate above p", with("keys", []any{entryOf(w, base64url(new(big.Int).Add(smallX, moved).Bytes()), base64url(smallY.FillBytes(make([]byte, 32))))})},
	} {
		if c.name == "a coordinate in the standard alphabet" && !strings.ContainsAny(x, "-_") {
			panic("this key's x is spelled alike in both alphabets")
		}
		add("claims_invalid", c.name, vector{Input: sign(c.claims)})
	}
	add("claims_invalid", "a duplicate member in a key", vector{Input: w.current.sign(head, strings.Replace(text, `"kty":`, `"kty":"EC","kty":`, 1))})
	add("claims_invalid", "no JSON", vector{Input: w.current.sign(head, "keys")})
	add("claims_invalid", "nested too deep", vector{Input: w.current.sign(head, strings.Replace(text, "{", `{"x":`+nest(32)+",", 1))})
	add("issuer_mismatch", "another issuer", vector{Input: sign(with("iss", "https://evil.example.com"))})
	add("issuer_mismatch", "another issuer before its end", vector{Input: sign(with("iss", "https://evil.example.com")), Now: kend * 1000})
	return f
}

func decoded(text string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// entryOf returns an entry for a key of these coordinates under its own thumbprint.
func entryOf(w vectorWorld, x, y string) object {
	entry := w.entry(w.signing)
	entry["x"], entry["y"] = x, y
	entry["kid"] = thumbprintOf(entry)
	return entry
}

// smallPoint returns the point with the smallest x from 1 on: x+p still fits into 32 bytes.
func smallPoint() (x, y *big.Int) {
	params := elliptic.P256().Params()
	for x = big.NewInt(1); ; x.Add(x, big.NewInt(1)) {
		square := new(big.Int).Exp(x, big.NewInt(3), params.P)
		square.Sub(square, new(big.Int).Mul(x, big.NewInt(3))).Add(square, params.B).Mod(square, params.P)
		if y = new(big.Int).ModSqrt(square, params.P); y != nil {
			return x, y
		}
	}
}

func markOf(root vectorKey, version any, keyset string) object {
	sum := sha256.Sum256([]byte(keyset))
	return object{"root": root.kid, "version": version, "digest": base64url(sum[:])}
}

// marks tests the marks that refuse an old keyset.
func (w vectorWorld) marks() *vectorWriter {
	f := w.writer("Marks: a keyset by next outranks all by current; a lower version, or other bytes of the same version, are refused; marks of roots that are not embedded are dropped. Each result holds the marks to keep.")
	f.file.Keysets = nil
	version := func(root vectorKey, version int) (string, object) {
		claims := w.keysetClaims()
		claims["version"], claims["keys"] = version, []any{w.entry(w.signing)}
		return w.signKeyset(root, claims), claims
	}
	mark := func(root vectorKey, v int) vectorMark {
		input, _ := version(root, v)
		sum := sha256.Sum256([]byte(input))
		return vectorMark{Root: root.kid, Version: int64(v), Digest: base64url(sum[:])}
	}
	otherBytes := func(root vectorKey, v int) vectorMark {
		m := mark(root, v)
		m.Digest = base64url(make([]byte, 32))
		return m
	}
	for _, c := range []struct {
		code, name, roots string
		root              vectorKey
		version           int
		marks, kept       []vectorMark
	}{
		{"", "the first keyset", "one", w.current, 3, nil, []vectorMark{mark(w.current, 3)}},
		{"", "the same keyset again", "one", w.current, 3, []vectorMark{mark(w.current, 3)}, []vectorMark{mark(w.current, 3)}},
		{"", "the next version", "one", w.current, 4, []vectorMark{mark(w.current, 3)}, []vectorMark{mark(w.current, 4)}},
		{"", "a much later version", "one", w.current, 1000, []vectorMark{mark(w.current, 3)}, []vectorMark{mark(w.current, 1000)}},
		{"keyset_rollback", "the version before", "one", w.current, 2, []vectorMark{mark(w.current, 3)}, nil},
		{"keyset_rollback", "the first version again", "one", w.current, 1, []vectorMark{mark(w.current, 3)}, nil},
		{"keyset_rollback", "the same version in other bytes", "one", w.current, 3, []vectorMark{otherBytes(w.current, 3)}, nil},
		{"", "the next root's first version over the current one's ninth", "both", w.next, 1, []vectorMark{mark(w.current, 9)}, []vectorMark{mark(w.current, 9), mark(w.next, 1)}},
		{"keyset_rollback", "the current root's tenth version after the next one's first", "both", w.current, 10, []vectorMark{mark(w.current, 9), mark(w.next, 1)}, nil},
		{"keyset_rollback", "the current root's same keyset after the next one's first", "both", w.current, 9, []vectorMark{mark(w.next, 1), mark(w.current, 9)}, nil},
		{"", "the next root's second version", "both", w.next, 2, []vectorMark{mark(w.current, 9), mark(w.next, 1)}, []vectorMark{mark(w.current, 9), mark(w.next, 2)}},
		{"keyset_rollback", "the next root's first version after its second", "both", w.next, 1, []vectorMark{mark(w.next, 2)}, nil},
		{"keyset_rollback", "the next root's same version in other bytes", "both", w.next, 2, []vectorMark{otherBytes(w.next, 2)}, nil},
		{"", "a root that moved to current goes on", "moved", w.next, 3, []vectorMark{mark(w.current, 9), mark(w.next, 2)}, []vectorMark{mark(w.next, 3)}},
		{"keyset_rollback", "a root that moved to current goes back", "moved", w.next, 1, []vectorMark{mark(w.current, 9), mark(w.next, 2)}, nil},
		{"", "the mark of a next root that was withdrawn does not bind", "one", w.current, 2, []vectorMark{mark(w.next, 5)}, []vectorMark{mark(w.current, 2)}},
		{"", "the mark of a foreign root does not bind", "both", w.current, 1, []vectorMark{mark(w.foreign, 9)}, []vectorMark{mark(w.current, 1)}},
		{"", "the mark of no root does not bind", "one", w.current, 1, []vectorMark{{Root: "", Version: 9, Digest: ""}}, []vectorMark{mark(w.current, 1)}},
		{"root_unknown", "a root that is not embedded, whatever the mark", "one", w.next, 5, []vectorMark{mark(w.next, 4)}, nil},
	} {
		input, claims := version(c.root, c.version)
		result := object{"version": claims["version"], "exp": claims["exp"], "keys": []string{w.signing.kid}, "marks": c.kept}
		f.add(vector{Kind: "keyset", Name: "marks: " + c.name, Input: input, Roots: c.roots, Marks: c.marks}, c.code, result)
	}
	old, _ := version(w.current, 2)
	f.add(vector{Kind: "keyset", Name: "marks: the end comes first", Input: old, Marks: []vectorMark{mark(w.current, 3)}, Now: (begin + 400*daily) * 1000}, "keyset_expired", nil)
	return f
}
