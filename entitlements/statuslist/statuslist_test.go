package statuslist_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"holdfast/entitlements/statuslist"
)

type vector struct {
	Name    string
	Bits    int
	List    string `json:"lst"`
	Length  int
	Entries [][2]int
	Packed  string // hexadecimal, where the draft shows it
}

// vectors are the draft's examples, in its §4 and in its appendix of test vectors.
func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/draft-20.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil || len(file.Vectors) != 6 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	return file.Vectors
}

// Every list of the draft decodes to all of the draft's values, and encodes to a list that decodes to the same. The
// compressed bytes differ from the draft's, because DEFLATE does not prescribe how to compress.
func TestDraft(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			list, err := statuslist.Decode(statuslist.Encoded{Bits: v.Bits, List: v.List})
			if err != nil {
				t.Fatal(err)
			}
			again, err := statuslist.Decode(list.Encode())
			if err != nil || !again.Equal(list) {
				t.Fatalf("encoded and decoded it is another list: %v", err)
			}
			if list.Bits() != v.Bits || list.Len() != v.Length {
				t.Errorf("%d entries of %d bits, want %d of %d", list.Len(), list.Bits(), v.Length, v.Bits)
			}
			want := map[int]int{}
			for _, entry := range v.Entries {
				want[entry[0]] = entry[1]
			}
			for i := range list.Len() {
				if status, err := list.Status(i); err != nil || int(status) != want[i] {
					t.Errorf("status[%d] = %d, %v, want %d", i, status, err, want[i])
				}
			}
			if v.Packed != "" && hex.EncodeToString(inflate(t, list.Encode().List)) != v.Packed {
				t.Errorf("packed as %x, want %s", inflate(t, list.Encode().List), v.Packed)
			}
		})
	}
}

