package passkey

import (
	"encoding/base64"
	"errors"
	"strings"
)

// encode returns base64url without padding.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode accepts only the output of encode. (Go's decoder skips line breaks, even the strict one.)
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
