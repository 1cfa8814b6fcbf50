// Package names holds the rules for names of people and things: one spelling for names that look the same, and no
// invisible characters.
package names

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxLength is the maximum length of a name, in characters.
const MaxLength = 100

// Clean returns name in its stored form: in Unicode's NFC, without surrounding white space and without invisible
// characters. It returns false for a name that is not valid UTF-8, holds control characters, is longer than MaxLength or
// has no visible character.
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

// Visible returns text in NFC, without surrounding white space and without invisible characters, the form that a search
// for a name compares.
func Visible(text string) string {
	text = strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, text)
	return norm.NFC.String(strings.TrimSpace(text))
}

// Words returns the words of a name, or of a search for one, with one spelling for all cases of letters. A name that
// consists of signs alone is one word.
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

// shortest is the length in bytes of the shortest part of a word that an index holds. Fewer would match most names.
const shortest = 3

// Entries returns the entries under which an index holds the name, so that it is found by any part of a word: the ends of
// each word, and the whole word after a space.
func Entries(name string) (entries []string) {
	for _, word := range Words(name) {
		entries = append(entries, " "+word)
		for i := range word {
			if len(word)-i >= shortest {
				entries = append(entries, word[i:])
			}
		}
	}
	return entries
}

// Sought returns, for each word of a search, the text with which an entry of a matching name begins. A word of one or two
// bytes matches the beginning of a word only.
func Sought(search string) []string {
	words := Words(search)
	for i, word := range words {
		if len(word) < shortest {
			words[i] = " " + word
		}
	}
	return words
}

// isInvisible reports whether r is a directional control (Bidi_Control) or has no visible form, like zero-width
// characters and variation selectors (Default_Ignorable_Code_Point, derived as in Unicode's DerivedCoreProperties.txt).
func isInvisible(r rune) bool {
	if unicode.In(r, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return true
	}
	annotation := r >= 0xfff9 && r <= 0xfffb || r >= 0x13430 && r <= 0x1343f
	return unicode.Is(unicode.Cf, r) && !annotation && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// hasShape reports whether r is visible by itself. U+2800 and U+1D159 are symbols without ink.
func hasShape(r rune) bool {
	return r != 0x2800 && r != 0x1d159 && unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}
