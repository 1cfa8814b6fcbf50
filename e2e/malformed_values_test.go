package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// chance is the generator's random choice.
type chance struct{ *rand.Rand }

func (r *chance) one(in int) bool { return r.IntN(in) == 0 }

func pick[T any](r *chance, from ...T) T { return from[r.IntN(len(from))] }

func newHops() *atomic.Int32 { return new(atomic.Int32) }

// hostileTexts are texts that a member or a parameter could hold.
var hostileTexts = []string{
	"", " ", "0", "-1", "1e999", "NaN", "9223372036854775808", "null", "true", "[]", "é", "e\u0301", "\u202e", "\u200b", "\U0001f469\u200d\U0001f680", "\u0000", "\ufffe",
	"a\nb", "'; DROP TABLE users; --", "%00", "../../etc/passwd", "${jndi:ldap://x}", "00000000-0000-0000-0000-000000000000",
	"ffffffff-ffff-ffff-ffff-ffffffffffff", "{00000000-0000-0000-0000-000000000000}", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
	"2026-02-30T00:00:00Z", "2026-01-01T00:00:60Z", "+99999-01-01T00:00:00Z", "2026-01-01T00:00:00.999999999999Z", "-0001-01-01T00:00:00Z", "infinity",
	"AAAA", "A", "=", "AAAAAAAAAAAAAAAAAAAAAEFkYQ", "AAAAAAAAAAAAAAAAAAAAAP8", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "..", strings.Repeat("a", 101),
	strings.Repeat("\u0301", 90), strings.Repeat("x", 300), strings.Repeat("ß", 5000), "active", "premium", "a:* & !b", `\`, `'`, "\x7f",
}

var hostileNumbers = []json.Number{
	"0", "-1", "-0", "1", "0.5", "1e2", "1e308", "1e999", "-1e999", "1e-400", "2147483648", "9007199254740993", "9223372036854775807", "9223372036854775808",
	"-9223372036854775809", "123456789012345678901234567890", "3650000000",
}

// path fills the placeholders with ids that exist, or could.
func (w *walk) path(r *chance, template string) string {
	before, rest, found := strings.Cut(template, "{")
	if !found {
		return template
	}
	_, after, _ := strings.Cut(rest, "}")
	id := w.ids[r.IntN(len(w.ids))]
	if r.one(2) {
		id = fmt.Sprintf("%08x-0000-4000-8000-%012x", r.Uint32(), r.Uint32())
	}
	return before + url.PathEscape(id) + after
}

// spoiltPath fills the placeholders with ids that cannot exist.
func (w *walk) spoiltPath(r *chance, template string) string {
	before, rest, _ := strings.Cut(template, "{")
	_, after, _ := strings.Cut(rest, "}")
	return before + pick(r, "%ff", "%00", "a%00b", "%zz", strings.Repeat("a", 300), "%20", "%e2%80%8b", "%2f..%2f", "%c0%ae", "a%0ab", "☃", "-%0d%0a") + after
}

// example is a value as the schema describes it.
func (w *walk) example(r *chance, schema map[string]any, depth int) any {
	if schema == nil || depth > 8 {
		return map[string]any{}
	}
	for _, several := range []string{"oneOf", "anyOf", "allOf"} {
		if choices, ok := schema[several].([]any); ok && len(choices) > 0 {
			return w.example(r, w.resolve(choices[0]), depth+1)
		}
	}
	if values, ok := schema["enum"].([]any); ok {
		return values[r.IntN(len(values))]
	}
	if value, ok := schema["const"]; ok {
		return value
	}
	kind, _ := schema["type"].(string)
	if kinds, ok := schema["type"].([]any); ok {
		kind, _ = kinds[0].(string)
	}
	switch kind {
	case "string":
		switch schema["format"] {
		case "uuid":
			return w.ids[0]
		case "date-time":
			return "2030-01-01T00:00:00Z"
		}
		return pick(r, "Ada", "premium", w.device.Lineage(), "AAAA")
	case "integer", "number":
		return json.Number("1")
	case "boolean":
		return r.one(2)
	case "array":
		return []any{w.example(r, w.resolve(schema["items"]), depth+1)}
	}
	object := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		object[name] = w.example(r, w.resolve(properties[name]), depth+1)
	}
	if name := "device"; object[name] != nil {
		object[name] = w.device.ID
	}
	return object
}

