package passkey

import (
	"encoding/json"

	"github.com/go-webauthn/webauthn/protocol"
)

// Claim is whose an authenticator's answer says that it is, before anything of it is verified: what its failure is to be
// counted by. An empty member is not known.
type Claim struct {
	Credential []byte // credential id
	User       UserID
}

// ClaimOf reads the claim of an answer, of either ceremony, just as verification will: however it is written, it is the same
// one.
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
	claim := Claim{Credential: said.RawID}
	if user, ok := userOf(said.Response.UserHandle); ok {
		claim.User = user
	}
	return claim
}
