package entitlements_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"holdfast/entitlements"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

var plans = map[entitlements.PlanID]entitlements.Plan{
	"premium": {
		ID: "premium", Grace: 3 * day, DeviceLimit: 5, Rank: 10,
		Features: map[string]entitlements.Feature{"export": {Offline: true}, "notes": {Offline: true}},
	},
	"basic": {
		ID: "basic", Grace: 0, DeviceLimit: 2, Rank: 1,
		Features: map[string]entitlements.Feature{"notes": {Limit: new(int64(100)), Offline: true}},
	},
	"plus": {
		ID: "plus", Grace: day, Window: 2 * day, DeviceLimit: 3, Rank: 5,
		Features: map[string]entitlements.Feature{"notes": {Limit: new(int64(500)), Offline: true}},
	},
	"addon": {
		ID: "addon", Grace: day, DeviceLimit: 1, Rank: 2,
		Features: map[string]entitlements.Feature{"maps": {Offline: true}},
	},
	"support": {
		ID: "support", Grace: day, DeviceLimit: 1, Rank: 3, Features: map[string]entitlements.Feature{"chat": {}},
	},
}

func sub(plan entitlements.PlanID, state entitlements.SubscriptionState, paidThrough time.Duration) entitlements.Subscription {
	return entitlements.Subscription{
		ID: entitlements.SubscriptionID("sub-" + plan), Plan: plan, State: state, PaidThrough: noon.Add(paidThrough),
	}
}

func revoked(s entitlements.Subscription) entitlements.Subscription   { s.Revoked = true; return s }
func suspended(s entitlements.Subscription) entitlements.Subscription { s.Suspended = true; return s }

