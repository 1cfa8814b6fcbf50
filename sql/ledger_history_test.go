package sql_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/entitlements/ledger"
)

// TestLedgerHistories lets random users act offline on two devices, while support revokes and reinstates, the plan changes,
// answers are lost, batches are sent twice at once, and profiles are copied. Whatever happens: each entry gets exactly one
// verdict, the one that what was granted over time demands; verdicts never change; the feed holds the accepted acts, each
// once and without a gap; and no honest device is called forked. A failing history is cut to its shortest failing beginning.
func TestLedgerHistories(t *testing.T) {
	t.Parallel()
	histories := 100
	if os.Getenv("HOLDFAST_DRILLS") == "full" {
		histories = 5000
	}
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	counts := struct {
		sync.Mutex
		words map[string]int
	}{words: map[string]int{}}
	for range 4 {
		b := newBench(t) // whose time is that of one history at once
		began := b.clock.Now()
		wg.Go(func() {
			for seed := range seeds {
				again := func() *ledgerHistory {
					b.clock.Advance(began.Sub(b.clock.Now())) // thousands of histories outlast a keyset
					return newLedgerHistory(t, b, seed)
				}
				h := again()
				steps := 10 + h.IntN(30)
				if h.run(steps) {
					counts.Lock()
					for word, n := range h.counts {
						counts.words[word] += n
					}
					counts.Unlock()
					continue
				}
				for steps = 1; again().run(steps); steps++ {
				}
				h = again()
				h.run(steps)
				t.Errorf("history %d, %d steps: %s\n%s", seed, steps, h.wrong, strings.Join(h.told, "\n"))
			}
		})
	}
	for seed := range uint64(histories) {
		if t.Failed() {
			break
		}
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
	for _, word := range []string{"accepted", "revoked", "not_granted", "expired", "quarantined", "lost", "doubled", "copied"} {
		if counts.words[word] == 0 && !t.Failed() {
			t.Errorf("no history has %q: %v", word, counts.words)
		}
	}
}

// ledgerHistory is a random history of one user.
type ledgerHistory struct {
	*rand.Rand
	t       *testing.T
	b       *bench
	user    entitlements.UserID
	sub     entitlements.SubscriptionID
	plan    entitlements.PlanID
	devices []*chained
	acts    map[string]*act // by the hash of the entry
	granted []turn
	revoked bool
	export  bool // whether the plan has the feature
	paid    time.Time
	counts  map[string]int
	told    []string
	wrong   string
}

// chained is a device of a history.
type chained struct {
	*recorder
	answered int // entries whose verdicts the device knows
	copied   bool
}

// act is an entry of a history.
type act struct {
	seq      int
	from, to time.Time // of its document
	received time.Time // when the server took it; zero before that
	verdict  string    // that was told; "" before that
	copied   bool
}

// turn is a time from which the feature is granted, or is not.
type turn struct {
	at      time.Time
	granted string // "" if it is, else the reason why not
}

func newLedgerHistory(t *testing.T, b *bench, seed uint64) *ledgerHistory {
	h := &ledgerHistory{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, b: b, user: b.user(t), acts: map[string]*act{}, counts: map[string]int{}, export: true}
	h.sub, h.plan = entitlements.SubscriptionID("sub-"+string(h.user)), entitlements.PlanID("p-"+string(h.user)[:8]+fmt.Sprint(seed))
	h.putPlan()
	h.pay(time.Duration(1+h.IntN(20)) * 24 * time.Hour)
	b.clock.Advance(2 * time.Second)
	for range 2 {
		h.devices = append(h.devices, &chained{recorder: b.recorder(t, h.user)})
	}
	return h
}

func (h *ledgerHistory) say(format string, arguments ...any) {
	h.told = append(h.told, h.b.clock.Now().UTC().Format(time.DateTime)+" "+fmt.Sprintf(format, arguments...))
}

func (h *ledgerHistory) fail(format string, arguments ...any) {
	if h.wrong == "" {
		h.wrong = fmt.Sprintf(format, arguments...)
	}
}

func (h *ledgerHistory) putPlan() {
	feature := "print"
	if h.export {
		feature = "export"
	}
	plan := entitlements.Plan{ID: h.plan, Features: map[string]entitlements.Feature{feature: {Offline: true}}, DeviceLimit: 5}
	if _, err := h.b.PutPlan(h.t.Context(), "operator", plan, "", nil); err != nil {
		h.fail("put plan: %v", err)
	}
	h.turn()
}

func (h *ledgerHistory) pay(length time.Duration) {
	h.paid = h.b.clock.Now().Add(length).Truncate(time.Second)
	_, _, err := h.b.PutSubscription(h.t.Context(), "operator", h.sub, entitlements.SubscriptionChange{
		User: h.user, Plan: h.plan, State: entitlements.SubscriptionCancelled, PaidThrough: h.paid, // without grace
	})
	if err != nil {
		h.fail("pay: %v", err)
	}
	h.turn()
}

// turn notes what is granted from now on. The end of the paid time is a turn of its own.
func (h *ledgerHistory) turn() {
	now := h.b.clock.Now()
	h.granted = slices.DeleteFunc(h.granted, func(t turn) bool { return t.at.After(now) })
	reason := ""
	switch {
	case h.revoked:
		reason = "revoked"
	case !h.export:
		reason = "not_granted"
	}
	if !h.revoked && !now.Before(h.paid) {
		reason = "expired"
	}
	h.granted = append(h.granted, turn{now, reason})
	if !h.revoked && now.Before(h.paid) {
		h.granted = append(h.granted, turn{h.paid, "expired"})
	}
}

// demanded returns the verdict that the times of an act demand.
func (h *ledgerHistory) demanded(a *act) string {
	if a.copied {
		return "quarantined"
	}
	now := ""
	for _, turn := range h.granted {
		if !turn.at.After(a.from) {
			now = turn.granted
			continue
		}
		if now != "" {
			break
		}
		if turn.at.After(a.received) || !turn.at.Before(a.to) {
			break
		}
		now = turn.granted
	}
	if now == "" {
		return "accepted"
	}
	return now
}

func (h *ledgerHistory) run(steps int) bool {
	for range steps {
		if h.wrong != "" {
			return false
		}
		h.step()
	}
	for _, d := range h.devices {
		h.upload(d, false)
	}
	if h.wrong == "" {
		h.check()
	}
	return h.wrong == ""
}

func (h *ledgerHistory) step() {
	d := h.devices[h.IntN(len(h.devices))]
	switch n := h.IntN(20); {
	case n < 7:
		h.record(d)
	case n < 10:
		h.upload(d, false)
	case n < 12:
		h.upload(d, true)
	case n == 12:
		h.uploadTwice(d)
	case n < 16:
		h.b.clock.Advance(time.Duration(1+h.IntN(48*60)) * time.Minute)
	case n == 16 && !h.revoked:
		h.revoked = true
		if _, err := h.b.Revoke(h.t.Context(), "operator", h.sub, "drill"); err != nil {
			h.fail("revoke: %v", err)
		}
		h.turn()
		h.say("revoked")
	case n == 17 && h.revoked:
		h.revoked = false
		if _, _, err := h.b.Reinstate(h.t.Context(), "operator", h.sub, "drill"); err != nil {
			h.fail("reinstate: %v", err)
		}
		h.turn()
		h.say("reinstated")
	case n == 18 && h.IntN(2) == 0:
		h.export = !h.export
		h.putPlan()
		h.say("the plan has the feature: %t", h.export)
	case n == 18:
		h.pay(time.Duration(1+h.IntN(20)) * 24 * time.Hour)
		h.say("paid through %s", h.paid.UTC().Format(time.DateTime))
	case n == 19 && h.IntN(8) == 0 && len(h.devices) == 2:
		h.copyProfile(d)
	}
	h.b.clock.Advance(2 * time.Second)
}

// record records an act while the document counts, as the SDK does.
func (h *ledgerHistory) record(d *chained) {
	if h.b.clock.Now().Unix() >= d.document.ExpiresAt {
		return
	}
	d.recorder.record("export", nil)
	d.note(h)
	h.say("%s records %d", d.id[:4], len(d.entries))
}

func (d *chained) note(h *ledgerHistory) {
	h.acts[d.prev] = &act{
		seq: len(d.entries), from: time.Unix(d.document.IssuedAt, 0).Add(time.Second - 1), to: time.Unix(d.document.ExpiresAt, 0), copied: d.copied,
	}
}

func (h *ledgerHistory) request(d *chained) entitlements.ReconcileRequest {
	request := entitlements.ReconcileRequest{Device: d.id, Lineage: d.lineage}
	if d.answered < len(d.entries) {
		request.Ledger = d.batch(d.answered + 1)
	}
	return request
}

// upload reconciles with what waits. The answer can be lost.
func (h *ledgerHistory) upload(d *chained, lost bool) {
	request, now := h.request(d), h.b.clock.Now()
	answer, err := h.b.Reconcile(h.t.Context(), d.proof(), request)
	if forked, ok := errors.AsType[*entitlements.ForkedError](err); ok {
		if len(h.devices) == 2 {
			h.fail("%s is called forked", d.id[:4])
		}
		answer, err = forked.Reconciled, nil
	} else if stale, ok := errors.AsType[*entitlements.NonceError](err); ok && len(h.devices) == 3 {
		d.nonce = h.b.binding(h.t, stale.Nonce)
		return
	}
	if err != nil {
		h.fail("%s: %v", d.id[:4], err)
		return
	}
	h.take(d, answer, now, lost)
	h.say("%s uploads: %s (lost: %t)", d.id[:4], said(answer.Verdicts), lost)
}

func (h *ledgerHistory) take(d *chained, answer entitlements.Reconciled, now time.Time, lost bool) {
	for _, v := range answer.Verdicts {
		a := h.acts[v.Hash.String()]
		if a == nil {
			h.fail("a verdict on an unknown entry")
			return
		}
		if a.received.IsZero() {
			a.received = now
		}
		word := string(v.Verdict.Outcome)
		if v.Verdict.Reason != "" {
			word = string(v.Verdict.Reason)
		}
		if a.verdict != "" && a.verdict != word {
			h.fail("the verdict on %d was %s, and is %s", v.Seq, a.verdict, word)
		}
		a.verdict = word
	}
	if lost {
		h.counts["lost"]++
		return
	}
	d.nonce = nil
	if answer.Lineage != "" {
		d.lineage, d.document = answer.Lineage, h.b.verify(h.t, answer.Document)
		d.answered = len(d.entries)
	}
}

// uploadTwice sends the same from a page and its worker at once.
func (h *ledgerHistory) uploadTwice(d *chained) {
	if len(h.devices) == 3 {
		return
	}
	h.counts["doubled"]++
	request, now := h.request(d), h.b.clock.Now()
	answers, errs := make([]entitlements.Reconciled, 2), make([]error, 2)
	proofs := []dpop.Proof{d.proof(), d.proof()}
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i], errs[i] = h.b.Reconcile(h.t.Context(), proofs[i], request)
		})
	}
	wg.Wait()
	for i, answer := range answers {
		if errs[i] != nil {
			h.fail("doubled: %v", errs[i])
			return
		}
		h.take(d, answer, now, i == 0)
	}
	h.say("%s uploads twice: %s", d.id[:4], said(answers[0].Verdicts))
}

