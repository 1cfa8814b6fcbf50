package passkey

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// providersFile names those who keep most people's passkeys by the AAGUID that their authenticators give, and where that is
// known from. Apple Passwords is listed under the name that more users know, iCloud Keychain.
//
//go:embed providers.json
var providersFile []byte

var providers = readProviders(providersFile)

func readProviders(text []byte) map[uuid.UUID]string {
	var file struct {
		Names map[uuid.UUID]string `json:"names"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		panic(fmt.Errorf("providers.json: %w", err)) // it is part of the program
	}
	return file.Names
}

// provider names who keeps the passkeys of that AAGUID; "" if unknown. Without attestation the AAGUID is a claim, good
// enough to tell one's own passkeys apart.
func provider(aaguid uuid.UUID) string { return providers[aaguid] }
