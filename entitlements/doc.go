// Package entitlements answers: what may they use, until when?
//
// A subscription in the database becomes a [Decision], a pure function of state and clock. A device of the user
// carries the decision away as a document: a signed statement of features with a hard end, bound to the device's key.
// Offline, the document alone decides. Online, the device reconciles: it proves its key, shows its lineage, and takes
// a new document that says what is true now.
//
// What the package promises:
//
//   - Every offline right has an end. A document ends with the plan's window, the keyset, or the paid time and its
//     grace, whichever comes first, and the device's row holds a bound that no document with features outlives.
//   - Once a revocation has answered, no reconcile that begins later gives the lost features, on any replica.
//   - An honest device, whatever is lost, late, doubled or crashed, is never called forked; two copies of one profile
//     cannot both complete two reconciles after the copying ([Lineage]).
//   - A refusal is a signed document too. Nothing but a signed document, or its own end, takes premium away.
//
// The package knows neither HTTP nor SQL: the rules are here, what keeps them is a [Store].
package entitlements

// UserID, DeviceID, PlanID and SubscriptionID name what they say. Users and devices are UUIDs in their canonical text
// form; plans and subscriptions are named by whoever makes them.
type (
	UserID         string
	DeviceID       string
	PlanID         string
	SubscriptionID string
)