// copyProfile lets two copies of a profile go on, each with acts of its own.
func (h *ledgerHistory) copyProfile(d *chained) {
	h.counts["copied"]++
	recorder, dev := *d.recorder, *d.device
	recorder.device, recorder.entries = &dev, slices.Clone(d.entries)
	h.devices = append(h.devices, &chained{recorder: &recorder, answered: d.answered, copied: true})
	h.say("%s is copied", d.id[:4])
}

// check compares what is stored with what was told and what is demanded.
func (h *ledgerHistory) check() {
	stored, err := h.b.Ledger(h.t.Context(), entitlements.LedgerQuery{User: h.user, Limit: 10_000})
	if err != nil {
		h.fail("%v", err)
		return
	}
	accepted := 0
	seen := map[string]bool{}
	for _, entry := range stored {
		id := entry.Entry.Hash.String()
		a := h.acts[id]
		if a == nil || seen[id] {
			h.fail("entry %d is stored twice, or was never recorded", entry.Entry.Seq)
			return
		}
		seen[id] = true
		word := string(entry.Verdict.Outcome)
		if entry.Verdict.Reason != "" {
			word = string(entry.Verdict.Reason)
		}
		h.counts[word]++
		if entry.Verdict.Outcome == ledger.Accepted {
			accepted++
		}
		if a.verdict != "" && a.verdict != word {
			h.fail("%d was told %s, and is stored as %s", a.seq, a.verdict, word)
		}
		if want := h.demanded(a); len(h.devices) == 2 && want != word {
			h.fail("%d is %s, but %s is demanded", a.seq, word, want)
		}
	}
	if len(h.devices) == 2 && len(stored) != len(h.acts) {
		h.fail("%d entries are stored of %d", len(stored), len(h.acts))
	}
	feed, err := h.b.Actions(h.t.Context(), h.user, 0, 10_000)
	if err != nil || len(feed) != accepted {
		h.fail("the feed has %d acts of %d: %v", len(feed), accepted, err)
	}
	for i, action := range feed {
		if action.Position != int64(i+1) {
			h.fail("position %d is at %d", action.Position, i)
		}
	}
}
