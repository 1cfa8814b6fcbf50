package entitlements_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/ledger"
)

// TestVerdictsAgainstEverySecond lets random accounts live for some minutes, and compares each verdict with what the account
// had in each second at which the act can have happened, as seen at that time.
func TestVerdictsAgainstEverySecond(t *testing.T) {
	t.Parallel()
	const life = 150 // seconds
	origin := time.Unix(begin, 0)
	verdicts := map[ledger.Reason]int{}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 0))
		features := []map[string]entitlements.Feature{
			{"export": {Offline: true}}, {"export": {Offline: true}, "print": {Offline: true}}, {"print": {Offline: true}}, {"export": {}},
		}
		plan := func() entitlements.Plan {
			return entitlements.Plan{ID: "p", Features: features[r.IntN(len(features))], Grace: time.Duration(r.IntN(20)) * time.Second, DeviceLimit: 5}
		}
		var history entitlements.History
		account := entitlements.Account{Plans: map[entitlements.PlanID]entitlements.Plan{"p": plan()}}
		type sample struct {
			at      time.Time
			granted bool
		}
		var samples []sample // at the beginning and end of each second, and before and after each change
		look := func(at time.Time) {
			feature, ok := account.Decide(at).Features["export"]
			samples = append(samples, sample{at, ok && feature.Offline})
		}
		for second := range life {
			begins := origin.Add(time.Duration(second) * time.Second)
			at := begins.Add(time.Duration(1+r.IntN(998)) * time.Millisecond)
			look(begins)
			look(at.Add(-1))
			switch r.IntN(30) {
			case 0:
				history.Plans = append(history.Plans, entitlements.PastPlan{Until: at, Plan: account.Plans["p"]})
				account.Plans = map[entitlements.PlanID]entitlements.Plan{"p": plan()}
			case 1, 2, 3:
				history.Subscriptions = append(history.Subscriptions, entitlements.PastSubscriptions{Until: at, Subscriptions: account.Subscriptions})
				account.Subscriptions = nil
				for i := range r.IntN(3) {
					account.Subscriptions = append(account.Subscriptions, entitlements.Subscription{
						ID: entitlements.SubscriptionID(fmt.Sprint(i)), Plan: "p", State: entitlements.SubscriptionActive, Ends: r.IntN(3) == 0,
						PaidThrough: at.Add(time.Duration(r.IntN(150)-20) * time.Second), Revoked: r.IntN(4) == 0,
					})
				}
			}
			look(at)
			look(begins.Add(time.Second - 1))
		}
		history.Catalogue = account.Plans
		received := origin.Add(life * time.Second)
		look(received)
		for range 20 {
			issued := r.IntN(life - 2)
			ends := issued + 1 + r.IntN(life)
			claimed := issued + r.IntN(ends-issued)
			act := entitlements.Act{
				Entry:   ledger.Entry{Feature: "export", At: begin + int64(claimed)},
				Held:    &entitlements.Span{From: origin.Add(time.Duration(issued) * time.Second), To: origin.Add(time.Duration(ends) * time.Second)},
				Account: account, History: history, ReceivedAt: received,
			}
			granted := true
			for _, sample := range samples {
				if !sample.at.Before(act.Held.From.Add(time.Second-1)) && sample.at.Before(act.Held.To) {
					granted = granted && sample.granted
				}
			}
			verdict := act.Judge()
			verdicts[verdict.Reason]++
			if (verdict.Outcome == ledger.Accepted) != granted {
				t.Fatalf("seed %d: %+v for %d to %d; granted throughout: %t", seed, verdict, issued, ends, granted)
			}
		}
	}
	for _, reason := range []ledger.Reason{"", ledger.Revoked, ledger.Expired, ledger.NotGranted} {
		if verdicts[reason] < 100 {
			t.Errorf("only %d verdicts with the reason %q", verdicts[reason], reason)
		}
	}
}
