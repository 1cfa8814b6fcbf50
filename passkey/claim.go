package passkey

import (
	"encoding/json"

	"github.com/go-webauthn/webauthn/protocol"
)

// Claim is the identity that an authenticator's answer claims, before verification; failures are counted by it. An empty
// member is unknown.
type Claim struct {
	Credential []byte // credential id
	User       UserID
}

// ClaimOf reads the claim of a registration's answer just as verification will: different encodings of one claim are equal.
func ClaimOf(answer []byte) Claim {
	var said struct {
		RawID    protocol.URLEncodedBase64 `json:"rawId"`
		Response struct {
			UserHandle protocol.URLEncodedBase64 `json:"userHandle"`
		} `json:"response"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return Claim{}
	}
	return claim(said.RawID, said.Response.UserHandle)
}

func claim(id, handle []byte) Claim {
	c := Claim{Credential: id}
	if user, ok := userOf(handle); ok {
		c.User = user
	}
	return c
}
