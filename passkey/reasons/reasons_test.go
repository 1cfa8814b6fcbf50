package reasons_test

import (
	"errors"
	"strings"
	"testing"

	"holdfast/passkey/reasons"
)

func TestReasons(t *testing.T) {
	for _, test := range []struct {
		actor, reason   string
		given, required bool // whether Check and Require take it
	}{
		{"token:1", "", true, false},
		{"operator", "", true, false},
		{"staff:1", "", false, false},
		{"staff:1", " \t", false, false},
		{"token:1", " ", false, false},
		{"staff:1", "chargeback", true, true},
		{"token:1", strings.Repeat("é", 1000), true, true},
		{"token:1", strings.Repeat("é", 1001), false, false},
		{"token:1", "a\x00", false, false},
		{"token:1", "\xff", false, false},
	} {
		given, required := reasons.Check(test.actor, test.reason), reasons.Require(test.reason)
		if (given == nil) != test.given || (required == nil) != test.required {
			t.Errorf("%s, %.20q: %v, %v", test.actor, test.reason, given, required)
		}
		if missing := strings.TrimSpace(test.reason) == ""; errors.Is(required, reasons.ErrMissing) != missing {
			t.Errorf("%.20q: %v", test.reason, required)
		}
	}
}
