package entitlements

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"holdfast/entitlements/dpop"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/vault"
)

// VaultFeature is the feature that gives a user a vault: content keys of their own.
const VaultFeature = "vault"

// ContentKey encrypts content on devices: the user's own if Feature is [VaultFeature], otherwise a content pack's, which
// every device gets to which the feature is granted. Each epoch has a key of its own: the newest encrypts, all decrypt.
type ContentKey struct {
	Feature string
	Epoch   int64 // from 1
	Wrapped vault.Wrapped
	MadeAt  time.Time
}

// purpose is what a key is wrapped for.
func (k ContentKey) purpose(user UserID) string {
	if k.Feature != VaultFeature {
		user = ""
	}
	return "content key " + k.Feature + " " + string(user) + " " + strconv.FormatInt(k.Epoch, 10)
}

// ContentKeys are what a device of the user may get. The vault's epoch rises with each loss of rights
// ([Change.RaisesVaultEpoch]); the key of an epoch is made when a device first gets it, so that a device which was not
// granted the vault since then never gets it.
type ContentKeys struct {
	Epoch int64        // of the user's vault
	Keys  []ContentKey // the user's and those of all packs, by epoch
}

// RaisesVaultEpoch reports whether what the user stores from now on must be encrypted with another key: a device has lost
// something.
func (c Change) RaisesVaultEpoch() bool {
	for _, status := range c.Status {
		if status == StatusInvalid {
			return true
		}
	}
	return c.NewVaultEpoch
}

// contentKeysType is the type of the signed message within the encrypted answer.
const contentKeysType = "vault+jwt"

// handOverLife is how long a device may take to open an answer.
const handOverLife = 5 * time.Minute

// HandedKeys is the claims of a hand-over of content keys to a device. Times are unix seconds.
type HandedKeys struct {
	Issuer    string       `json:"iss"`
	Audience  string       `json:"aud"`
	Subject   UserID       `json:"sub"`
	IssuedAt  int64        `json:"iat"`
	ExpiresAt int64        `json:"exp"`
	Device    DeviceID     `json:"device"`
	Proof     string       `json:"proof"` // the jti of the proof that this answers
	Vault     *HandedVault `json:"vault,omitempty"`
	Keys      []HandedKey  `json:"keys"` // of the granted features, in any order
}

// HandedVault says which epoch encrypts. It is present while the vault is granted.
type HandedVault struct {
	Epoch int64 `json:"epoch"`
}

// HandedKey is a content key; Key is base64url.
type HandedKey struct {
	Feature string `json:"feature"`
	Epoch   int64  `json:"epoch"`
	Key     string `json:"k"`
}

// HandOver returns the content keys of the features that are granted to the device that made the proof, as a signed message
// encrypted to key ([jose.Encrypt]). The proof must sign the request's body, which binds key to the device. A device that
// was removed or quarantined gets none. HandOver fails with [ErrNoVault], [ErrDeviceUnknown], or [dpop.ErrInvalidProof].
func (s *Service) HandOver(ctx context.Context, proof dpop.Proof, device DeviceID, key jose.PublicKey) (string, error) {
	if s.config.Vault == nil {
		return "", ErrNoVault
	}
	if !proof.SignsBody() {
		return "", fmt.Errorf("%w: it must sign the body", dpop.ErrInvalidProof)
	}
	handed, err := s.handOver(ctx, proof, device)
	if err != nil {
		return "", fmt.Errorf("hand content keys over: %w", err)
	}
	signer, err := s.signer(s.keys.Load().Keys, time.Unix(handed.IssuedAt, 0))
	if err != nil {
		return "", fmt.Errorf("hand content keys over: %w", err)
	}
	text, err := jose.Sign(signer.PrivateKey, contentKeysType, handed)
	if err != nil {
		return "", fmt.Errorf("hand content keys over: %w", err)
	}
	return jose.Encrypt(key, contentKeysType, []byte(text))
}

