package e2e

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// kind is a kind of operation of the drill.
type kind string

const (
	signUp    kind = "sign-up"
	signIn    kind = "sign-in"
	reconcile kind = "reconcile"
	revoke    kind = "revoke"
	reinstate kind = "reinstate"
)

var kinds = []kind{signUp, signIn, reconcile, revoke, reinstate}

// action is one operation on a user, as its client has seen it. Those that were refused without effect are in no history.
type action struct {
	kind    kind
	target  string // where the request went
	user    int
	call    time.Duration // since the drill's beginning
	end     time.Duration // never if it may still happen at any time
	unknown bool          // whether it has happened
	standing
	until int64 // the end of the document, or offline_until; Unix seconds, 0 for neither
}

const never time.Duration = math.MaxInt64

// standing is a user's state, as an answer shows it.
type standing struct {
	revision int64
	premium  bool
}

// entitlement is the sequential specification of one user: a revoke and a reinstate raise the revision if they change
// something, and a reconcile shows the state.
var entitlement = porcupine.Model{
	Init: func() any { return standing{} },
	Step: func(state, input, output any) (bool, any) {
		is, op := state.(standing), input.(action) //nolint:forcetypeassert // of histories alone
		shown := output.(standing)                 //nolint:forcetypeassert // the same
		if op.kind == reconcile {
			return is == shown || is == standing{}, shown // the first reconcile shows where the history begins
		}
		next := standing{is.revision, op.kind == reinstate}
		if next.premium != is.premium {
			next.revision++
		}
		return op.unknown || next == shown, next
	},
}

// settle ends the actions whose outcome is unknown although their request is over: the server has said so, or was killed. A
// change locks its user until its commit has succeeded, failed or been lost with its machine. So the next change of that user
// is after it, if it ever happens. Of the same action repeated until that change, only two are kept, those with the most
// freedom: more than one of them matters only if an older action happens in between.
func settle(history []action) (settled []action) {
	slices.SortFunc(history, func(a, b action) int { return cmp.Compare(a.call, b.call) })
	type repeated struct {
		kind
		end time.Duration
	}
	kept := map[repeated]int{}
	for _, op := range history {
		if op.unknown && op.end != never {
			over := op.end
			op.end = never
			for _, next := range history {
				if next.kind != reconcile && !next.unknown && next.call > over {
					op.end = min(op.end, next.end)
				}
			}
			if kept[repeated{op.kind, op.end}]++; kept[repeated{op.kind, op.end}] > 2 {
				continue
			}
		}
		settled = append(settled, op)
	}
	return settled
}

// linearizable checks one user's history: each operation seems to have happened at one instant between its call and its end.
func linearizable(history []action) bool {
	operations := make([]porcupine.Operation, len(history))
	for i, op := range history {
		operations[i] = porcupine.Operation{
			ClientId: i, Input: op, Output: op.standing, Call: int64(op.call), Return: int64(op.end),
		}
	}
	return porcupine.CheckOperationsTimeout(entitlement, operations, time.Minute) == porcupine.Ok
}

// wrong returns the reconciles that gave the feature although a revoke had been acknowledged before they began and no
// reinstate could have followed it.
func wrong(history []action) (found []action) {
	for _, read := range history {
		if read.kind != reconcile || !read.premium {
			continue
		}
		last := action{call: -1} // revoke that was acknowledged before; it leaves the fewest reinstatements to explain the read
		for _, op := range history {
			if op.kind == revoke && !op.unknown && op.end < read.call && op.call > last.call {
				last = op
			}
		}
		if last.call >= 0 && !slices.ContainsFunc(history, func(op action) bool {
			return op.kind == reinstate && op.call <= read.end && op.end >= last.call
		}) {
			found = append(found, read)
		}
	}
	return found
}

// lost returns the acknowledged operations whose revision an answer to a later operation on the user does not contain.
func lost(history []action) (found []action) {
	byCall := slices.SortedFunc(slices.Values(history), func(a, b action) int { return int(b.call - a.call) })
	byEnd := slices.SortedFunc(slices.Values(history), func(a, b action) int { return int(b.end - a.end) })
	least, next := int64(math.MaxInt64), 0 // of the answers to what began after op
	for _, op := range byEnd {
		if op.unknown {
			continue
		}
		for ; next < len(byCall) && byCall[next].call > op.end; next++ {
			if !byCall[next].unknown {
				least = min(least, byCall[next].revision)
			}
		}
		if op.revision > least {
			found = append(found, op)
		}
	}
	return found
}

