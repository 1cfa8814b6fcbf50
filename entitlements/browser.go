package entitlements

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"

	"holdfast/entitlements/jose"
)

// BrowserToken returns a token that identifies a browser's device. The MAC stops somebody who has read the id in a list
// from claiming to be that browser. The token grants no access.
func (s *Service) BrowserToken(id DeviceID) string {
	return string(id) + "." + jose.EncodeBase64(s.sealer.browserMAC(id))
}

// BrowserDevice returns the device of a token that BrowserToken made, or "" for any other text.
func (s *Service) BrowserDevice(token string) DeviceID {
	id, text, _ := strings.Cut(token, ".")
	mac, err := jose.DecodeBase64(text)
	if err != nil || !hmac.Equal(mac, s.sealer.browserMAC(DeviceID(id))) {
		return ""
	}
	return DeviceID(id)
}

func (s sealer) browserMAC(id DeviceID) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("holdfast browser\x00" + id))
	return h.Sum(nil)
}
