package entitlements

import (
	"time"

	"github.com/go-json-experiment/json"

	"holdfast/entitlements/jose"
)

// VerificationError is a stable code that says why a document or keyset was refused, the same in all Holdfast verifiers.
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
	// RootUnknown: a keyset that no known root has signed.
	RootUnknown VerificationError = "root_unknown"
	// SignatureInvalid: the signature does not verify.
	SignatureInvalid VerificationError = "signature_invalid"
	// ClaimsInvalid: a claim is missing, of a wrong type, or contradicts another.
	ClaimsInvalid VerificationError = "claims_invalid"
	// IssuerMismatch and AudienceMismatch: for another issuer or audience.
	IssuerMismatch   VerificationError = "issuer_mismatch"
	AudienceMismatch VerificationError = "audience_mismatch"
	// KeyOutsideValidity: issued at a time outside the key's validity.
	KeyOutsideValidity VerificationError = "key_outside_validity"
	// KeysetExpired: the keyset has ended.
	KeysetExpired VerificationError = "keyset_expired"
	// NotYetValid: issued in the future.
	NotYetValid VerificationError = "not_yet_valid"
	// Expired: the document has ended.
	Expired VerificationError = "expired"
	// SubjectMismatch, DeviceMismatch (the device's id or its key) and ProofMismatch: a sound document or status list,
	// but not the expected one.
	SubjectMismatch VerificationError = "subject_mismatch"
	DeviceMismatch  VerificationError = "device_mismatch"
	ProofMismatch   VerificationError = "proof_mismatch"
	// RevisionRollback: older than the known revision.
	RevisionRollback VerificationError = "revision_rollback"
	// KeysetRollback: older than a keyset taken before.
	KeysetRollback VerificationError = "keyset_rollback"
)

func (e VerificationError) Error() string { return string(e) }

// Verifier checks documents for a host's back end. It does no I/O, and is safe for concurrent use.
type Verifier struct {
	// Keyset is one that [Roots.VerifyKeyset] has returned.
	Keyset Keyset
	// Issuer is the server's origin, which is also the audience.
	Issuer string
}

// Expectation is a further requirement on a document. A zero value is compared like any other: no document is of the
// user "".
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

// BoundTo expects a document bound to the key with that thumbprint; a proof must show possession of the key.
func BoundTo(jkt string) Expectation { return func(e *expected) { e.jkt = &jkt } }

// Answering expects the document that answers the proof with that jti.
func Answering(jti string) Expectation { return func(e *expected) { e.proof = &jti } }

// FromRevision expects a document of that revision or a later one.
func FromRevision(revision int64) Expectation { return func(e *expected) { e.revision = revision } }

// Verify checks a document at now against all expectations, and compares nothing else. The checks are made in the order
// of the codes, whatever the order of the expectations. It fails with a [VerificationError].
func (v Verifier) Verify(compact string, now time.Time, expectations ...Expectation) (Document, error) {
	payload, signer, err := v.open(compact, documentType)
	if err != nil {
		return Document{}, err
	}
	document, err := readDocument(payload)
	if err != nil {
		return Document{}, err
	}
	if err := v.judge(document.Issuer, document.Audience, signer, document.IssuedAt, document.ExpiresAt, now); err != nil {
		return Document{}, err
	}
	if err := document.match(expectations); err != nil {
		return Document{}, err
	}
	return document, nil
}

// VerifyPasskeys checks a passkeys document at now, as [Verifier.Verify] does a document. It fails with a
// [VerificationError].
func (v Verifier) VerifyPasskeys(compact string, now time.Time) (PasskeysDocument, error) {
	payload, signer, err := v.open(compact, passkeysType)
	if err != nil {
		return PasskeysDocument{}, err
	}
	document, err := readPasskeys(payload)
	if err != nil {
		return PasskeysDocument{}, err
	}
	if err := v.judge(document.Issuer, document.Audience, signer, document.IssuedAt, document.ExpiresAt, now); err != nil {
		return PasskeysDocument{}, err
	}
	return document, nil
}

// open returns the payload of a message that a key of the keyset has signed, and the entry of that key.
func (v Verifier) open(compact, typ string) ([]byte, KeysetKey, error) {
	message, err := parseTyped(compact, typ)
	if err != nil {
		return nil, KeysetKey{}, err
	}
	for _, entry := range v.Keyset.Keys {
		if entry.KeyID != message.kid {
			continue
		}
		key, err := entry.PublicKey()
		if err != nil {
			break
		}
		if err := message.Verify(key); err != nil {
			return nil, KeysetKey{}, SignatureInvalid
		}
		return message.Payload, entry, nil
	}
	return nil, KeysetKey{}, KeyUnknown
}

// judge makes the checks that all kinds of documents share: issuer, audience, signing key and times.
func (v Verifier) judge(issuer, audience string, signer KeysetKey, issuedAt, expiresAt int64, now time.Time) error {
	switch {
	case issuer != v.Issuer:
		return IssuerMismatch
	case audience != v.Issuer:
		return AudienceMismatch
	case !signer.covers(time.Unix(issuedAt, 0)):
		return KeyOutsideValidity
	case now.Unix() >= v.Keyset.ExpiresAt:
		return KeysetExpired
	case now.Unix() < issuedAt:
		return NotYetValid
	case now.Unix() >= expiresAt: // without leeway (RFC 7519 §4.1.4)
		return Expired
	default:
		return nil
	}
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
