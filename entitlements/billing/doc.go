// Package billing makes sense of what a billing system reports.
//
// Such systems send events in no order, several times, late or not at all for days, with times in whole seconds. So an
// event is a hint, never a command: it is kept, and what a subscription comes to is worked out anew from all events that
// there are ([Reduce]), by a pure function of the set. The promise: whatever the order in which the same events arrive, how
// often, and whatever was lost and sent again, the end is the same.
//
// The package knows the vocabulary of Stripe's subscriptions, which other systems share, but neither its JSON nor HTTP
// nor SQL. Events hold ids, enumerations, times and amounts, and nothing else about anybody.
package billing
