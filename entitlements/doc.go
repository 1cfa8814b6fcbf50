// Package entitlements answers: what may a user use, and until when?
//
// A subscription in the database becomes a [Decision], a pure function of state and clock. The user's device receives
// the decision as a document: a signed statement of features with a hard end, bound to the device's key. Offline, the
// document alone decides. Online, the device reconciles: it proves its key, shows its lineage, and receives a new
// document that reflects the current state.
//
// The package promises:
//
//   - Every offline right has an end. A document ends with the plan's window, the keyset, or the paid time and its
//     grace, whichever comes first. No document with features outlives the bound stored in the device's row.
//   - Once a revocation has answered, no reconcile that begins later grants the lost features, on any replica.
//   - An honest device is never called forked, whatever is lost, late, doubled or crashed. Two copies of one profile
//     cannot both complete two reconciles after the copying ([Lineage]).
//   - A refusal is a signed document too. Only a signed document, or its own end, takes premium away.
//
// The package knows neither HTTP nor SQL: it holds the rules, and a [Store] persists their results.
package entitlements

// UserID, DeviceID, PlanID and SubscriptionID are identifiers. Users and devices are UUIDs in their canonical text form;
// the creator of a plan or subscription chooses its id.
type (
	UserID         string
	DeviceID       string
	PlanID         string
	SubscriptionID string
)
