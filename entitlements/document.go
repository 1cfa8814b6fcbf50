package entitlements

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements/jose"
)

const (
	documentType = "entitlement+jwt"
	passkeysType = "passkeys+jwt"
)

// Document is the claims of an entitlement document. Times are unix seconds.
type Document struct {
	Issuer       string `json:"iss"`
	Audience     string `json:"aud"`
	Subject      UserID `json:"sub"`
	ExternalID   string `json:"external_id,omitempty"` // as it was at iat; "" if there is none, or documents have none
	ID           string `json:"jti"`                   // authenticated by the server's secret; carries iat and exp
	IssuedAt     int64  `json:"iat"`
	NotBefore    int64  `json:"nbf"`
	ExpiresAt    int64  `json:"exp"` // without leeway
	RefreshAfter int64  `json:"refresh_after"`
	Skew         int64  `json:"skew"` // seconds by which the device's clock was ahead; at most MaxSkew either way
	Revision     int64  `json:"rev"`

	State       State                      `json:"state"`
	Reason      *Reason                    `json:"reason"`
	PaidThrough *int64                     `json:"paid_through"`
	Ending      Ending                     `json:"ending,omitempty"`
	Plans       []PlanID                   `json:"plans"`
	Features    map[string]DocumentFeature `json:"features"` // only those usable offline

	Device       DeviceID     `json:"device"`
	Confirmation Confirmation `json:"cnf"`
	Proof        string       `json:"proof"` // the jti of the proof that this answers
	Status       StatusClaim  `json:"status"`
}

// DocumentFeature is a feature in a document. Limit is nil for an unlimited feature.
type DocumentFeature struct {
	Limit *int64 `json:"limit,omitempty"`
}

// Confirmation binds a document to the key with that thumbprint (RFC 7800, RFC 9449 §6).
type Confirmation struct {
	JKT string `json:"jkt"`
}

// StatusClaim says where the document's status is published (draft-ietf-oauth-status-list §6).
type StatusClaim struct {
	StatusList StatusReference `json:"status_list"`
}

// StatusReference is an index in a status list.
type StatusReference struct {
	Index int    `json:"idx"`
	URI   string `json:"uri"`
}

// PasskeysDocument holds the public keys that verify the user's passkeys offline. It never leaves the device.
//
// Its times do not depend on the second of the request, so that a device's copy can be recognised by its digest.
// IssuedAt is the start of the present offline window, counted from a fixed moment, or the start of the signing key's
// turn. ExpiresAt is two offline windows later, or the keyset's end: never before the end of an entitlement document
// issued in that window.
type PasskeysDocument struct {
	Issuer    string           `json:"iss"`
	Audience  string           `json:"aud"`
	Subject   UserID           `json:"sub"`
	Device    DeviceID         `json:"device"`
	IssuedAt  int64            `json:"iat"`
	ExpiresAt int64            `json:"exp"`
	RPID      string           `json:"rp_id"`
	Passkeys  []OfflinePasskey `json:"passkeys"`
}

// OfflinePasskey is a passkey's credential id (base64url) and public key.
type OfflinePasskey struct {
	ID  string         `json:"id"`
	JWK jsontext.Value `json:"jwk"`
}

// issue is one answer to one proof of one device.
type issue struct {
	user     UserID
	external string // the user's external id, if documents show it
	device   Device
	proof    string
	revision int64
	decision Decision
	features map[string]DocumentFeature // of the decision
	end      time.Time
	skew     int64
	passkeys []OfflinePasskey
	held     string // digest of the passkeys document that the device holds
}

// maxRefresh is the longest time that a device should go without reconciling, if it can reconcile.
const maxRefresh = 24 * time.Hour

// documentEnd returns the end of a document issued now with those features of the decision, in whole seconds. A document
// without features ends with the plan's window. It fails with [ErrKeysetEnded] if the document would end before it
// begins.
func (s *Service) documentEnd(decision Decision, features map[string]DocumentFeature, keyset Keyset, now time.Time) (time.Time, error) {
	now = now.Truncate(time.Second)
	window := s.config.OfflineWindow
	if decision.Window > 0 && len(features) == 0 {
		window = min(window, decision.Window)
	}
	end := earliest(now.Add(window), keyset.End())
	if len(features) > 0 {
		end = earliest(end, decision.End)
	}
	if !end.After(now) {
		return time.Time{}, ErrKeysetEnded
	}
	return end, nil
}

// documents signs the entitlement document of an answer and, unless the device holds it, the passkeys document.
func (s *Service) documents(i issue, key SigningKey, keyset Keyset, now time.Time) (document, passkeys string, err error) {
	began := now.Truncate(s.config.OfflineWindow)
	now = now.Truncate(time.Second)
	d := Document{
		Issuer: s.config.Issuer, Audience: s.config.Issuer, Subject: i.user, ExternalID: i.external, IssuedAt: now.Unix(), NotBefore: now.Unix(),
		ExpiresAt: i.end.Unix(), RefreshAfter: now.Add(min(maxRefresh, i.end.Sub(now)/2)).Unix(), Skew: i.skew,
		Revision: i.revision, State: i.decision.State, Plans: i.decision.Plans, Features: i.features,
		Device: i.device.ID, Confirmation: Confirmation{JKT: i.device.JKT}, Proof: i.proof,
		Status: StatusClaim{StatusList: StatusReference{Index: i.device.StatusIndex, URI: s.statusListURI(i.device.StatusList)}},
	}
	if d.Plans == nil {
		d.Plans = []PlanID{}
	}
	if i.decision.Reason != "" {
		d.Reason = &i.decision.Reason
	}
	d.Ending = i.decision.Ending
	if i.decision.PaidThrough != nil {
		d.PaidThrough = new(i.decision.PaidThrough.Unix())
	}
	if d.ID, err = s.documentID(d); err != nil {
		return "", "", err
	}
	if document, err = jose.Sign(key.PrivateKey, documentType, d); err != nil {
		return "", "", err
	}
	list, err := jose.Compose(key.PrivateKey, passkeysType, PasskeysDocument{
		Issuer: d.Issuer, Audience: d.Audience, Subject: d.Subject, Device: d.Device,
		IssuedAt:  max(began.Unix(), key.Entry.NotBefore),
		ExpiresAt: earliest(began.Add(2*s.config.OfflineWindow), keyset.End()).Unix(),
		RPID:      s.config.RPID, Passkeys: append([]OfflinePasskey{}, i.passkeys...),
	})
	if err != nil || list.Digest() == i.held {
		return document, "", err
	}
	passkeys, err = list.Sign()
	return document, passkeys, err
}

// documentID returns base64url of iat and exp (8 bytes each), 12 random bytes, and 16 bytes of HMAC-SHA-256 over these,
// the device and the user: the server can recognise its own documents without a row for each.
func (s *Service) documentID(d Document) (string, error) {
	id := binary.BigEndian.AppendUint64(nil, uint64(d.IssuedAt))
	id = binary.BigEndian.AppendUint64(id, uint64(d.ExpiresAt))
	random := make([]byte, 12)
	if _, err := io.ReadFull(s.config.Rand, random); err != nil {
		return "", fmt.Errorf("document id: %w", err)
	}
	id = append(id, random...)
	return jose.EncodeBase64(append(id, s.documentMAC(id, d.Device, d.Subject)...)), nil
}

// offline returns the features that a document carries.
func (d Decision) offline() map[string]DocumentFeature {
	features := map[string]DocumentFeature{}
	for name, feature := range d.Features {
		if feature.Offline {
			features[name] = DocumentFeature{Limit: feature.Limit}
		}
	}
	return features
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}
