// Package billing derives subscriptions from the events of a billing system.
//
// Such systems send events in any order, repeatedly, days late or not at all, with times in whole seconds. So an event
// is a hint, never a command: it is stored, and a subscription is derived again from all stored events ([Reduce]), by a
// pure function of the set. The promise: the result is the same whatever the order in which the same events arrive, how
// often they arrive, and which of them were lost and resent.
//
// The package knows the vocabulary of Stripe's subscriptions, which other systems share, but neither its JSON nor HTTP
// nor SQL. Events hold ids, enumerations, times and amounts, and no other personal data.
package billing
