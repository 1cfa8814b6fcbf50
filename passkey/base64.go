package passkey

import (
	"encoding/base64"
	"errors"
	"strings"
)

// encode is base64url without padding.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode takes only what encode gives. (Go's decoder skips line breaks, the strict one too.)
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