func TestDecide(t *testing.T) {
	const (
		trialing  = entitlements.SubscriptionTrialing
		active    = entitlements.SubscriptionActive
		pastDue   = entitlements.SubscriptionPastDue
		cancelled = entitlements.SubscriptionCancelled
	)
	type subs = []entitlements.Subscription
	tests := map[string]struct {
		subs     subs
		state    entitlements.State
		reason   entitlements.Reason
		features []string
		end      time.Duration // after noon; 0: none
		paid     time.Duration
		limit    int64 // of notes; 0: without
		devices  int
	}{
		"no subscription":                    {subs{}, "none", "", nil, 0, 0, 0, 5},
		"trialing":                           {subs{sub("premium", trialing, day)}, "active", "", []string{"export", "notes"}, 4 * day, day, 0, 5},
		"active":                             {subs{sub("premium", active, 30*day)}, "active", "", []string{"export", "notes"}, 33 * day, 30 * day, 0, 5},
		"cancelled with paid time left":      {subs{sub("premium", cancelled, time.Second)}, "active", "", []string{"export", "notes"}, 3*day + time.Second, time.Second, 0, 5},
		"one second of paid time":            {subs{sub("premium", active, time.Second)}, "active", "", []string{"export", "notes"}, 3*day + time.Second, time.Second, 0, 5},
		"paid time ends now":                 {subs{sub("premium", active, 0)}, "grace", "", []string{"export", "notes"}, 3 * day, 0, 0, 5},
		"trial over, in grace":               {subs{sub("premium", trialing, -day)}, "grace", "", []string{"export", "notes"}, 2 * day, -day, 0, 5},
		"cancelled, in grace":                {subs{sub("premium", cancelled, -day)}, "grace", "", []string{"export", "notes"}, 2 * day, -day, 0, 5},
		"last second of grace":               {subs{sub("premium", active, -3*day+time.Second)}, "grace", "", []string{"export", "notes"}, time.Second, -3*day + time.Second, 0, 5},
		"grace ends now":                     {subs{sub("premium", active, -3*day)}, "expired", "lapsed", nil, 0, -3 * day, 0, 5},
		"grace is over":                      {subs{sub("premium", active, -3*day-time.Second)}, "expired", "lapsed", nil, 0, -3*day - time.Second, 0, 5},
		"past due with paid time left":       {subs{sub("premium", pastDue, day)}, "grace", "", []string{"export", "notes"}, 4 * day, day, 0, 5},
		"past due in grace":                  {subs{sub("premium", pastDue, -day)}, "grace", "", []string{"export", "notes"}, 2 * day, -day, 0, 5},
		"past due, grace over":               {subs{sub("premium", pastDue, -3*day)}, "expired", "lapsed", nil, 0, -3 * day, 0, 5},
		"no grace":                           {subs{sub("basic", active, 0)}, "expired", "lapsed", nil, 0, 0, 0, 5},
		"revoked":                            {subs{revoked(sub("premium", active, 30*day))}, "revoked", "revoked", nil, 0, 30 * day, 0, 5},
		"suspended":                          {subs{suspended(sub("premium", active, 30*day))}, "revoked", "suspended", nil, 0, 30 * day, 0, 5},
		"revoked and suspended":              {subs{revoked(suspended(sub("premium", active, 30*day)))}, "revoked", "revoked", nil, 0, 30 * day, 0, 5},
		"revoked after it lapsed":            {subs{revoked(sub("premium", active, -30*day))}, "revoked", "revoked", nil, 0, -30 * day, 0, 5},
		"window shorter than paid time":      {subs{sub("plus", active, 30*day)}, "active", "", []string{"notes"}, 2 * day, 30 * day, 500, 3},
		"window longer than paid time":       {subs{sub("plus", active, day/2)}, "active", "", []string{"notes"}, day + day/2, day / 2, 500, 3},
		"highest limit of two":               {subs{sub("basic", active, 9*day), sub("plus", active, 9*day)}, "active", "", []string{"notes"}, 2 * day, 9 * day, 500, 3},
		"no limit beats a limit":             {subs{sub("basic", active, 9*day), sub("premium", active, 9*day)}, "active", "", []string{"export", "notes"}, 12 * day, 9 * day, 0, 5},
		"what adds nothing does not shorten": {subs{sub("premium", active, 90*day), sub("basic", active, day)}, "active", "", []string{"export", "notes"}, 93 * day, 90 * day, 0, 5},
		"what adds something bounds":         {subs{sub("premium", active, 90*day), sub("addon", active, day)}, "active", "", []string{"export", "maps", "notes"}, 2 * day, 90 * day, 0, 5},
		"active beats grace":                 {subs{sub("premium", pastDue, day), sub("basic", active, 9*day)}, "active", "", []string{"export", "notes"}, 4 * day, 9 * day, 0, 5},
		"grace beats expired":                {subs{sub("basic", active, -day), sub("premium", active, -day)}, "grace", "", []string{"export", "notes"}, 2 * day, -day, 0, 5},
		"revoked beats expired":              {subs{revoked(sub("premium", active, day)), sub("basic", active, -day)}, "revoked", "revoked", nil, 0, day, 0, 5},
		"active beside revoked":              {subs{revoked(sub("premium", active, day)), sub("basic", active, day)}, "active", "", []string{"notes"}, day, day, 100, 2},
		"online only":                        {subs{sub("support", active, day)}, "active", "", []string{"chat"}, 0, day, 0, 1},
		"online only beside offline":         {subs{sub("support", active, day), sub("basic", active, 9*day)}, "active", "", []string{"chat", "notes"}, 9 * day, day, 100, 2},
		"a plan that is not there":           {subs{sub("gone", active, day)}, "active", "", nil, 0, day, 0, 0},
		"fractions of a second do not count": {subs{sub("basic", active, 1900*time.Millisecond)}, "active", "", []string{"notes"}, time.Second, time.Second, 100, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][]entitlements.Subscription{test.subs, reversed(test.subs)} {
				d := entitlements.Decide(order, plans, noon.Add(300*time.Millisecond))
				if d.State != test.state || d.Reason != test.reason {
					t.Errorf("state %s (%s), want %s (%s)", d.State, d.Reason, test.state, test.reason)
				}
				if got := slices.Sorted(maps.Keys(d.Features)); !slices.Equal(got, test.features) {
					t.Errorf("features %v, want %v", got, test.features)
				}
				end := time.Duration(0)
				if !d.End.IsZero() {
					end = d.End.Sub(noon)
				}
				if end != test.end {
					t.Errorf("end %v after now, want %v", end, test.end)
				}
				if len(test.subs) > 0 && d.PaidThrough.Sub(noon) != test.paid {
					t.Errorf("paid through %v after now, want %v", d.PaidThrough.Sub(noon), test.paid)
				}
				if limit := d.Features["notes"].Limit; (limit == nil) != (test.limit == 0) || limit != nil && *limit != test.limit {
					t.Errorf("limit of notes %v, want %d", limit, test.limit)
				}
				if d.DeviceLimit != test.devices {
					t.Errorf("device limit %d, want %d", d.DeviceLimit, test.devices)
				}
			}
		})
	}
}