// The draft's list of two bits, built entry by entry.
func TestSet(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.Bits != 2 {
			continue
		}
		list := statuslist.New(v.Length)
		for _, entry := range v.Entries {
			for _, status := range []statuslist.Status{3, statuslist.Status(entry[1])} { // the former leaves no trace
				if err := list.Set(entry[0], status); err != nil {
					t.Fatal(err)
				}
			}
		}
		drafts, err := statuslist.Decode(statuslist.Encoded{Bits: 2, List: v.List})
		if err != nil || !list.Equal(drafts) {
			t.Errorf("%s: not the draft's list: %v", v.Name, err)
		}
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	list := statuslist.New(12)
	for _, index := range []int{-1, 12, statuslist.MaxLen, -1 << 63, 1<<63 - 1} {
		if _, err := list.Status(index); !errors.Is(err, statuslist.ErrIndex) {
			t.Errorf("status[%d]: %v", index, err)
		}
		if err := list.Set(index, statuslist.Invalid); !errors.Is(err, statuslist.ErrIndex) {
			t.Errorf("setting status[%d]: %v", index, err)
		}
	}
	if _, err := (statuslist.List{}).Status(0); !errors.Is(err, statuslist.ErrIndex) {
		t.Errorf("status[0] of no list: %v", err)
	}
	if err := list.Set(11, 4); !errors.Is(err, statuslist.ErrStatus) {
		t.Errorf("a status of three bits: %v", err)
	}
	if !list.Equal(statuslist.New(12)) {
		t.Error("what was refused has changed the list")
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	good := statuslist.New(16).Encode().List
	if len(good)%4 == 0 {
		t.Fatal("the last character has no loose bits")
	}
	stream := func(change func([]byte) []byte) string {
		compressed, err := base64.RawURLEncoding.DecodeString(good)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(change(compressed))
	}
	for name, encoded := range map[string]statuslist.Encoded{
		"no bits":           {Bits: 0, List: good},
		"three bits":        {Bits: 3, List: good},
		"sixteen bits":      {Bits: 16, List: good},
		"negative bits":     {Bits: -2, List: good},
		"nothing":           {Bits: 2},
		"padding":           {Bits: 2, List: "eNpiYGBgAAQAAP__AAMAAQ=="},
		"a line break":      {Bits: 2, List: good[:4] + "\n" + good[4:]},
		"another":           {Bits: 2, List: good[:4] + "\r" + good[4:]},
		"standard base64":   {Bits: 2, List: strings.NewReplacer("-", "+", "_", "/").Replace("eNr7_w8ABP4B_g")},
		"loose last bits":   {Bits: 2, List: loosen(good)},
		"no zlib":           {Bits: 2, List: stream(func(b []byte) []byte { return b[2:] })},
		"cut short":         {Bits: 2, List: stream(func(b []byte) []byte { return b[:len(b)-1] })},
		"a wrong checksum":  {Bits: 2, List: stream(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		"bytes at the end":  {Bits: 2, List: stream(func(b []byte) []byte { return append(b, 0) })},
		"twice":             {Bits: 2, List: stream(func(b []byte) []byte { return append(b, b...) })},
		"a dictionary":      {Bits: 2, List: stream(func(b []byte) []byte { b[0], b[1] = 0x78, 0xbb; return b })},
		"an entry too many": {Bits: 2, List: zeros(t, statuslist.MaxLen/4+1)},
		"too many of 1 bit": {Bits: 1, List: zeros(t, statuslist.MaxLen/4)},
		"a bomb":            {Bits: 8, List: zeros(t, 1<<24)},
		"endless text":      {Bits: 8, List: strings.Repeat("A", 2<<20)},
	} {
		if _, err := statuslist.Decode(encoded); !errors.Is(err, statuslist.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := statuslist.Decode(statuslist.Encoded{Bits: 8, List: zeros(t, statuslist.MaxLen)}); err != nil || list.Len() != statuslist.MaxLen {
		t.Errorf("a list of 2^20 entries of 8 bits: %v", err)
	}
}

// A decompression bomb costs no more than a list of the allowed length.
func TestDecodeBoundsDecompression(t *testing.T) { // not in parallel: it counts all that is allocated
	bomb := statuslist.Encoded{Bits: 2, List: zeros(t, 1<<24)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := statuslist.Decode(bomb)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err == nil || taken > 4<<20 {
		t.Errorf("a bomb of 16 MiB takes %d bytes of memory: %v", taken, err)
	}
}

// The largest encoding that can be written can be read: random entries do not compress.
func TestDecodeIncompressibleList(t *testing.T) {
	t.Parallel()
	list := random(statuslist.MaxLen, 1)
	again, err := statuslist.Decode(list.Encode())
	if err != nil || !again.Equal(list) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, v := range vectors(f) {
		if len(v.List) < 1000 {
			f.Add(v.Bits, v.List)
		}
	}
	f.Fuzz(func(t *testing.T, bits int, text string) {
		list, err := statuslist.Decode(statuslist.Encoded{Bits: bits, List: text})
		if err != nil {
			if !errors.Is(err, statuslist.ErrMalformed) {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		if list.Len() > statuslist.MaxLen || list.Bits() != bits {
			t.Errorf("%d entries of %d bits", list.Len(), list.Bits())
		}
		again, err := statuslist.Decode(list.Encode())
		if err != nil || !again.Equal(list) {
			t.Errorf("what was accepted does not come back: %v", err)
		}
		for _, index := range []int{0, list.Len() - 1} {
			if _, err := list.Status(index); (err == nil) != (list.Len() > 0) {
				t.Errorf("status[%d] of %d: %v", index, list.Len(), err)
			}
		}
	})
}

// BenchmarkEncode writes lists of 2^20 entries, of which the given share is INVALID.
func BenchmarkEncode(b *testing.B) {
	for name, share := range shares {
		list := random(statuslist.MaxLen, share)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(len(list.Encode().List)), "bytes/list")
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, share := range shares {
		encoded := random(statuslist.MaxLen, share).Encode()
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := statuslist.Decode(encoded); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var shares = map[string]float64{"0": 0, "0.01%": 0.0001, "1%": 0.01, "10%": 0.1}

// random returns a list with about that share of its entries set, pseudorandom and reproducible.
func random(length int, share float64) statuslist.List {
	source := rand.New(rand.NewPCG(1, 2))
	list := statuslist.New(length)
	for range int(float64(length) * share) {
		status := statuslist.Invalid
		if share == 1 {
			status = statuslist.Status(source.IntN(4))
		}
		_ = list.Set(source.IntN(length), status)
	}
	return list
}

func zeros(t testing.TB, n int) string {
	t.Helper()
	var compressed bytes.Buffer
	w, err := zlib.NewWriterLevel(&compressed, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<16)
	for ; n > 0; n -= len(chunk) {
		if _, err := w.Write(chunk[:min(n, len(chunk))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(compressed.Bytes())
}

// loosen sets an unused bit of the last character.
func loosen(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + alphabet[last+1:last+2]
}

func inflate(t *testing.T, text string) []byte {
	t.Helper()
	compressed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
