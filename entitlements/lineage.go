package entitlements

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"

	"holdfast/entitlements/jose"
	"holdfast/entitlements/ledger"
)

// Tag is the random name of a lineage token. No token has the zero Tag: it is the parent of the first.
type Tag [16]byte

// Lineage is the lineage in a device's row: refresh-token rotation in proof-of-possession form.
//
// Each reconcile consumes the device's token and issues a child. If two copies of a profile both go on, one of them ends
// up with a stale token. If it repeats the stale token under a nonce that proves it is not merely late, the device is
// forked. A lost answer does no harm, because the device may show the token last consumed again.
type Lineage struct {
	N      int64 // the generation that the next token consumed is expected to have
	Parent Tag   // the token last consumed; zero at linking
	Forked bool
}

// Token is the content of a lineage token. Its wire form is opaque base64url under a MAC.
type Token struct {
	Device     DeviceID
	User       UserID
	Generation int64
	Tag        Tag
	Parent     Tag
	Revision   int64
	Ledger     ledger.Head // the last entry taken
}

// Verdict is the relation of a token to a lineage.
type Verdict int

const (
	// Stale: the token is older than the one last consumed. The device may have a newer one in its storage.
	Stale Verdict = iota
	// Repeated: the token is the one last consumed, and its answer was lost. It is answered again.
	Repeated
	// Advances: the token is a child of the one last consumed, or of a later one whose commit the database has lost.
	Advances
	// Forked: the device is quarantined already, or becomes so now.
	Forked
)

// Judge is the rule, and [Lineage.Advance] applies its verdict. bound is the generation to which the server bound the
// nonce that came with the token; negative if the nonce was not bound to this device.
func (l Lineage) Judge(t Token, bound int64) Verdict {
	switch {
	case l.Forked:
		return Forked
	case t.Tag == l.Parent:
		return Repeated
	case t.Generation > l.N, t.Generation == l.N && t.Parent == l.Parent:
		return Advances
	case bound == l.N:
		return Forked
	default:
		return Stale
	}
}

// Advance returns the lineage after token t was judged v.
func (l Lineage) Advance(t Token, v Verdict) Lineage {
	switch v {
	case Advances:
		return Lineage{N: t.Generation + 1, Parent: t.Tag}
	case Forked:
		l.Forked = true
	}
	return l
}

// sealer makes and opens lineage tokens.
type sealer struct {
	secret []byte
	rand   io.Reader
}

const (
	tokenVersion = 1
	tokenBody    = 1 + 16 + 16 + 8 + 16 + 16 + 8 + 8 + 32
)

// first returns the token that a device gets when it is linked.
func (s sealer) first(device DeviceID, user UserID, revision int64) (string, error) {
	return s.seal(Token{Device: device, User: user, Revision: revision})
}

// seal gives the token a fresh tag and a MAC.
func (s sealer) seal(t Token) (string, error) {
	device, err := uuid.Parse(string(t.Device))
	if err != nil {
		return "", fmt.Errorf("seal lineage: device id: %w", err)
	}
	user, err := uuid.Parse(string(t.User))
	if err != nil {
		return "", fmt.Errorf("seal lineage: user id: %w", err)
	}
	if _, err := io.ReadFull(s.rand, t.Tag[:]); err != nil {
		return "", fmt.Errorf("seal lineage: %w", err)
	}
	body := make([]byte, 0, tokenBody+sha256.Size)
	body = append(body, tokenVersion)
	body = append(body, device[:]...)
	body = append(body, user[:]...)
	body = binary.BigEndian.AppendUint64(body, uint64(t.Generation))
	body = append(body, t.Tag[:]...)
	body = append(body, t.Parent[:]...)
	body = binary.BigEndian.AppendUint64(body, uint64(t.Revision))
	body = binary.BigEndian.AppendUint64(body, uint64(t.Ledger.Seq))
	body = append(body, t.Ledger.Hash[:]...)
	return jose.EncodeBase64(append(body, s.mac(body)...)), nil
}

// open reads a token that this server has sealed. It fails with [ErrLineageInvalid].
func (s sealer) open(text string) (Token, error) {
	b, err := jose.DecodeBase64(text)
	if err != nil || len(b) != tokenBody+sha256.Size {
		return Token{}, ErrLineageInvalid
	}
	body, mac := b[:tokenBody], b[tokenBody:]
	if !hmac.Equal(mac, s.mac(body)) || body[0] != tokenVersion {
		return Token{}, ErrLineageInvalid
	}
	number := func(at int) int64 { return int64(binary.BigEndian.Uint64(body[at:])) }
	return Token{
		Device: DeviceID(uuid.UUID(body[1:17]).String()), User: UserID(uuid.UUID(body[17:33]).String()), Generation: number(33),
		Tag: Tag(body[41:57]), Parent: Tag(body[57:73]), Revision: number(73), Ledger: ledger.Head{Seq: number(81), Hash: ledger.Hash(body[89:])},
	}, nil
}

func (s sealer) mac(body []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("holdfast lineage\x00"))
	h.Write(body)
	return h.Sum(nil)
}