// twist replaces one or two values of the body by others, of the same type or not.
func (w *walk) twist(r *chance, body any) any {
	for range 1 + r.IntN(2) {
		body = w.twistOnce(r, body)
	}
	return body
}

func (w *walk) twistOnce(r *chance, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 || r.one(12) {
			return pick[any](r, map[string]any{}, nil, []any{}, map[string]any{"": ""})
		}
		names := slices.Sorted(maps.Keys(value))
		name := names[r.IntN(len(names))]
		if r.one(6) {
			delete(value, name)
		} else {
			value[name] = w.twistOnce(r, value[name])
		}
		return value
	case []any:
		if len(value) == 0 || r.one(4) {
			return slices.Repeat(value, 2000)
		}
		value[0] = w.twistOnce(r, value[0])
		return value
	case string:
		if raw, err := base64.RawURLEncoding.DecodeString(value); err == nil && len(raw) > 30 && !r.one(3) {
			return base64.RawURLEncoding.EncodeToString(spoilBytes(r, raw))
		}
		if r.one(5) {
			return w.ids[r.IntN(len(w.ids))]
		}
		return hostileTexts[r.IntN(len(hostileTexts))]
	}
	if r.one(4) {
		return pick[any](r, nil, true, "1", []any{}, map[string]any{})
	}
	return hostileNumbers[r.IntN(len(hostileNumbers))]
}

// spoil returns the body with something that no JSON reader, or no route, may accept.
func spoil(r *chance, body any, strict bool, path string) []byte {
	whole, err := json.Marshal(body)
	if err != nil {
		panic(err) // made here
	}
	member := func(name, value string) []byte {
		text := append([]byte(nil), whole[:len(whole)-1]...)
		if len(text) > 1 {
			text = append(text, ',')
		}
		return fmt.Appendf(text, "%s:%s}", name, value)
	}
	kinds := []func() []byte{
		func() []byte { return whole[:1+r.IntN(len(whole)-1)] },
		func() []byte { return append(whole, pick(r, "{}", "]", "x", "\x00", ",", "//")...) },
		func() []byte {
			at := r.IntN(len(whole) + 1)
			return slices.Insert(slices.Clone(whole), at, pick[byte](r, 0xff, 0xc0, 0x00, 0x01))
		},
		func() []byte {
			return []byte(pick(r, "[]", "null", "1", `"x"`, "true", "\ufeff{}", "{", "}", "[[[[", "{]", "\xff\xfe{\x00}\x00", "NaN", "{'a':1}"))
		},
		func() []byte {
			return member(`"a"`, pick(r, `"\ud800"`, `"\udc00\ud800"`, `"\u0000"`, `"\x"`, "\"\n\""))
		},
		func() []byte {
			nested := 17 + r.IntN(30_000)
			return member(`"a"`, strings.Repeat(`{"a":`, nested)+"1"+strings.Repeat("}", nested))
		},
		func() []byte { return member(`"a"`, strings.Repeat("[", 40_000)) },
		func() []byte { return member(`"a":1,"a"`, "1") },
	}
	if strict {
		kinds = append(kinds,
			func() []byte {
				return member(pick(r, `"zz"`, `""`, `"__proto__"`, `"Name"`, `"\u006eame "`), pick(r, "1", "null", "{}", `""`))
			})
	}
	if path != "/v1/reconcile" && !strings.HasPrefix(path, "/v1/billing/") {
		kinds = append(kinds, func() []byte { return member(`"a"`, `"`+strings.Repeat("x", 64<<10)+`"`) })
	} else if r.one(8) {
		kinds = append(kinds, func() []byte { return bytes.Repeat([]byte(" "), 4<<20+1) })
	}
	return kinds[r.IntN(len(kinds))]()
}

