// Package reasons holds the rules for the reasons given for changes: who must give one, and what it may contain.
package reasons

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxLength is the maximum length of a reason, in characters.
const maxLength = 1000

// ErrMissing is returned if a required reason is missing.
var ErrMissing = errors.New("a reason is required")

// Check judges the reason that an actor, as named in the audit trail, gives for a change; "" means none. Staff must give
// one for every change; programs and the operator need not.
func Check(actor, reason string) error {
	if reason == "" && !strings.HasPrefix(actor, "staff:") {
		return nil
	}
	return Require(reason)
}

// Require is Check for a change that requires a reason from everybody.
func Require(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return ErrMissing
	case !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) || utf8.RuneCountInString(reason) > maxLength:
		return fmt.Errorf("a reason has at most %d characters", maxLength)
	}
	return nil
}
