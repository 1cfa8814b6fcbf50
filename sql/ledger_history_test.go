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
	"holdfast/passkey"
	"holdfast/sql"
)

// TestLedgerHistories lets random users act offline on two devices, while support revokes and reinstates, the plan changes,
// answers are lost, batches are sent twice at once, profiles are copied, the database is restored, and the account is erased
// in the end. Whatever happens: each entry gets exactly one verdict, the one that what was granted over time demands;
// verdicts never change; the feed holds the accepted acts, each once and without a gap; no honest device is called forked;
// what a restore has lost is shown as a gap, and nothing else is; and nothing of an erased account stays. A failing history
// is cut to its shortest failing beginning.
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
				if h.run(h.steps) {
					counts.Lock()
					for word, n := range h.counts {
						counts.words[word] += n
					}
					counts.Unlock()
					continue
				}
				found, steps := h, 1
				for h = again(); h.run(steps) && steps < h.steps; h = again() {
					steps++
				}
				if h.wrong == "" { // it depends on what came first of what was sent at once
					h = found
				}
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
	for _, word := range []string{"accepted", "revoked", "not_granted", "expired", "quarantined", "lost", "doubled", "both", "copied", "restored", "gone", "erased"} {
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
	erases  bool // whether the account is erased in the end
	steps   int
	paid    time.Time
	backup  *ledgerBackup
	gaps    map[*chained]time.Time // when the database last lost acts that the device knows to be taken
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
	by       *chained
	gone     bool // taken, and lost by a restore
}

// turn is a time from which the feature is granted, or is not.
type turn struct {
	at      time.Time
	granted string // "" if it is, else the reason why not
}

func newLedgerHistory(t *testing.T, b *bench, seed uint64) *ledgerHistory {
	h := &ledgerHistory{
		Rand: rand.New(rand.NewPCG(seed, 1)), t: t, b: b, user: b.user(t), export: true,
		acts: map[string]*act{}, gaps: map[*chained]time.Time{}, counts: map[string]int{},
	}
	h.erases, h.steps = h.IntN(8) == 0, 10+h.IntN(30)
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
	h.backup = nil // plans are not restored here
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
	if h.erases && h.wrong == "" {
		h.erase()
	}
	return h.wrong == ""
}