func TestDecideEnding(t *testing.T) {
	granted := sub("premium", entitlements.SubscriptionCancelled, day)
	granted.ID = "grant-1"
	ends := func(s entitlements.Subscription) entitlements.Subscription {
		s.Ends = true
		return s
	}
	for name, test := range map[string]struct {
		sub  entitlements.Subscription
		want entitlements.Ending
	}{
		"renews":                       {sub("premium", entitlements.SubscriptionActive, day), ""},
		"a trial that renews":          {sub("premium", entitlements.SubscriptionTrialing, -day), ""},
		"a trial alone":                {ends(sub("premium", entitlements.SubscriptionTrialing, -day)), entitlements.EndingTrial},
		"set to end with its period":   {ends(sub("premium", entitlements.SubscriptionActive, day)), entitlements.EndingCancelled},
		"cancelled":                    {ends(sub("premium", entitlements.SubscriptionCancelled, -9*day)), entitlements.EndingCancelled},
		"cancelled for failed payment": {sub("premium", entitlements.SubscriptionCancelled, -9*day), ""},
		"granted":                      {granted, entitlements.EndingGranted},
	} {
		if got := entitlements.Decide([]entitlements.Subscription{test.sub}, plans, noon).Ending; got != test.want {
			t.Errorf("%s: Ending = %q, want %q", name, got, test.want)
		}
	}
}

// Since is the start of the state to explain, of the best subscription.
func TestDecideSince(t *testing.T) {
	const active, pastDue = entitlements.SubscriptionActive, entitlements.SubscriptionPastDue
	withdrawn := func(s entitlements.Subscription, at time.Duration) entitlements.Subscription {
		s.WithdrawnAt = noon.Add(at)
		return s
	}
	updated := func(s entitlements.Subscription, at time.Duration) entitlements.Subscription {
		s.UpdatedAt = noon.Add(at)
		return s
	}
	for name, test := range map[string]struct {
		sub   entitlements.Subscription
		since *time.Time
	}{
		"active":                           {updated(sub("premium", active, day), -day), nil},
		"revoked":                          {updated(withdrawn(revoked(sub("premium", active, day)), -2*day), -day), new(noon.Add(-2 * day))},
		"revoked, it is not known when":    {updated(revoked(sub("premium", active, day)), -day), new(noon.Add(-day))},
		"suspended, to the second":         {withdrawn(suspended(sub("premium", active, day)), -day+700*time.Millisecond), new(noon.Add(-day))},
		"in grace, since the paid time":    {updated(sub("premium", active, -day), -9*day), new(noon.Add(-day))},
		"in grace before the paid time is": {updated(sub("premium", pastDue, day), -2*day), new(noon.Add(-2 * day))},
		"lapsed, since grace was over":     {updated(sub("premium", active, -9*day), -20*day), new(noon.Add(-6 * day))},
	} {
		got := entitlements.Decide([]entitlements.Subscription{test.sub}, plans, noon).Since
		if (got == nil) != (test.since == nil) || got != nil && !got.Equal(*test.since) {
			t.Errorf("%s: since %v, want %v", name, got, test.since)
		}
	}
}

func reversed(s []entitlements.Subscription) []entitlements.Subscription {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func TestWorth(t *testing.T) {
	lost := sub("basic", entitlements.SubscriptionActive, 9*day)
	lost.Disputes = []entitlements.Dispute{{ID: "du", Withholds: entitlements.WithholdsForGood}}
	ends := sub("premium", entitlements.SubscriptionCancelled, day)
	ends.ID, ends.Ends = "ends", true
	account := entitlements.Account{Plans: plans, Subscriptions: []entitlements.Subscription{
		revoked(sub("addon", entitlements.SubscriptionActive, 9*day)),
		sub("plus", entitlements.SubscriptionPastDue, 9*day),
		ends,
		suspended(sub("support", entitlements.SubscriptionActive, 9*day)),
		lost,
		sub("unknown", entitlements.SubscriptionActive, -day),
	}}
	want := []entitlements.Worth{
		{State: entitlements.StateRevoked, Reason: entitlements.ReasonRevoked, End: noon.Add(10 * day)},
		{State: entitlements.StateGrace, End: noon.Add(10 * day)},
		{State: entitlements.StateActive, End: noon.Add(day), Decides: true},
		{State: entitlements.StateRevoked, Reason: entitlements.ReasonSuspended, End: noon.Add(10 * day)},
		{State: entitlements.StateRevoked, Reason: entitlements.ReasonDisputed, End: noon.Add(9 * day)},
		{State: entitlements.StateExpired, Reason: entitlements.ReasonLapsed, End: noon.Add(-day)},
	}
	if got := account.Worth(noon); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Granted days begin after the paid time, even if the last payment is missing.
	for plan, from := range map[entitlements.PlanID]time.Duration{"plus": 9 * day, "premium": day, "addon": 0, "support": 0, "basic": 0, "unknown": 0} {
		if got := account.GrantsFrom(plan, noon); !got.Equal(noon.Add(from)) {
			t.Errorf("days of %s are granted from %v, want %v", plan, got, noon.Add(from))
		}
	}
}