func (s *Service) handOver(ctx context.Context, proof dpop.Proof, device DeviceID) (HandedKeys, error) {
	user, found, err := s.store.DeviceByKey(ctx, proof.JKT)
	if err != nil {
		return HandedKeys{}, err
	}
	if found.ID != device {
		return HandedKeys{}, ErrDeviceUnknown
	}
	// The keys are read before the account is: a device that has lost the vault meanwhile gets none of them.
	stored, err := s.store.ContentKeys(ctx, user)
	if err != nil {
		return HandedKeys{}, err
	}
	standing, err := s.store.Standing(ctx, user, device, proof.JKT, s.config.RPID)
	if err != nil {
		return HandedKeys{}, err
	}
	now := s.instant()
	handed := HandedKeys{
		Issuer: s.config.Issuer, Audience: s.config.Issuer, Subject: user, Device: device, Proof: proof.JTI,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(handOverLife).Unix(), Keys: []HandedKey{},
	}
	if !standing.Device.linked() {
		return handed, nil
	}
	granted := standing.Account.Decide(now).Features
	if _, ok := granted[VaultFeature]; ok {
		handed.Vault = &HandedVault{stored.Epoch}
		if !stored.has(VaultFeature, stored.Epoch) {
			made, err := s.makeContentKey(ctx, user, ContentKey{Feature: VaultFeature, Epoch: stored.Epoch, MadeAt: now})
			if err != nil {
				return HandedKeys{}, err
			}
			stored.Keys = append(stored.Keys, made)
		}
	}
	for _, key := range stored.Keys {
		if _, ok := granted[key.Feature]; !ok {
			continue
		}
		opened, err := s.config.Vault.Unwrap(ctx, key.Wrapped, key.purpose(user))
		if err != nil {
			return HandedKeys{}, fmt.Errorf("%s, epoch %d: %w", key.Feature, key.Epoch, err)
		}
		handed.Keys = append(handed.Keys, HandedKey{key.Feature, key.Epoch, jose.EncodeBase64(opened)})
	}
	return handed, nil
}

func (k ContentKeys) has(feature string, epoch int64) bool {
	for _, key := range k.Keys {
		if key.Feature == feature && key.Epoch == epoch {
			return true
		}
	}
	return false
}

// makeContentKey stores a new key, and returns the one that is stored: another request may have been first.
func (s *Service) makeContentKey(ctx context.Context, user UserID, key ContentKey) (ContentKey, error) {
	wrapped, err := s.newContentKey(ctx, key.purpose(user))
	if err != nil {
		return ContentKey{}, err
	}
	key.Wrapped = wrapped
	return s.store.PutVaultKey(ctx, user, key)
}

func (s *Service) newContentKey(ctx context.Context, purpose string) (vault.Wrapped, error) {
	random := make([]byte, vault.KeySize)
	if _, err := io.ReadFull(s.config.Rand, random); err != nil {
		return vault.Wrapped{}, fmt.Errorf("make content key: %w", err)
	}
	return s.config.Vault.Wrap(ctx, random, purpose)
}

// NewVaultEpoch makes the user's devices encrypt with another key from now on, and returns the new epoch. It fails with
// [ErrNoVault].
func (s *Service) NewVaultEpoch(ctx context.Context, user UserID) (int64, error) {
	if s.config.Vault == nil {
		return 0, ErrNoVault
	}
	_, err := s.store.Update(ctx, user, s.instant(), func(Account) (Change, error) {
		by := "user:" + string(user)
		return Change{Raise: true, NewVaultEpoch: true, Audit: []AuditEntry{{Actor: by, Action: "vault.epoch", Object: by}}}, nil
	})
	if err != nil {
		return 0, fmt.Errorf("new vault epoch: %w", err)
	}
	keys, err := s.store.ContentKeys(ctx, user)
	if err != nil {
		return 0, fmt.Errorf("new vault epoch: %w", err)
	}
	return keys.Epoch, nil
}

// OpenKey is a content pack's key, for whoever encrypts the pack.
type OpenKey struct {
	Epoch  int64
	Key    []byte
	MadeAt time.Time
}

// checkPack fails with [ErrInvalid] for a name that no content pack can have, and with [ErrNoVault].
func (s *Service) checkPack(feature string) error {
	if !featureName.MatchString(feature) || feature == VaultFeature {
		return fmt.Errorf("%w: a content pack is named like a feature, and not %q", ErrInvalid, VaultFeature)
	}
	if s.config.Vault == nil {
		return ErrNoVault
	}
	return nil
}

