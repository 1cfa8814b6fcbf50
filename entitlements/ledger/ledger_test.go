package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

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
