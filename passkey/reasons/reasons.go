// Package reasons holds the rule of the reasons that are given for changes: who must give one, and what it may be.
package reasons

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxLength is the longest reason, in characters.
const maxLength = 1000

// ErrMissing is returned where a reason is needed and there is none.
var ErrMissing = errors.New("a reason is required")

// Check judges the reason that an actor, as the audit trail names them, gives for a change; "" is none. Staff must give one
// for every change; programs and the operator need not.
func Check(actor, reason string) error {
	if reason == "" && !strings.HasPrefix(actor, "staff:") {
		return nil
	}
	return Require(reason)
}

// Require is Check for a change for which everybody must give a reason.
func Require(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return ErrMissing
	case !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) || utf8.RuneCountInString(reason) > maxLength:
		return fmt.Errorf("a reason has at most %d characters", maxLength)
	}
	return nil
}