// spoilBytes changes a binary value, such as authenticator data: a bit, a run, its length.
func spoilBytes(r *chance, raw []byte) []byte {
	at := r.IntN(len(raw))
	switch r.IntN(5) {
	case 0:
		raw[at] ^= 1 << r.IntN(8)
	case 1:
		return raw[:at]
	case 2:
		return slices.Insert(raw, at, bytes.Repeat([]byte{byte(r.IntN(256))}, 1+r.IntN(300))...)
	case 3: // the head of a CBOR item of any kind and length
		raw[at] = pick[byte](r, 0x1b, 0x3b, 0x5b, 0x5f, 0x7b, 0x7f, 0x9b, 0x9f, 0xbb, 0xbf, 0xdb, 0xf9, 0xfb, 0xff)
	case 4:
		return slices.Delete(raw, at, min(len(raw), at+1+r.IntN(20)))
	}
	return raw
}

// spoilJWS changes a compact JWS somewhere.
func spoilJWS(r *chance, jws string) string {
	parts := strings.Split(jws, ".")
	at := r.IntN(len(parts))
	switch r.IntN(6) {
	case 0:
		return jws[:r.IntN(len(jws))]
	case 1:
		return jws + pick(r, "=", ".", ".x", " ", "\xff")
	case 2:
		parts[at] = ""
	case 3:
		raw, _ := base64.RawURLEncoding.DecodeString(parts[at])
		raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
		parts[at] = base64.RawURLEncoding.EncodeToString(raw)
	case 4:
		parts[at%2] = base64.RawURLEncoding.EncodeToString([]byte(pick(r, "{}", "[]", "null", `{"alg":"none"}`, `{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`,
			`{"iat":1e999}`, `{"jti":null,"htm":[],"htu":{}}`, strings.Repeat(`{"a":`, 20_000), "{\"a\":\"\xff\"}", `{"a":1,"a":2}`)))
	case 5:
		return strings.Repeat(jws+".", 20)
	}
	return strings.Join(parts, ".")
}

func strayHeader(r *chance) [2]string {
	return pick(r,
		[2]string{"If-None-Match", pick(r, "*", `"x`, strings.Repeat(`"a",`, 1000), "\xff")},
		[2]string{"Accept", pick(r, "text/html", ";;;", "*/*;q=2", strings.Repeat("a/b,", 1000))},
		[2]string{"Accept-Encoding", pick(r, "gzip;q=0", "identity;q=0", "*", "gzip, gzip, br", "\xff")},
		[2]string{"Range", pick(r, "bytes=0-0,1-1,2-2", "bytes=-1", "x")},
		[2]string{"Forwarded", pick(r, `for="[::1`, "for=_x;for=", strings.Repeat("for=1.2.3.4,", 500))},
		[2]string{"X-Forwarded-For", pick(r, "x", "1.2.3.4,,", "::ffff:1.2.3.4%eth0", strings.Repeat("1.2.3.4,", 500))},
		[2]string{"Content-Encoding", pick(r, "gzip", "deflate", "x")},
		[2]string{"X-HTTP-Method-Override", "DELETE"},
		[2]string{"Last-Event-ID", pick(r, "-1", "x", "9223372036854775808")},
		[2]string{"Access-Control-Request-Method", pick(r, "PUT", "\xff")},
		[2]string{"Upgrade", "websocket"},
		[2]string{"User-Agent", pick(r, "\xff", strings.Repeat("Mozilla/5.0 ", 500), "Mozilla/5.0 (Windows NT 10.0; ) Chrome/9999999999999999999")},
	)
}
