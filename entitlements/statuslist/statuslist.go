// Package statuslist reads and writes Token Status Lists (draft-ietf-oauth-status-list-20).
//
// A status list is a packed array: entry i holds, in 1, 2, 4 or 8 bits, the status of the token with index i. Packed,
// compressed and encoded it is small enough for every relying party to fetch, and the fetch does not reveal to the
// server which entry is read. The package knows the list alone: callers decide who signs it, whom it is about and how
// long it is valid.
//
// The package promises: Decode returns exactly the list that was written, or an error, whatever the input; and
// reading stops at [MaxLen] entries, however far the input would inflate.
package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Status is the value of an entry. Other values are application-specific or reserved (§7.1).
type Status uint8

const (
	Valid     Status = 0x00
	Invalid   Status = 0x01
	Suspended Status = 0x02
)

// MaxLen is the largest number of entries that this package accepts: 2^20.
const MaxLen = 1 << 20

var (
	// ErrMalformed is returned for text that is not a list, or a list larger than MaxLen.
	ErrMalformed = errors.New("malformed status list")
	// ErrIndex is returned if a list has no entry of that index: the status of its token is unknown, and the token must
	// be rejected (§8.3).
	ErrIndex = errors.New("index outside the status list")
	// ErrStatus is returned for a status that does not fit in the bits of an entry.
	ErrStatus = errors.New("status does not fit in the status list")
)

// List is an array of statuses. The zero value is a list without entries.
type List struct {
	bits   int
	packed []byte
}

// Encoded is a list in JSON (§4.2).
type Encoded struct {
	Bits int    `json:"bits"`
	List string `json:"lst"`
}

// writtenBits is the size of an entry in a new list: enough for Suspended.
const writtenBits = 2

// New makes a list of length two-bit entries, all Valid. The length is rounded up to whole bytes. New panics if length
// is negative or more than MaxLen.
func New(length int) List {
	if length < 0 || length > MaxLen {
		panic(fmt.Sprintf("statuslist: a list of %d entries", length))
	}
	const perByte = 8 / writtenBits
	return List{bits: writtenBits, packed: make([]byte, (length+perByte-1)/perByte)}
}

// Bits returns the number of bits of an entry.
func (l List) Bits() int { return l.bits }

// Len returns the number of entries.
func (l List) Len() int {
	if l.bits == 0 {
		return 0
	}
	return len(l.packed) * (8 / l.bits)
}

// Status returns the status at index. It fails with [ErrIndex].
func (l List) Status(index int) (Status, error) {
	if index < 0 || index >= l.Len() {
		return 0, fmt.Errorf("%w: %d of %d", ErrIndex, index, l.Len())
	}
	i, shift := l.position(index)
	return Status(l.packed[i] >> shift & l.mask()), nil
}

// Set changes the status at index. It fails with [ErrIndex] and [ErrStatus].
func (l List) Set(index int, status Status) error {
	if index < 0 || index >= l.Len() {
		return fmt.Errorf("%w: %d of %d", ErrIndex, index, l.Len())
	}
	if byte(status) > l.mask() {
		return fmt.Errorf("%w: %d in %d bits", ErrStatus, status, l.bits)
	}
	i, shift := l.position(index)
	l.packed[i] = l.packed[i]&^(l.mask()<<shift) | byte(status)<<shift
	return nil
}

// Equal reports whether the lists have the same entries in the same form.
func (l List) Equal(other List) bool {
	return l.bits == other.bits && bytes.Equal(l.packed, other.packed)
}

// position returns the place of an entry: bytes in their natural order, least significant bits first (§4.1).
func (l List) position(index int) (i, shift int) {
	perByte := 8 / l.bits
	return index / perByte, index % perByte * l.bits
}

func (l List) mask() byte { return byte(1<<l.bits - 1) }

// level is the compression level. The highest, which §4.1 recommends, makes a list with one entry in a hundred set a
// quarter smaller, but takes a hundred times as long: a third of a second.
const level = 5

// Encode compresses the list with DEFLATE in the ZLIB format, and encodes it (§4.1, §4.2).
func (l List) Encode() Encoded {
	var compressed bytes.Buffer
	w, err := zlib.NewWriterLevel(&compressed, level)
	if err == nil {
		_, err = w.Write(l.packed)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // writing to memory does not fail
	}
	return Encoded{Bits: l.bits, List: base64url.EncodeToString(compressed.Bytes())}
}

// base64url has no padding (RFC 7515 §2).
var base64url = base64.RawURLEncoding.Strict()

// maxEncoded bounds the input size: a list of MaxLen entries of eight bits that does not compress, with five bytes for
// each stored block of DEFLATE and some for the frame, in base64.
const maxEncoded = (MaxLen + MaxLen/1000 + 1024) * 4 / 3

// Decode reads a list. It fails with [ErrMalformed], also if the list is longer than [MaxLen].
func Decode(encoded Encoded) (List, error) {
	switch encoded.Bits {
	case 1, 2, 4, 8:
	default:
		return List{}, fmt.Errorf("%w: %d bits", ErrMalformed, encoded.Bits)
	}
	if len(encoded.List) > maxEncoded {
		return List{}, fmt.Errorf("%w: too long", ErrMalformed)
	}
	for i := range len(encoded.List) {
		if encoded.List[i] == '\r' || encoded.List[i] == '\n' { // encoding/base64 would skip them
			return List{}, fmt.Errorf("%w: %w", ErrMalformed, base64.CorruptInputError(i))
		}
	}
	compressed, err := base64url.DecodeString(encoded.List)
	if err != nil {
		return List{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	packed, err := inflate(compressed, MaxLen*encoded.Bits/8)
	if err != nil {
		return List{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return List{bits: encoded.Bits, packed: packed}, nil
}

// inflate reads all of compressed, which must be one ZLIB stream with nothing after it, to at most limit bytes.
func inflate(compressed []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(compressed) // an io.ByteReader: the reader stops at the stream's end
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	// One byte more, which must not exist: it makes the reader reach the end and compare the checksum.
	if _, err := io.Copy(&out, io.LimitReader(r, int64(limit)+1)); err != nil {
		return nil, err
	}
	switch {
	case out.Len() > limit:
		return nil, fmt.Errorf("inflates to more than %d bytes", limit)
	case in.Len() > 0:
		return nil, errors.New("bytes after the end")
	}
	return out.Bytes(), nil
}
