// Package statuslist reads and writes Token Status Lists (draft-ietf-oauth-status-list-20).
//
// A status list is a packed array: entry i says in 1, 2, 4 or 8 bits what has become of the token that was given the
// index i. Packed, compressed and encoded it is small enough to be fetched by anybody who has to know, and it tells
// whoever serves it nothing about which entry is looked at. The package knows the list alone: who signs it, who it is
// about and how long it is good for is its callers' business.
//
// What the package promises: a list that it has read is exactly what was written, or an error, whatever the input; and
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

// MaxLen is how many entries a list may have, here: 2^20.
const MaxLen = 1 << 20

var (
	// ErrMalformed is returned for text that is not a list, or a list larger than MaxLen.
	ErrMalformed = errors.New("malformed status list")
	// ErrIndex says that a list has no entry of that index: nothing can be said about its token, which is to be
	// rejected (§8.3).
	ErrIndex = errors.New("index outside the status list")
	// ErrStatus says that a status does not fit in the bits of an entry.
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

// writtenBits is what a new list has for each entry: enough for Suspended.
const writtenBits = 2

// New makes a list of length entries of two bits, all of them Valid. The length is rounded up to what fills bytes. It
// panics if it is negative or more than MaxLen.
func New(length int) List {
	if length < 0 || length > MaxLen {
		panic(fmt.Sprintf("statuslist: a list of %d entries", length))
	}
	const perByte = 8 / writtenBits
	return List{bits: writtenBits, packed: make([]byte, (length+perByte-1)/perByte)}
}

// Bits is how many bits an entry has.
func (l List) Bits() int { return l.bits }

// Len is how many entries there are.
func (l List) Len() int {
	if l.bits == 0 {
		return 0
	}
	return len(l.packed) * (8 / l.bits)
}

// Status is the status at index. It fails with [ErrIndex].
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

// Equal says whether the lists have the same entries in the same form.
func (l List) Equal(other List) bool {
	return l.bits == other.bits && bytes.Equal(l.packed, other.packed)
}

// position is where an entry is: bytes in their natural order, and in each the least significant bits first (§4.1).
func (l List) position(index int) (i, shift int) {
	perByte := 8 / l.bits
	return index / perByte, index % perByte * l.bits
}

func (l List) mask() byte { return byte(1<<l.bits - 1) }

// level is how hard compression tries. The highest, which §4.1 recommends, saves a quarter of a list with one entry in a
// hundred set and takes a hundred times as long: a third of a second.
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

// base64url is without padding (RFC 7515 §2).
var base64url = base64.RawURLEncoding.Strict()

// maxEncoded bounds what is read at all: a list of MaxLen entries of eight bits that does not compress, with five bytes
// for each stored block of DEFLATE and some for the frame, in base64.
const maxEncoded = (MaxLen + MaxLen/1000 + 1024) * 4 / 3

// Decode reads a list. It fails with [ErrMalformed], also where the list is longer than [MaxLen].
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
		if encoded.List[i] == '\r' || encoded.List[i] == '\n' { // encoding/base64 would pass over them
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

// inflate reads all of compressed, which is one ZLIB stream and nothing after it, to at most limit bytes.
func inflate(compressed []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(compressed) // an io.ByteReader: nothing behind the stream is read
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	// One byte more, which must not be there: it takes reading to the end for the checksum to be compared.
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
