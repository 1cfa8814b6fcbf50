// Package ledger reads what a device recorded while it was offline: a hash chain of entries, signed by the device's key.
//
// On the wire, a batch is a compact JWS of type ledger+jwt (RFC 7515) with the claims device and entries. Each entry is
// the exact bytes of a JSON object; the next entry names their SHA-256, so that nothing can be changed, left out or put in
// between later. What an entry is worth is not decided here.
package ledger

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements/jose"
)

// Type is the typ of a batch.
const Type = "ledger+jwt"

// The bounds of a batch.
const (
	MaxEntries = 500
	MaxPayload = 16 << 10 // bytes
	maxName    = 64       // characters
)

// Hash is the SHA-256 of an entry's bytes; of a device's id, for the entry before the first.
type Hash [sha256.Size]byte

// String returns base64url.
func (h Hash) String() string { return jose.EncodeBase64(h[:]) }

// Start returns what the first entry of a device names as the entry before it.
func Start(device string) Hash { return sha256.Sum256([]byte(device)) }

// Head is the last entry of a chain: Seq from 1; zero before the first.
type Head struct {
	Seq  int64
	Hash Hash
}

// Entry is one act.
type Entry struct {
	Seq      int64
	Prev     Hash
	At       int64  // unix seconds, as the device estimated
	Feature  string // that the act needs
	Document string // jti of the document that was held
	Action   string
	Payload  jsontext.Value

	Bytes []byte // as signed
	Hash  Hash   // of Bytes
}

// Code says why entries cannot be taken.
type Code string

const (
	CodeSignature Code = "signature" // not a batch signed by the device's key
	CodeDevice    Code = "device"    // of another device
	CodeMalformed Code = "malformed" // not an entry
	CodeTooLarge  Code = "too_large" // payload over MaxPayload, or more than MaxEntries
	CodeTooDeep   Code = "too_deep"  // nested too deep
	CodeGap       Code = "gap"       // a seq is left out
	CodeReused    Code = "reused"    // a seq comes again
	CodeChain     Code = "chain"     // prev is not the hash of the entry before
	CodeQuota     Code = "quota"     // the account has stored too much lately; the entry can be sent again later
)

// Refusal is the error for an entry that cannot be taken, nor those after it. Seq is 0 if it applies to the whole batch.
type Refusal struct {
	Seq  int64
	Code Code
}

func (r *Refusal) Error() string { return fmt.Sprintf("ledger entry %d: %s", r.Seq, r.Code) }

// Batch is a run of entries whose chain is unbroken. Refused is why the next one was not taken; nil if there is none.
type Batch struct {
	Entries []Entry
	Refused *Refusal
}

// Parse reads the batch of a device: entries up to the first that cannot be taken. It fails with [*Refusal] if there is
// none before that.
func Parse(compact string, key jose.PublicKey, device string) (Batch, error) {
	message, err := jose.Parse(compact)
	if err != nil {
		return Batch{}, &Refusal{Code: CodeSignature}
	}
	var header struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
	}
	if err := json.Unmarshal(message.Header, &header, json.RejectUnknownMembers(true)); err != nil ||
		header.Algorithm != jose.Algorithm || header.Type != Type || message.Verify(key) != nil {
		return Batch{}, &Refusal{Code: CodeSignature}
	}
	var claims struct {
		Device  *string  `json:"device"`
		Entries []string `json:"entries"`
	}
	err = json.Unmarshal(message.Payload, &claims, json.RejectUnknownMembers(true))
	switch {
	case err != nil || claims.Device == nil || len(claims.Entries) == 0:
		return Batch{}, &Refusal{Code: CodeMalformed}
	case *claims.Device != device:
		return Batch{}, &Refusal{Code: CodeDevice}
	case len(claims.Entries) > MaxEntries:
		return Batch{}, &Refusal{Code: CodeTooLarge}
	}
	batch := Batch{Entries: make([]Entry, 0, len(claims.Entries))}
	for _, encoded := range claims.Entries {
		text, err := jose.DecodeBase64(encoded)
		entry, code := readEntry(text)
		if err != nil {
			code = CodeMalformed
		}
		if n := len(batch.Entries); code == "" && n > 0 {
			code = batch.Entries[n-1].head().follow(entry)
		}
		if code != "" {
			if n := len(batch.Entries); entry.Seq == 0 && n > 0 {
				entry.Seq = batch.Entries[n-1].Seq + 1
			}
			batch.Refused = &Refusal{Seq: entry.Seq, Code: code}
			break
		}
		batch.Entries = append(batch.Entries, entry)
	}
	if len(batch.Entries) == 0 {
		return Batch{}, batch.Refused
	}
	return batch, nil
}

