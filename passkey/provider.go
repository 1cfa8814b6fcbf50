package passkey

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// providersFile names the providers of most users' passkeys by the AAGUID of their authenticators, with the source of
// each entry. Apple Passwords is listed under the name that more users know, iCloud Keychain.
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

// provider returns the name of the provider with that AAGUID; "" if unknown. Without attestation the AAGUID is a claim,
// good enough for users to tell their own passkeys apart.
func provider(aaguid uuid.UUID) string { return providers[aaguid] }
