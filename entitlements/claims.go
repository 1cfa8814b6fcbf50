package entitlements

import (
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements/jose"
)

// claims reads a message's claims by name and type. A claim that is missing, of another type, or null where null has no
// meaning sets failed; the values read are invalid then. Unknown claims are ignored.
//
// Numbers are IEEE 754 (RFC 8259 §6), so that a verifier in any language reads the same: 1e3 is 1000, and integers end
// at 2^53-1.
type claims struct {
	members map[string]jsontext.Value
	failed  *bool
}

const (
	maxInteger = 1<<53 - 1
	// maxTime is the last second that every platform can represent (ECMA-262 §21.4.1.1).
	maxTime = 8_640_000_000_000
)

// readClaims reads a whole payload, which must be one JSON object.
func readClaims(payload []byte) claims {
	c := claims{failed: new(bool)}
	*c.failed = jose.CheckObject(payload) != nil || json.Unmarshal(payload, &c.members) != nil
	return c
}

func (c claims) require(condition bool) {
	if !condition {
		*c.failed = true
	}
}

// text reads a non-empty string.
func (c claims) text(name string) string {
	s := c.optionalText(name)
	c.require(s != nil && *s != "")
	if s == nil {
		return ""
	}
	return *s
}

// optionalText reads a string or null; the member must be present.
func (c claims) optionalText(name string) *string {
	var s *string
	c.read(name, &s)
	return s
}

// integer reads an integer from 0 to 2^53-1.
func (c claims) integer(name string) int64 {
	n := c.optionalInteger(name)
	c.require(n != nil)
	if n == nil {
		return 0
	}
	return *n
}

func (c claims) optionalInteger(name string) *int64 {
	var f *float64
	c.read(name, &f)
	if f == nil {
		return nil
	}
	c.require(*f >= 0 && *f <= maxInteger && *f == math.Trunc(*f))
	if *c.failed {
		return nil
	}
	return new(int64(*f))
}

// time reads unix seconds.
func (c claims) time(name string) int64 {
	t := c.integer(name)
	c.require(t <= maxTime)
	return t
}

func (c claims) optionalTime(name string) *int64 {
	t := c.optionalInteger(name)
	c.require(t == nil || *t <= maxTime)
	return t
}

// skew reads seconds, at most [MaxSkew] either way; 0 if the document has none.
func (c claims) skew() int64 {
	if !c.has("skew") {
		return 0
	}
	var f *float64
	c.read("skew", &f)
	c.require(f != nil && math.Abs(*f) <= MaxSkew.Seconds() && *f == math.Trunc(*f))
	if *c.failed {
		return 0
	}
	return int64(*f)
}

func (c claims) object(name string) claims { return c.inside(c.members[name]) }

func (c claims) list(name string) []jsontext.Value {
	var list []jsontext.Value
	c.read(name, &list)
	c.require(list != nil)
	return list
}

func (c claims) has(name string) bool { return c.members[name] != nil }

func (c claims) read(name string, into any) {
	value := c.members[name]
	c.require(value != nil && json.Unmarshal(value, into) == nil)
}

// inside reads an object within the claims; its failures set failed here too.
func (c claims) inside(value jsontext.Value) claims {
	within := claims{failed: c.failed}
	c.require(value.Kind() == '{' && json.Unmarshal(value, &within.members) == nil)
	return within
}

// externalID reads the user's external id. A document without one is of a user without one, or of a server that does not
// put it in. Anything but text counts as none, since verifiers that do not know the claim ignore it.
func (c claims) externalID() (id string) {
	if json.Unmarshal(c.members["external_id"], &id) != nil {
		return ""
	}
	return id
}