// outlived returns the revokes whose offline_until is before the end of a document that was given before they began.
func outlived(history []action) (found []action) {
	for _, op := range history {
		if op.kind == revoke && !op.unknown && slices.ContainsFunc(history, func(given action) bool {
			return given.kind == reconcile && given.premium && given.end < op.call && given.until > op.until
		}) {
			found = append(found, op)
		}
	}
	return found
}

// TestHistoriesAreJudged checks the judges of the drill by histories written by hand.
func TestHistoriesAreJudged(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	begin := action{kind: reconcile, call: 0, end: 1 * ms, standing: standing{1, true}}
	revoked := action{kind: revoke, call: 10 * ms, end: 20 * ms, standing: standing{2, false}}
	unknown := action{kind: revoke, call: 10 * ms, end: never, unknown: true}
	answered := action{kind: revoke, call: 10 * ms, end: 15 * ms, unknown: true}
	again := action{kind: revoke, call: 30 * ms, end: 40 * ms, standing: standing{2, false}}
	reinstated := action{kind: reinstate, call: 30 * ms, end: 40 * ms, standing: standing{3, true}}
	reads := func(call, end time.Duration, revision int64, premium bool) action {
		return action{kind: reconcile, call: call, end: end, standing: standing{revision, premium}}
	}
	for name, test := range map[string]struct {
		history             []action
		linearizable        bool
		wrong, acknowledged int // acknowledged: and lost
	}{
		"in order": {[]action{begin, revoked, reads(21*ms, 22*ms, 2, false), reinstated, reads(41*ms, 42*ms, 3, true)}, true, 0, 0},
		"a reconcile during the revoke, either way": {
			[]action{begin, revoked, reads(11*ms, 19*ms, 1, true), reads(12*ms, 19*ms, 2, false)}, true, 0, 0,
		},
		"the feature after a revoke":               {[]action{begin, revoked, reads(21*ms, 22*ms, 1, true)}, false, 1, 1},
		"the feature after a revoke, its revision": {[]action{begin, revoked, reads(21*ms, 22*ms, 2, true)}, false, 1, 0},
		"the feature before its reinstatement":     {[]action{begin, revoked, reads(21*ms, 29*ms, 3, true), reinstated}, false, 1, 0},
		"the feature taken away and back without a cause": {
			[]action{begin, reads(2*ms, 3*ms, 2, false), reads(4*ms, 5*ms, 3, true)}, false, 0, 0,
		},
		"back to the feature during the revoke": {
			[]action{begin, revoked, reads(11*ms, 13*ms, 2, false), reads(14*ms, 16*ms, 1, true)}, false, 0, 1,
		},
		"an unknown revoke that has happened": {[]action{begin, unknown, reads(50*ms, 51*ms, 2, false)}, true, 0, 0},
		"an unknown revoke that has not":      {[]action{begin, unknown, reads(50*ms, 51*ms, 1, true)}, true, 0, 0},
		"an unknown revoke that happens much later": {
			[]action{begin, unknown, reads(50*ms, 51*ms, 1, true), reads(90*ms, 91*ms, 2, false)}, true, 0, 0,
		},
		"an unknown revoke that has happened and then not": {
			[]action{begin, unknown, reads(50*ms, 51*ms, 2, false), reads(90*ms, 91*ms, 1, true)}, false, 0, 1,
		},
		"repeated after an unknown outcome, which had happened":     {[]action{begin, answered, reads(21*ms, 22*ms, 2, false), again}, true, 0, 0},
		"repeated after an unknown outcome, which had not happened": {[]action{begin, answered, reads(21*ms, 22*ms, 1, true), again}, true, 0, 0},
		"an unknown revoke that happens after it was repeated": {
			[]action{begin, answered, again, reads(50*ms, 51*ms, 3, true), reads(90*ms, 91*ms, 4, false)}, false, 1, 0,
		},
		"an outage with many tries": {slices.Concat([]action{begin}, slices.Repeat([]action{answered}, 50),
			[]action{reads(21*ms, 22*ms, 1, true), again, reads(50*ms, 51*ms, 2, false)}), true, 0, 0},
		"a reinstatement lost": {[]action{begin, revoked, reinstated, reads(50*ms, 51*ms, 2, false)}, false, 0, 1},
	} {
		test.history = settle(test.history)
		if got := linearizable(test.history); got != test.linearizable {
			t.Errorf("%s: linearizable %v", name, got)
		}
		if got := wrong(test.history); len(got) != test.wrong {
			t.Errorf("%s: wrong %v", name, got)
		}
		if got := lost(test.history); len(got) != test.acknowledged {
			t.Errorf("%s: lost %v", name, got)
		}
	}
}