// PackKeys returns the keys of the content pack of a feature, the oldest first. It fails as checkPack does.
func (s *Service) PackKeys(ctx context.Context, feature string) ([]OpenKey, error) {
	if err := s.checkPack(feature); err != nil {
		return nil, err
	}
	stored, err := s.store.PackKeys(ctx, feature)
	if err != nil {
		return nil, fmt.Errorf("pack keys: %w", err)
	}
	opened := make([]OpenKey, 0, len(stored))
	for _, key := range stored {
		text, err := s.config.Vault.Unwrap(ctx, key.Wrapped, key.purpose(""))
		if err != nil {
			return nil, fmt.Errorf("pack keys: epoch %d: %w", key.Epoch, err)
		}
		opened = append(opened, OpenKey{key.Epoch, text, key.MadeAt})
	}
	return opened, nil
}

// NewPackEpoch makes a new key for the content pack of a feature, and returns its epoch. What was encrypted before stays
// readable with the earlier keys. It fails with [ErrNoVault], with [ErrInvalid] for a name that no pack can have or without a
// reason, and with [ErrConflict] if another call was first.
func (s *Service) NewPackEpoch(ctx context.Context, actor, feature, reason string) (int64, error) {
	if err := requireReason(reason); err != nil {
		return 0, err
	}
	if err := s.checkPack(feature); err != nil {
		return 0, err
	}
	stored, err := s.store.PackKeys(ctx, feature)
	if err != nil {
		return 0, fmt.Errorf("new pack epoch: %w", err)
	}
	key := ContentKey{Feature: feature, Epoch: 1, MadeAt: s.instant()}
	if len(stored) > 0 {
		key.Epoch = stored[len(stored)-1].Epoch + 1
	}
	if key.Wrapped, err = s.newContentKey(ctx, key.purpose("")); err != nil {
		return 0, fmt.Errorf("new pack epoch: %w", err)
	}
	err = s.store.PutPackKey(ctx, key, AuditEntry{
		At: key.MadeAt, Actor: actor, Reason: reason, Action: "pack.epoch", Object: "pack:" + feature, After: auditJSON(struct {
			Epoch int64 `json:"epoch"`
		}{key.Epoch}),
	})
	if err != nil {
		return 0, fmt.Errorf("new pack epoch: %w", err)
	}
	return key.Epoch, nil
}

// OwnedKey is a content key with its owner; User is empty for a pack's.
type OwnedKey struct {
	User UserID
	ContentKey
}

// WrappedKeys is the part of the store that changes the wrapping of content keys.
type WrappedKeys interface {
	// NotWrappedBy reads at most limit content keys that another key than keyID wraps; WrappedBy counts those that it wraps.
	NotWrappedBy(ctx context.Context, keyID string, limit int) ([]OwnedKey, error)
	WrappedBy(ctx context.Context, keyID string) (int, error)
	// Rewrap replaces the wrapping of a key, if it is still the one in key.
	Rewrap(ctx context.Context, key OwnedKey, wrapped vault.Wrapped) error
}

// rewrapAtOnce is how many content keys are read at a time.
const rewrapAtOnce = 500

// Rewrap wraps every content key with the keyring's first key, and returns how many it has changed. It can be repeated after
// a failure.
func Rewrap(ctx context.Context, store WrappedKeys, ring vault.Keyring) (changed int, err error) {
	for {
		keys, err := store.NotWrappedBy(ctx, ring.IDs()[0], rewrapAtOnce)
		if err != nil || len(keys) == 0 {
			return changed, err
		}
		for _, key := range keys {
			opened, err := ring.Unwrap(ctx, key.Wrapped, key.purpose(key.User))
			if err != nil {
				return changed, fmt.Errorf("rewrap %s of epoch %d: %w", key.Feature, key.Epoch, err)
			}
			wrapped, err := ring.Wrap(ctx, opened, key.purpose(key.User))
			if err != nil {
				return changed, err
			}
			if err := store.Rewrap(ctx, key, wrapped); err != nil {
				return changed, err
			}
			changed++
		}
	}
}

// VaultKeys returns the user's content keys, still wrapped.
func (s *Service) VaultKeys(ctx context.Context, user UserID) ([]ContentKey, error) {
	stored, err := s.store.ContentKeys(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("vault keys: %w", err)
	}
	var own []ContentKey
	for _, key := range stored.Keys {
		if key.Feature == VaultFeature {
			own = append(own, key)
		}
	}
	return own, nil
}

// ErrNoVault is returned by a server that has no keys to wrap content keys with.
var ErrNoVault = errors.New("this server has no wrapping keys, and so no vault: 'holdfast keys vault rotate' makes the first one")
