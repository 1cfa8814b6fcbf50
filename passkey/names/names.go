// Package names holds the rule of what people may call themselves and their things: one spelling for what looks the
// same, and nothing in it that cannot be seen.
package names

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxLength is the longest name, in characters.
const MaxLength = 100

// Clean returns name as it is stored: in Unicode's NFC, without surrounding white space and without invisible
// characters. It returns false for a name that is not valid UTF-8, holds control characters, is longer than MaxLength
// or shows nothing.
func Clean(name string) (string, bool) {
	name = strings.TrimSpace(name)
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	name = Visible(name)
	// NFC joins more than 30 marks on one letter with an invisible character.
	if strings.ContainsFunc(name, isInvisible) || !strings.ContainsFunc(name, hasShape) || utf8.RuneCountInString(name) > MaxLength {
		return "", false
	}
	return name, true
}

// Visible returns text in NFC, without surrounding white space and without invisible characters, such as a search for
// a name compares it.
func Visible(text string) string {
	text = strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, text)
	return norm.NFC.String(strings.TrimSpace(text))
}

// Words returns the words of a name, or of a search for one, spelled alike where they differ in case alone. A name of signs
// alone is one word.
func Words(name string) []string {
	name = norm.NFC.String(cases.Fold().String(Visible(name)))
	words := strings.FieldsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.White_Space, unicode.P, unicode.Sc, unicode.Sk, unicode.Sm)
	})
	if len(words) == 0 {
		return []string{name}
	}
	return words
}

// isInvisible says whether r is a control of direction (Bidi_Control) or shown as nothing, as zero-width characters and
// variation selectors are (Default_Ignorable_Code_Point, derived as in Unicode's DerivedCoreProperties.txt).
func isInvisible(r rune) bool {
	if unicode.In(r, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return true
	}
	annotation := r >= 0xfff9 && r <= 0xfffb || r >= 0x13430 && r <= 0x1343f
	return unicode.Is(unicode.Cf, r) && !annotation && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// hasShape says whether r can be seen by itself. U+2800 and U+1D159 are symbols without ink.
func hasShape(r rune) bool {
	return r != 0x2800 && r != 0x1d159 && unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}
