package ledger_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/entitlements/jose"
	"holdfast/entitlements/ledger"
)

func entry(seq int, payload string) []byte {
	text, err := json.Marshal(map[string]any{
		"seq": seq, "prev": ledger.Start("device").String(), "at": 1_772_366_400, "feature": "notes", "document": "AAAA",
		"action": "note.save", "payload": json.RawMessage(payload),
	})
	if err != nil {
		panic(err)
	}
	return text
}

// FuzzEntry reads any text as an entry: what is taken has the bytes and the hash of the text, and all members in range.
func FuzzEntry(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, string(entry(1, `{"a":[1,"é",null]}`)), string(entry(2, `"`+strings.Repeat("a", ledger.MaxPayload)+`"`)),
		string(entry(1, strings.Repeat("[", 31)+strings.Repeat("]", 31))), string(entry(1, strings.Repeat("[", 99)+strings.Repeat("]", 99))),
		strings.Replace(string(entry(1, `1`)), `"seq":1`, `"seq":1,"seq":2`, 1), strings.Replace(string(entry(1, `1`)), `"seq":1`, `"seq":1.5`, 1),
		string(bytes.ToUpper(entry(1, `1`))), string(entry(1, `1`)) + " ", "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := ledger.ReadEntry(text)
		if err != nil {
			if _, ok := errors.AsType[*ledger.Refusal](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if !bytes.Equal(read.Bytes, text) || read.Hash != sha256.Sum256(text) || read.Seq < 1 || read.Feature == "" || read.Action == "" ||
			len(read.Payload) > ledger.MaxPayload || !json.Valid(read.Payload) {
			t.Errorf("%+v", read)
		}
	})
}

// TestVectors reads the entries that the SDK's tests encode, and refuses the others for their reasons.
func TestVectors(t *testing.T) {
	t.Parallel()
	var vectors struct {
		Device  string
		Entries []struct {
			Members struct {
				Seq                       int64
				Feature, Action, Document string
			}
			Text, Hash string
		}
		Refused []struct {
			Name  string
			Texts []string
			Kept  int
			Code  ledger.Code
		}
	}
	file, err := os.ReadFile("testdata/entries.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	take := func(texts ...string) (taken []ledger.Entry, refused *ledger.Refusal) {
		t.Helper()
		batch, err := ledger.Parse(sign(t, key, vectors.Device, texts), public(t, key), vectors.Device)
		if err == nil {
			if _, taken, refused = batch.Continue(vectors.Device, ledger.Head{}); refused == nil {
				refused = batch.Refused
			}
			return taken, refused
		}
		refused, _ = errors.AsType[*ledger.Refusal](err)
		return nil, refused
	}
	texts := make([]string, len(vectors.Entries))
	for i, v := range vectors.Entries {
		texts[i] = v.Text
	}
	taken, refused := take(texts...)
	if refused != nil || len(taken) != len(texts) || len(taken) < 5 {
		t.Fatalf("%d taken, %v", len(taken), refused)
	}
	for i, entry := range taken {
		want := vectors.Entries[i]
		if entry.Hash.String() != want.Hash || entry.Seq != want.Members.Seq || entry.Feature != want.Members.Feature ||
			entry.Action != want.Members.Action || entry.Document != want.Members.Document {
			t.Errorf("%d: %+v", i, entry)
		}
	}
	for _, v := range vectors.Refused {
		if taken, refused := take(v.Texts...); len(taken) != v.Kept || refused == nil || refused.Code != v.Code {
			t.Errorf("%s: %d taken, %v", v.Name, len(taken), refused)
		}
	}
}

func public(t *testing.T, key *ecdsa.PrivateKey) jose.PublicKey {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	read, err := jose.JWK{Kty: "EC", Crv: "P-256", X: jose.EncodeBase64(point[1:33]), Y: jose.EncodeBase64(point[33:])}.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func sign(t *testing.T, key *ecdsa.PrivateKey, device string, texts []string) string {
	t.Helper()
	encoded := make([]string, len(texts))
	for i, text := range texts {
		encoded[i] = jose.EncodeBase64([]byte(text))
	}
	claims, err := json.Marshal(map[string]any{"device": device, "entries": encoded})
	if err != nil {
		t.Fatal(err)
	}
	input := jose.EncodeBase64([]byte(`{"alg":"ES256","typ":"ledger+jwt"}`)) + "." + jose.EncodeBase64(claims)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + jose.EncodeBase64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}