// ReadEntry reads the bytes of an entry. It fails with [*Refusal].
func ReadEntry(text []byte) (Entry, error) {
	entry, code := readEntry(text)
	if code != "" {
		return Entry{}, &Refusal{Seq: entry.Seq, Code: code}
	}
	return entry, nil
}

// readEntry returns an entry, or the code why it is none.
func readEntry(text []byte) (Entry, Code) {
	switch err := jose.CheckObject(text); {
	case err == nil:
	case jsontext.Value(text).Kind() == '{' && jsontext.Value(text).IsValid():
		return Entry{}, CodeTooDeep
	default:
		return Entry{}, CodeMalformed
	}
	var members struct {
		Seq      *int64         `json:"seq"`
		Prev     string         `json:"prev"`
		At       *int64         `json:"at"`
		Feature  string         `json:"feature"`
		Document string         `json:"document"`
		Action   string         `json:"action"`
		Payload  jsontext.Value `json:"payload"`
	}
	if err := json.Unmarshal(text, &members, json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, CodeMalformed
	}
	prev, err := jose.DecodeBase64(members.Prev)
	if err != nil || len(prev) != len(Hash{}) || members.Seq == nil || *members.Seq < 1 || members.At == nil || members.Document == "" ||
		len(members.Document) > 4*maxName || !isName(members.Feature) || !isName(members.Action) || members.Payload == nil {
		return Entry{}, CodeMalformed
	}
	entry := Entry{
		Seq: *members.Seq, Prev: Hash(prev), At: *members.At, Feature: members.Feature, Document: members.Document,
		Action: members.Action, Payload: members.Payload, Bytes: text, Hash: sha256.Sum256(text),
	}
	if len(entry.Payload) > MaxPayload {
		return entry, CodeTooLarge
	}
	return entry, ""
}

func isName(s string) bool { return s != "" && utf8.RuneCountInString(s) <= maxName }

func (e Entry) head() Head { return Head{e.Seq, e.Hash} }

// follow returns the code why e is not the entry after h; "" if it is.
func (h Head) follow(e Entry) Code {
	switch {
	case e.Seq > h.Seq+1:
		return CodeGap
	case e.Seq <= h.Seq:
		return CodeReused
	case e.Prev != h.Hash:
		return CodeChain
	}
	return ""
}

// Continue divides the batch at the head that is stored: entries up to it were taken before, the others are new. It
// refuses new ones that do not follow the head of the device's chain. Whether the others are the ones taken before
// has to be compared.
func (b Batch) Continue(device string, head Head) (before, after []Entry, refused *Refusal) {
	if head.Seq == 0 {
		head.Hash = Start(device)
	}
	i := slices.IndexFunc(b.Entries, func(e Entry) bool { return e.Seq > head.Seq })
	switch i {
	case -1:
		return b.Entries, nil, nil
	case 0: // further entries follow one another
		if code := head.follow(b.Entries[0]); code != "" {
			return nil, nil, &Refusal{Seq: b.Entries[0].Seq, Code: code}
		}
	}
	return b.Entries[:i], b.Entries[i:], nil
}

// Outcome is a verdict's outcome.
type Outcome string

const (
	Accepted   Outcome = "accepted"
	Rejected   Outcome = "rejected"
	Superseded Outcome = "superseded" // by the host, whatever it was before
)

// Reason says why an entry was rejected.
type Reason string

const (
	Revoked     Reason = "revoked"
	Expired     Reason = "expired"
	OverLimit   Reason = "over_limit"
	NotGranted  Reason = "not_granted"
	TooOld      Reason = "too_old"
	FromFuture  Reason = "from_future"
	Quarantined Reason = "quarantined"
)

// Verdict is what an entry is worth. Reason is empty unless Outcome is Rejected.
type Verdict struct {
	Outcome Outcome
	Reason  Reason
}
