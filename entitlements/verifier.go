package entitlements

import (
	"time"

	"github.com/go-json-experiment/json"

	"holdfast/entitlements/jose"
)

// VerificationError is why a document or keyset was refused: a stable code, the same in every verifier of ours.
type VerificationError string

// The codes, in the order of the checks.
const (
	// Malformed: not a compact JWS in strict base64url with a JSON object for a header.
	Malformed VerificationError = "malformed"
	// HeaderInvalid: header members other than exactly alg, kid and typ, or not strings.
	HeaderInvalid VerificationError = "header_invalid"
	// AlgorithmInvalid: an alg other than the key's own.
	AlgorithmInvalid VerificationError = "algorithm_invalid"
	// TypeInvalid: another typ.
	TypeInvalid VerificationError = "type_invalid"
	// KeyUnknown: a kid that is not in the keyset.
	KeyUnknown VerificationError = "key_unknown"
	// RootUnknown: a keyset signed by no root that is known.
	RootUnknown VerificationError = "root_unknown"
	// SignatureInvalid: the signature does not verify.
	SignatureInvalid VerificationError = "signature_invalid"
	// ClaimsInvalid: a claim is missing, of a wrong type, or contradicts another.
	ClaimsInvalid VerificationError = "claims_invalid"
	// IssuerMismatch and AudienceMismatch: meant for somebody else.
	IssuerMismatch   VerificationError = "issuer_mismatch"
	AudienceMismatch VerificationError = "audience_mismatch"
	// KeyOutsideValidity: issued at a time at which the key was not to be used.
	KeyOutsideValidity VerificationError = "key_outside_validity"
	// KeysetExpired: the keyset's own end has come.
	KeysetExpired VerificationError = "keyset_expired"
	// NotYetValid: issued in the future.
	NotYetValid VerificationError = "not_yet_valid"
	// Expired: the document's end has come.
	Expired VerificationError = "expired"
	// SubjectMismatch, DeviceMismatch (the device's id or its key) and ProofMismatch: a sound document or
	// status list, but not the one that was expected.
	SubjectMismatch VerificationError = "subject_mismatch"
	DeviceMismatch  VerificationError = "device_mismatch"
	ProofMismatch   VerificationError = "proof_mismatch"
	// RevisionRollback: older than what is known already.
	RevisionRollback VerificationError = "revision_rollback"
	// KeysetRollback: an older keyset than one that was taken before.
	KeysetRollback VerificationError = "keyset_rollback"
)

func (e VerificationError) Error() string { return string(e) }

// Verifier checks documents for a host's back end. It does no I/O, and is safe for concurrent use.
type Verifier struct {
	// Keyset is one that [Roots.VerifyKeyset] has returned.
	Keyset Keyset
	// Issuer is the server's origin, which is the audience too.
	Issuer string
}

// Expectation is what else must be true of a document. The zero value of what is expected is compared like any other:
// no document is of the user "".
type Expectation func(*expected)

type expected struct {
	subject  *UserID
	device   *DeviceID
	jkt      *string
	proof    *string
	revision int64
}

// OfUser expects a document of that user.
func OfUser(id UserID) Expectation { return func(e *expected) { e.subject = &id } }

// OfDevice expects a document of that device.
func OfDevice(id DeviceID) Expectation { return func(e *expected) { e.device = &id } }

// BoundTo expects a document bound to the key with that thumbprint, which has to be shown by other means: a proof.
func BoundTo(jkt string) Expectation { return func(e *expected) { e.jkt = &jkt } }

// Answering expects the document that answers the proof with that jti.
func Answering(jti string) Expectation { return func(e *expected) { e.proof = &jti } }

// FromRevision expects a document of that revision or a later one.
func FromRevision(revision int64) Expectation { return func(e *expected) { e.revision = revision } }

// Verify checks a document at now, and everything that is expected of it; what is not expected is not compared. The
// checks are made in the order of the codes, whatever the order of the expectations. It fails with a
// [VerificationError].
func (v Verifier) Verify(compact string, now time.Time, expectations ...Expectation) (Document, error) {
	message, err := parseTyped(compact, documentType)
	if err != nil {
		return Document{}, err
	}
	entry, key := v.find(message.kid)
	if key.IsZero() {
		return Document{}, KeyUnknown
	}
	if err := message.Verify(key); err != nil {
		return Document{}, SignatureInvalid
	}
	document, err := readDocument(message.Payload)
	if err != nil {
		return Document{}, err
	}
	switch {
	case document.Issuer != v.Issuer:
		return Document{}, IssuerMismatch
	case document.Audience != v.Issuer:
		return Document{}, AudienceMismatch
	case !entry.covers(time.Unix(document.IssuedAt, 0)):
		return Document{}, KeyOutsideValidity
	case now.Unix() >= v.Keyset.ExpiresAt:
		return Document{}, KeysetExpired
	case now.Unix() < document.NotBefore:
		return Document{}, NotYetValid
	case now.Unix() >= document.ExpiresAt: // without leeway (RFC 7519 §4.1.4)
		return Document{}, Expired
	}
	if err := document.match(expectations); err != nil {
		return Document{}, err
	}
	return document, nil
}

// find is the keyset's entry of that kid, with its key; no key where there is none.
func (v Verifier) find(kid string) (KeysetKey, jose.PublicKey) {
	for _, entry := range v.Keyset.Keys {
		if entry.KeyID == kid {
			key, err := entry.PublicKey()
			if err != nil {
				return KeysetKey{}, jose.PublicKey{}
			}
			return entry, key
		}
	}
	return KeysetKey{}, jose.PublicKey{}
}

func (d Document) match(expectations []Expectation) error {
	var want expected
	for _, expect := range expectations {
		expect(&want)
	}
	switch {
	case want.subject != nil && *want.subject != d.Subject:
		return SubjectMismatch
	case want.device != nil && *want.device != d.Device, want.jkt != nil && *want.jkt != d.Confirmation.JKT:
		return DeviceMismatch
	case want.proof != nil && *want.proof != d.Proof:
		return ProofMismatch
	case d.Revision < want.revision:
		return RevisionRollback
	default:
		return nil
	}
}

// typedMessage is a message whose header has been checked.
type typedMessage struct {
	jose.Message
	kid string
}

// parseTyped checks the form: a compact JWS whose header is exactly alg, kid and typ, of the fixed values.
func parseTyped(compact, typ string) (typedMessage, error) {
	message, err := jose.Parse(compact)
	if err != nil {
		return typedMessage{}, Malformed
	}
	var header struct {
		Alg *string `json:"alg"`
		Kid *string `json:"kid"`
		Typ *string `json:"typ"`
	}
	err = json.Unmarshal(message.Header, &header, json.RejectUnknownMembers(true))
	if err != nil || header.Alg == nil || header.Kid == nil || header.Typ == nil {
		return typedMessage{}, HeaderInvalid
	}
	if *header.Alg != jose.Algorithm {
		return typedMessage{}, AlgorithmInvalid
	}
	if *header.Typ != typ {
		return typedMessage{}, TypeInvalid
	}
	return typedMessage{Message: message, kid: *header.Kid}, nil
}