// readDocument reads the claims of a payload. It fails with [ClaimsInvalid] if one is missing, is of another type, or
// contradicts another.
func readDocument(payload []byte) (Document, error) {
	c := readClaims(payload)
	d := Document{
		Issuer: c.text("iss"), Audience: c.text("aud"), Subject: UserID(c.text("sub")), ID: c.text("jti"),
		ExternalID: c.externalID(), IssuedAt: c.time("iat"), NotBefore: c.time("nbf"), ExpiresAt: c.time("exp"), RefreshAfter: c.time("refresh_after"),
		Skew: c.skew(), Revision: c.integer("rev"), State: State(c.text("state")), Reason: (*Reason)(c.optionalText("reason")),
		PaidThrough: c.optionalTime("paid_through"), Plans: []PlanID{}, Features: map[string]DocumentFeature{},
		Device: DeviceID(c.text("device")), Confirmation: Confirmation{JKT: c.object("cnf").text("jkt")}, Proof: c.text("proof"),
	}
	status := c.object("status").object("status_list")
	d.Status.StatusList = StatusReference{Index: int(status.integer("idx")), URI: status.text("uri")}
	for _, value := range c.list("plans") {
		var plan *PlanID
		c.require(json.Unmarshal(value, &plan) == nil && plan != nil)
		if plan != nil {
			d.Plans = append(d.Plans, *plan)
		}
	}
	for name, value := range c.object("features").members {
		feature := c.inside(value)
		var limit *int64
		if feature.has("limit") {
			limit = new(feature.integer("limit"))
		}
		d.Features[name] = DocumentFeature{Limit: limit}
	}
	_, known := stateRank[d.State]
	c.require(known)
	c.require(d.State == StateActive || d.State == StateGrace || len(d.Features) == 0)
	c.require(d.NotBefore == d.IssuedAt && d.IssuedAt < d.ExpiresAt)
	c.require(d.IssuedAt <= d.RefreshAfter && d.RefreshAfter <= d.ExpiresAt)
	if *c.failed {
		return Document{}, ClaimsInvalid
	}
	return d, nil
}

// readPasskeys is readDocument for a passkeys document.
func readPasskeys(payload []byte) (PasskeysDocument, error) {
	c := readClaims(payload)
	d := PasskeysDocument{
		Issuer: c.text("iss"), Audience: c.text("aud"), Subject: UserID(c.text("sub")), Device: DeviceID(c.text("device")),
		IssuedAt: c.time("iat"), ExpiresAt: c.time("exp"), RPID: c.text("rp_id"), Passkeys: []OfflinePasskey{},
	}
	for _, value := range c.list("passkeys") {
		passkey := c.inside(value)
		passkey.object("jwk").text("kty")
		d.Passkeys = append(d.Passkeys, OfflinePasskey{ID: passkey.text("id"), JWK: []byte(passkey.members["jwk"])})
	}
	if *c.failed {
		return PasskeysDocument{}, ClaimsInvalid
	}
	return d, nil
}

// readKeyset is readDocument for a keyset.
func readKeyset(payload []byte) (Keyset, error) {
	c := readClaims(payload)
	k := Keyset{Issuer: c.text("iss"), IssuedAt: c.time("iat"), ExpiresAt: c.time("exp"), Version: c.integer("version")}
	c.require(k.IssuedAt < k.ExpiresAt && k.Version > 0)
	seen := map[string]bool{}
	for _, value := range c.list("keys") {
		key := c.inside(value)
		entry := KeysetKey{
			KeyID: key.text("kid"), Algorithm: key.text("alg"), Use: key.text("use"),
			NotBefore: key.time("nbf"), ExpiresAt: key.time("exp"),
		}
		public, err := jose.ParsePublicKey(value)
		// The alg of each key fixes the alg of its documents: only one fits, so it must be this one.
		c.require(err == nil && entry.Algorithm == jose.Algorithm && entry.Use == "sig" && entry.KeyID == public.ID() && !seen[entry.KeyID])
		c.require(entry.NotBefore < entry.ExpiresAt)
		entry.JWK, seen[entry.KeyID] = public.JWK(), true
		k.Keys = append(k.Keys, entry)
	}
	c.require(len(k.Keys) > 0)
	if *c.failed {
		return Keyset{}, ClaimsInvalid
	}
	return k, nil
}
