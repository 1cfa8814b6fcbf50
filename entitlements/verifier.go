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
	// KeysetRollback: a keyset that one taken before outranks.
	KeysetRollback VerificationError = "keyset_rollback"
	// NotYetValid: issued in the future.
	NotYetValid VerificationError = "not_yet_valid"
	// Expired: the document's end has come.
	Expired VerificationError = "expired"
)

func (e VerificationError) Error() string { return string(e) }

// Verifier checks documents for a host's back end, without any I/O. It is safe for concurrent use.
type Verifier struct {
	// Keyset is one that [Roots.VerifyKeyset] has returned.
	Keyset Keyset
	// Issuer is the server's origin, which is the audience too.
	Issuer string
}

// Verify checks a document at now. It fails with a [VerificationError].
func (v Verifier) Verify(compact string, now time.Time) (Document, error) {
	message, err := parseTyped(compact, documentType)
	if err != nil {
		return Document{}, err
	}
	var entry *KeysetKey
	for i := range v.Keyset.Keys {
		if v.Keyset.Keys[i].KeyID == message.kid {
			entry = &v.Keyset.Keys[i]
		}
	}
	if entry == nil {
		return Document{}, KeyUnknown
	}
	key, err := entry.PublicKey()
	if err != nil {
		return Document{}, KeyUnknown
	}
	if err := message.Verify(key); err != nil {
		return Document{}, SignatureInvalid
	}
	var document Document
	if err := json.Unmarshal(message.Payload, &document); err != nil || !document.consistent() {
		return Document{}, ClaimsInvalid
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
	case now.Unix() >= document.ExpiresAt:
		return Document{}, Expired
	}
	return document, nil
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