func (h *ledgerHistory) step() {
	d := h.devices[h.IntN(len(h.devices))]
	switch n := h.IntN(24); {
	case n < 7:
		h.record(d)
	case n < 10:
		h.upload(d, false)
	case n < 12:
		h.upload(d, true)
	case n == 12:
		h.uploadTwice(d)
	case n == 23:
		h.uploadBoth()
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
	case n == 20 && len(h.devices) == 2:
		h.backUp()
	case n < 23 && n > 20 && h.backup != nil:
		h.restore()
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
		seq: len(d.entries), by: d, from: time.Unix(d.document.IssuedAt, 0).Add(time.Second - 1), to: time.Unix(d.document.ExpiresAt, 0), copied: d.copied,
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
		if len(h.devices) == 2 && len(answer.Verdicts) != len(d.entries)-d.answered {
			h.fail("%d verdicts on %d entries", len(answer.Verdicts), len(d.entries)-d.answered)
		}
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

// uploadBoth sends what waits on both devices at once.
func (h *ledgerHistory) uploadBoth() {
	if len(h.devices) == 3 {
		return
	}
	h.counts["both"]++
	answers, errs := make([]entitlements.Reconciled, 2), make([]error, 2)
	now := h.b.clock.Now()
	var wg sync.WaitGroup
	for i, d := range h.devices {
		request, proof := h.request(d), d.proof()
		wg.Go(func() { answers[i], errs[i] = h.b.Reconcile(h.t.Context(), proof, request) })
	}
	wg.Wait()
	for i, d := range h.devices {
		if errs[i] != nil {
			h.fail("%s at once with the other: %v", d.id[:4], errs[i])
			return
		}
		h.take(d, answers[i], now, false)
	}
	h.say("both upload at once: %s, %s", said(answers[0].Verdicts), said(answers[1].Verdicts))
}

// copyProfile lets two copies of a profile go on, each with acts of its own.
func (h *ledgerHistory) copyProfile(d *chained) {
	h.counts["copied"]++
	h.backup = nil // a copy may send again what the database has lost
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
		if a.gone {
			h.fail("entry %d is stored, but was lost", a.seq)
		}
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
	gone := 0
	for _, a := range h.acts {
		if a.gone {
			gone++
		}
	}
	h.counts["gone"] += gone
	if len(h.devices) == 2 && len(stored)+gone != len(h.acts) {
		h.fail("%d entries are stored of %d, and %d were lost", len(stored), len(h.acts), gone)
	}
	for _, d := range h.devices {
		since, lost := h.gaps[d]
		found := h.b.count(h.t, `SELECT count(*) FROM audit WHERE user_id = $1 AND action = 'gap.found' AND object = $2 AND at >= $3`,
			h.user, "device:"+string(d.id), since)
		if lost && found == 0 || h.counts["restored"] == 0 && found > 0 {
			h.fail("%d gaps of %s are found since %s, acts lost: %t", found, d.id[:4], since, lost)
		}
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

// ledgerBackup is the state of a history's user at a time.
type ledgerBackup struct {
	rows    map[string]string // as JSON, by table
	stored  map[string]bool   // the hashes of entries
	granted []turn
	revoked bool
	paid    time.Time
}

// restored are the tables that a restore sets back, besides users.
var restored = []string{"devices", "subscriptions", "past_subscriptions", "ledger_entries", "ledger_accepted"}

func (h *ledgerHistory) backUp() {
	backup := &ledgerBackup{
		rows: map[string]string{}, stored: map[string]bool{}, granted: slices.Clone(h.granted), revoked: h.revoked, paid: h.paid,
	}
	for _, table := range append(restored, "users") {
		column := "user_id"
		if table == "users" {
			column = "id"
		}
		var rows string
		if err := h.b.db.Get(&rows, `SELECT coalesce(json_agg(t), '[]') FROM `+table+` t WHERE `+column+` = $1`, h.user); err != nil {
			h.fail("back up: %v", err)
			return
		}
		backup.rows[table] = rows
	}
	stored, err := h.b.Ledger(h.t.Context(), entitlements.LedgerQuery{User: h.user, Limit: 10_000})
	if err != nil {
		h.fail("back up: %v", err)
	}
	for _, entry := range stored {
		backup.stored[entry.Entry.Hash.String()] = true
	}
	h.backup = backup
	h.say("backed up")
}

// restore sets the database back. Entries whose verdicts a device knows are lost then, and it sends all others again.
func (h *ledgerHistory) restore() {
	tx := h.b.db.MustBegin()
	defer func() { _ = tx.Rollback() }()
	for _, table := range restored {
		tx.MustExec(`DELETE FROM `+table+` WHERE user_id = $1`, h.user)
		tx.MustExec(`INSERT INTO `+table+` SELECT * FROM json_populate_recordset(NULL::`+table+`, $1)`, h.backup.rows[table])
	}
	tx.MustExec(`
		UPDATE users u SET revision = k.revision, actions = k.actions, stored_until = k.stored_until
		FROM json_populate_recordset(NULL::users, $1) k WHERE u.id = k.id`, h.backup.rows["users"])
	if err := tx.Commit(); err != nil {
		h.fail("restore: %v", err)
		return
	}
	h.granted, h.revoked, h.paid = slices.Clone(h.backup.granted), h.backup.revoked, h.backup.paid
	for hash, a := range h.acts {
		switch {
		case a.gone || a.received.IsZero() || h.backup.stored[hash]:
		case a.seq <= a.by.answered:
			a.gone, h.gaps[a.by] = true, h.b.clock.Now()
		default:
			a.received, a.verdict = time.Time{}, ""
		}
	}
	h.counts["restored"]++
	h.say("restored")
}

// erase deletes the account while its devices send.
func (h *ledgerHistory) erase() {
	store, err := sql.NewPasskeys(h.t.Context(), h.b.db)
	if err != nil {
		h.fail("%v", err)
		return
	}
	var wg sync.WaitGroup
	errs := make([]error, len(h.devices))
	for i, d := range h.devices {
		d.recorder.record("export", nil)
		request, proof := h.request(d), d.proof()
		wg.Go(func() { _, errs[i] = h.b.Reconcile(h.t.Context(), proof, request) })
	}
	user := passkey.UserID(h.user)
	err = store.EraseUser(h.t.Context(), user, nil, passkey.AuditEntry{
		At: h.b.clock.Now(), Actor: "user:" + string(user), Action: "account.erased", Object: "user:" + string(user), User: user,
	})
	wg.Wait()
	if err != nil {
		h.fail("erase: %v", err)
	}
	for _, err := range errs {
		if err != nil && len(h.devices) == 2 && !errors.Is(err, entitlements.ErrDeviceUnknown) {
			h.fail("while the account is erased: %v", err)
		}
	}
	for _, table := range restored {
		if n := h.b.count(h.t, `SELECT count(*) FROM `+table+` WHERE user_id = $1`, h.user); n != 0 {
			h.fail("%d rows of the erased account are left in %s", n, table)
		}
	}
	if _, err := h.b.Reconcile(h.t.Context(), h.devices[0].proof(), h.request(h.devices[0])); !errors.Is(err, entitlements.ErrDeviceUnknown) {
		h.fail("after the account was erased: %v", err)
	}
	h.counts["erased"]++
}
