package entitlements

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"

	"holdfast/entitlements/jose"
)

// BrowserToken is what a browser keeps of the device that it was given: the id, with a MAC, so that somebody who has read the
// id in a list cannot claim to be that browser. It opens nothing.
func (s *Service) BrowserToken(id DeviceID) string {
	return string(id) + "." + jose.EncodeBase64(s.sealer.browserMAC(id))
}

// BrowserDevice returns the device of a token that BrowserToken has made; "" for any other text.
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
