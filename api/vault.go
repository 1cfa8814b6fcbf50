package api

import (
	"net/http"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// handOverKeys gives a device its content keys, encrypted to a key that its proof signs.
func (s *server) handOverKeys(w http.ResponseWriter, r *http.Request, by caller) error {
	var request struct {
		Device string   `json:"device"`
		Key    jose.JWK `json:"key"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	device, ok := canonicalUUID(request.Device)
	if !ok {
		return invalidRequest
	}
	key, err := request.Key.PublicKey()
	if err != nil {
		return refusal{invalidRequest.status, invalidRequest.code, "key must be a public P-256 JWK."}
	}
	keys, err := s.entitlements.HandOver(r.Context(), *by.proof, entitlements.DeviceID(device), key)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Keys string `json:"keys"`
	}{keys})
}

type epochAnswer struct {
	Epoch int64 `json:"epoch"`
}

// newVaultEpoch has the user's devices encrypt with another key from now on.
func (s *server) newVaultEpoch(w http.ResponseWriter, r *http.Request, by caller) error {
	if err := decodeOptional(r, &struct{}{}); err != nil {
		return err
	}
	epoch, err := s.entitlements.NewVaultEpoch(r.Context(), by.user())
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, epochAnswer{epoch})
}

// listPackKeys shows the keys of a content pack to the host that encrypts it.
func (s *server) listPackKeys(w http.ResponseWriter, r *http.Request, _ caller) error {
	feature, err := pathText(r, "feature")
	if err != nil {
		return err
	}
	keys, err := s.entitlements.PackKeys(r.Context(), feature)
	if err != nil {
		return err
	}
	type packKey struct {
		Epoch  int64     `json:"epoch"`
		Key    string    `json:"k"`
		MadeAt time.Time `json:"made_at"`
	}
	return answer(w, http.StatusOK, struct {
		Keys []packKey `json:"keys"`
	}{each(keys, func(k entitlements.OpenKey) packKey {
		return packKey{k.Epoch, jose.EncodeBase64(k.Key), k.MadeAt.UTC()}
	})})
}

// newPackEpoch makes a new key for a content pack.
func (s *server) newPackEpoch(w http.ResponseWriter, r *http.Request, by caller) error {
	feature, err := pathText(r, "feature")
	if err != nil {
		return err
	}
	reason, err := decodeReason(r)
	if err != nil {
		return err
	}
	epoch, err := s.entitlements.NewPackEpoch(r.Context(), by.actor, feature, reason)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, epochAnswer{epoch})
}
