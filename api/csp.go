package api

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// sourceLists are the directives of CSP Level 3 and Trusted Types that take sources or names; flags take nothing.
var (
	sourceLists = strings.Fields(`default-src script-src script-src-elem script-src-attr style-src style-src-elem style-src-attr
		img-src connect-src manifest-src font-src media-src object-src frame-src child-src worker-src fenced-frame-src base-uri
		form-action frame-ancestors report-to report-uri sandbox require-trusted-types-for trusted-types`)
	flags = []string{"upgrade-insecure-requests", "block-all-mixed-content"}
)

// quoted matches the keywords, nonces and hashes that a policy has in quotes.
var quoted = regexp.MustCompile(`^'(none|self|script|unsafe-inline|unsafe-eval|wasm-unsafe-eval|unsafe-hashes|strict-dynamic|` +
	`report-sample|inline-speculation-rules|allow-duplicates|nonce-[A-Za-z0-9+/_=-]+|sha(256|384|512)-[A-Za-z0-9+/_=-]+)'$`)

// unquoted matches keywords that lack their quotes, and would count as names of hosts.
var unquoted = regexp.MustCompile(`^(none|self|unsafe-[a-z]+|strict-dynamic|wasm-unsafe-eval|(nonce|sha(256|384|512))-.*)$`)

const requireTrustedTypes, trustedTypes = "require-trusted-types-for", "trusted-types"

// policy is the directives of a Content-Security-Policy in order, each a name and its sources.
type policy [][]string

// parsePolicy parses and checks a policy: browsers ignore what they do not understand, which nobody would notice.
func parsePolicy(text string) (policy, error) {
	var parsed policy
	for directive := range strings.SplitSeq(text, ";") {
		words := strings.Fields(directive)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		words[0] = name
		takesNone := slices.Contains(flags, name) || name == "sandbox" || name == requireTrustedTypes
		switch {
		case !slices.Contains(sourceLists, name) && !slices.Contains(flags, name):
			return nil, fmt.Errorf("%q is not a directive such as connect-src", name)
		case parsed.index(name) >= 0:
			return nil, fmt.Errorf("%s is given twice: browsers would ignore the second", name)
		case len(words) == 1 && !takesNone:
			return nil, fmt.Errorf("%s has no sources: write 'none' to allow nothing", name)
		case len(words) > 2 && slices.Contains(words, "'none'"):
			return nil, fmt.Errorf("%s has sources beside 'none'", name)
		case name == requireTrustedTypes && len(words) > 1 && !slices.Equal(words[1:], []string{"'script'"}):
			return nil, fmt.Errorf("%s takes 'script', or nothing to switch it off, not %s", name, strings.Join(words[1:], " "))
		}
		for _, word := range words[1:] {
			switch {
			case strings.Contains(word, ","):
				return nil, fmt.Errorf("%s has a comma in %q: separate sources by spaces", name, word)
			case strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }):
				return nil, fmt.Errorf("%s: %q is not ASCII: write a host as xn--…", name, word)
			case strings.Contains(word, "'") && !quoted.MatchString(word):
				return nil, fmt.Errorf("%s: %s is not a keyword, nonce or hash", name, word)
			case unquoted.MatchString(word):
				return nil, fmt.Errorf("%s: write '%[2]s' with its quotes, not %[2]s", name, word)
			}
		}
		parsed = append(parsed, words)
	}
	return parsed, nil
}

func (p policy) index(name string) int {
	return slices.IndexFunc(p, func(directive []string) bool { return directive[0] == name })
}

// AppPolicy returns the Content-Security-Policy of an app. The text is a whole policy, or what is added to the default, per
// directive; an addition replaces 'none'. Trusted Types stay as in the default unless the text has their directives, and
// are switched off by require-trusted-types-for without a value.
func AppPolicy(text string, whole bool) (string, error) {
	given, err := parsePolicy(text)
	if err != nil {
		return "", err
	}
	if whole && len(given) == 0 {
		return "", errors.New("the policy is empty")
	}
	merged, err := parsePolicy(pageCSP)
	if err != nil {
		return "", err
	}
	off := given.index(requireTrustedTypes) >= 0 && len(given[given.index(requireTrustedTypes)]) == 1
	if whole {
		for _, name := range []string{requireTrustedTypes, trustedTypes} {
			if given.index(name) < 0 {
				given = append(given, merged[merged.index(name)])
			}
		}
		merged = given
	} else {
		for _, directive := range given {
			i := merged.index(directive[0])
			switch {
			case i < 0:
				merged = append(merged, directive)
			case slices.Equal(merged[i][1:], []string{"'none'"}):
				merged[i] = directive
			case directive[0] != requireTrustedTypes:
				merged[i] = append(merged[i], directive[1:]...)
			}
		}
	}
	var directives []string
	for _, directive := range merged {
		if off && (directive[0] == requireTrustedTypes || directive[0] == trustedTypes) {
			continue
		}
		directives = append(directives, strings.Join(directive, " "))
	}
	return strings.Join(directives, "; "), nil
}
