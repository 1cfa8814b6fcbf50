package names_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/passkey/names"
)

func TestCleanGivesOneSpelling(t *testing.T) {
	for given, want := range map[string]string{
		"José":                     "José", // composed
		"Jose\u0301":               "José", // decomposed
		"\t Ada\u00a0\u3000\n":     "Ada",
		"\u200bAda\u200d L\u202e.": "Ada L.",
		"\ufeffBob\U000e0041":      "Bob",
		"Jo\u034fse\u034f\u0301":   "José",
		"👩\u200d🚀 \u2764\ufe0f":    "👩🚀 \u2764",
		"\u1100\u1161":             "가",
		"\u2066Ada\u2069":          "Ada",
		"…":                        "…",
		strings.Repeat("e\u0301", names.MaxLength): strings.Repeat("é", names.MaxLength),
	} {
		got, ok := names.Clean(given)
		if !ok || got != want {
			t.Errorf("%+q: %+q, %v; want %+q", given, got, ok, want)
		}
		if again, ok := names.Clean(got); !ok || again != got {
			t.Errorf("%+q is cleaned once more to %+q, %v", got, again, ok)
		}
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{
		"Ada Lovelace":             "ada|lovelace",
		"ADA  (Lovelace)":          "ada|lovelace",
		"Émile Zola-O'Brien":       "émile|zola|o|brien",
		"E\u0301MILE":              "émile",
		"ΌΣΟΣ":                     "όσοσ", // a final sigma is a sigma
		"Straße":                   "strasse",
		"İpek":                     "i̇pek",
		"\u1fd3":                   "\u0390", // folds to what composes again
		"ada@example.com":          "ada|example|com",
		"100% $5":                  "100|5",
		"Ada 👩\u200d🚀":             "ada|👩🚀",
		"…":                        "…",
		"'\\":                      "'\\",
		"王 小明":                     "王|小明",
		"Ahmed\u060cal\u2013Masri": "ahmed|al|masri",
	} {
		if got := strings.Join(names.Words(name), "|"); got != want {
			t.Errorf("%+q: %+q, want %+q", name, got, want)
		}
	}
}

func TestCleanRefuses(t *testing.T) {
	for _, name := range []string{
		"", " ", "\u00a0\u3000", "\u200b", "\u200b\u200c\u200d", "\u202e", "\u2066\u2069", "\u061c\u200e\u200f", "\ufeff", "\u00ad", "\u034f",
		"\u3164", "\uffa0", "\u115f\u1160", "\u2800", "\u2800 \u2800", "\U0001d159", "\U000e0001", "\ufe0f", "\u0301", "\ue000",
		"Ada\x00", "Ada\nL", "Ada\u0085L", "\xff", "Ada\xed\xa0\x80", "\t",
		strings.Repeat("a", names.MaxLength+1), "a" + strings.Repeat("\u0301", 31),
	} {
		if clean, ok := names.Clean(name); ok {
			t.Errorf("%+q is taken as %+q", name, clean)
		}
	}
}

// The support console drops the same characters; its test reads the same file.
func TestInvisibleCharacters(t *testing.T) {
	raw, err := os.ReadFile("testdata/invisible.json")
	if err != nil {
		t.Fatal(err)
	}
	var ranges [][2]string
	if err := json.Unmarshal(raw, &ranges); err != nil {
		t.Fatal(err)
	}
	invisible := map[rune]bool{}
	for _, ends := range ranges {
		first, err := strconv.ParseInt(ends[0], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		last, err := strconv.ParseInt(ends[1], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		for r := rune(first); r <= rune(last); r++ {
			invisible[r] = true
		}
	}
	if len(invisible) < 4000 {
		t.Fatalf("only %d characters", len(invisible))
	}
	for r := range rune(utf8.MaxRune + 1) {
		if dropped := utf8.ValidRune(r) && names.Visible("a"+string(r)+"b") == "ab"; dropped != invisible[r] {
			t.Errorf("%U: dropped %v", r, dropped)
		}
	}
}
