package sql_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/ledger"
)

// recorder is a device that records what its user does.
type recorder struct {
	*device
	key      *ecdsa.PrivateKey
	public   jose.PublicKey
	document entitlements.Document
	entries  []string // base64url of each entry's bytes
	prev     string
}

var encode = base64.RawURLEncoding.EncodeToString

func (b *bench) recorder(t *testing.T, user entitlements.UserID) *recorder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.JWK{Kty: "EC", Crv: "P-256", X: encode(point[1:33]), Y: encode(point[33:])}.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{device: &device{user: user, jkt: public.ID(), clock: b.clock}, key: key, public: public}
	linked, err := b.Link(t.Context(), user, r.proof(), entitlements.LinkRequest{Name: "Phone"})
	if err != nil {
		t.Fatal("link:", err)
	}
	r.id, r.lineage = linked.Device, linked.Lineage
	r.prev = ledger.Start(string(r.id)).String()
	r.document = b.refresh(t, r.device)
	return r
}

func (r *recorder) proof() dpop.Proof {
	proof := r.device.proof()
	proof.Key = r.public
	return proof
}

// record appends an act at the present time. change, if not nil, alters its members.
func (r *recorder) record(feature string, change func(entry map[string]any)) {
	entry := map[string]any{
		"seq": len(r.entries) + 1, "prev": r.prev, "at": r.clock.Now().Unix(), "feature": feature,
		"document": r.document.ID, "action": feature + ".save", "payload": map[string]int{"n": len(r.entries) + 1},
	}
	if change != nil {
		change(entry)
	}
	text, err := json.Marshal(entry)
	if err != nil {
		panic(err)
	}
	r.append(text)
}

func (r *recorder) append(text []byte) {
	sum := sha256.Sum256(text)
	r.entries, r.prev = append(r.entries, encode(text)), encode(sum[:])
}

// batch signs the entries from a seq on.
func (r *recorder) batch(from int) string {
	return r.sign(`{"alg":"ES256","typ":"ledger+jwt"}`, map[string]any{"device": r.id, "entries": r.entries[from-1:]})
}

func (r *recorder) sign(header string, claims any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	input := encode([]byte(header)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	x, y, err := ecdsa.Sign(rand.Reader, r.key, digest[:])
	if err != nil {
		panic(err)
	}
	return input + "." + encode(append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...))
}

// send reconciles with a ledger, and takes the answer's lineage.
func (b *bench) send(t *testing.T, r *recorder, batch string) (entitlements.Reconciled, error) {
	t.Helper()
	answer, err := b.Reconcile(t.Context(), r.proof(), entitlements.ReconcileRequest{Device: r.id, Lineage: r.lineage, Ledger: batch})
	if err == nil {
		r.lineage, r.document = answer.Lineage, b.verify(t, answer.Document)
	}
	return answer, err
}

// upload sends what a device recorded from a seq on, and returns the verdicts in words.
func (b *bench) upload(t *testing.T, r *recorder, from int) string {
	t.Helper()
	answer, err := b.send(t, r, r.batch(from))
	if err != nil {
		t.Fatal("upload:", err)
	}
	return said(answer.Verdicts)
}

func said(verdicts []entitlements.Taken) string {
	words := make([]string, len(verdicts))
	for i, v := range verdicts {
		words[i] = fmt.Sprintf("%d %s", v.Seq, v.Verdict.Outcome)
		if v.Verdict.Reason != "" {
			words[i] = fmt.Sprintf("%d %s", v.Seq, v.Verdict.Reason)
		}
	}
	return strings.Join(words, ", ")
}

func (b *bench) plan(t *testing.T, id string, features map[string]entitlements.Feature) {
	t.Helper()
	_, err := b.PutPlan(t.Context(), "operator", entitlements.Plan{ID: entitlements.PlanID(id), Features: features, Grace: time.Hour, DeviceLimit: 5}, "", nil)
	if err != nil {
		t.Fatal("put plan:", err)
	}
}

func TestLedgerVerdicts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	subscribed := func(t *testing.T) *recorder {
		user := b.user(t)
		b.subscribe(t, user, "sub-"+string(user), 30*24*time.Hour)
		return b.recorder(t, user)
	}
	id := func(r *recorder) entitlements.SubscriptionID {
		return entitlements.SubscriptionID("sub-" + string(r.user))
	}
	revoke := func(t *testing.T, r *recorder) {
		if _, err := b.Revoke(t.Context(), "operator", id(r), "fraud"); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		do   func(t *testing.T, r *recorder)
		want string
	}{
		"granted all the time": {func(_ *testing.T, r *recorder) { r.record("export", nil) }, "1 accepted"},
		"revoked since": {func(t *testing.T, r *recorder) {
			r.record("export", nil)
			b.clock.Advance(time.Minute)
			revoke(t, r)
		}, "1 revoked"},
		"revoked and reinstated since": {func(t *testing.T, r *recorder) {
			r.record("export", nil)
			b.clock.Advance(time.Minute)
			revoke(t, r)
			b.clock.Advance(time.Minute)
			if _, _, err := b.Reinstate(t.Context(), "operator", id(r), "mistake"); err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(time.Minute)
		}, "1 revoked"},
		"revoked after the document's end": {func(t *testing.T, r *recorder) {
			r.record("export", nil)
			b.clock.Advance(8 * 24 * time.Hour)
			revoke(t, r)
		}, "1 accepted"},
		"after the document's end": {func(_ *testing.T, r *recorder) {
			b.clock.Advance(8 * 24 * time.Hour)
			r.record("export", nil)
		}, "1 expired"},
		"too late": {func(_ *testing.T, r *recorder) {
			r.record("export", nil)
			b.clock.Advance(98 * 24 * time.Hour)
		}, "1 too_old"},
		"claimed before the document": {func(_ *testing.T, r *recorder) {
			r.record("export", func(e map[string]any) { e["at"] = r.document.IssuedAt - 601 })
		}, "1 too_old"},
		"a little before the document": {func(_ *testing.T, r *recorder) {
			r.record("export", func(e map[string]any) { e["at"] = r.document.IssuedAt - 599 })
		}, "1 accepted"},
		"from the future": {func(_ *testing.T, r *recorder) {
			r.record("export", func(e map[string]any) { e["at"] = r.clock.Now().Unix() + 660 })
		}, "1 from_future"},
		"not in the plan":     {func(_ *testing.T, r *recorder) { r.record("teleport", nil) }, "1 not_granted"},
		"no document of ours": {func(_ *testing.T, r *recorder) { r.record("export", func(e map[string]any) { e["document"] = "AAAA" }) }, "1 not_granted"},
		"another device's": {func(t *testing.T, r *recorder) {
			other := b.recorder(t, r.user)
			r.record("export", func(e map[string]any) { e["document"] = other.document.ID })
		}, "1 not_granted"},
		"unlinked": {func(t *testing.T, r *recorder) { r.record("export", nil); unlink(t, b, r) }, "1 revoked"},
		"some of several rights": {func(_ *testing.T, r *recorder) {
			r.record("export", nil)
			r.record("teleport", nil)
			r.record("export", nil)
		}, "1 accepted, 2 not_granted, 3 accepted"},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		r := subscribed(t)
		tests[name].do(t, r)
		if got := b.upload(t, r, 1); got != tests[name].want {
			t.Errorf("%s: %s, want %s", name, got, tests[name].want)
		}
	}
}

func unlink(t *testing.T, b *bench, r *recorder) {
	t.Helper()
	if err := b.RevokeDevice(t.Context(), "operator", r.user, r.id, "lost"); err != nil {
		t.Fatal(err)
	}
}

// A paid time that ends and is paid again later: an act under the old document is judged by the old time, one under a
// document of the time between by that.
func TestLedgerAcrossALapse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.plan(t, "brief", map[string]entitlements.Feature{"export": {Offline: true}})
	user := b.user(t)
	put := func(paid time.Duration) { b.subscribeTo(t, "brief", user, "sub-1", paid) }
	put(24 * time.Hour)
	r := b.recorder(t, user)
	r.record("export", nil)
	b.clock.Advance(48 * time.Hour) // lapsed an hour of grace after the first day
	between := b.recorder(t, user)
	between.record("export", nil)
	b.clock.Advance(time.Hour)
	put(24 * time.Hour)
	b.clock.Advance(time.Hour)
	if got := b.upload(t, r, 1); got != "1 accepted" {
		t.Errorf("before the lapse: %s", got)
	}
	if got := b.upload(t, between, 1); got != "1 expired" {
		t.Errorf("in the lapse: %s", got)
	}
}

// A plan that loses a feature, and gets it back, takes it from the acts in between.
func TestLedgerAcrossAPlanChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	with, without := map[string]entitlements.Feature{"export": {Offline: true}}, map[string]entitlements.Feature{"print": {Offline: true}}
	b.plan(t, "changing", with)
	user := b.user(t)
	b.subscribeTo(t, "changing", user, "sub-1", 30*24*time.Hour)
	r := b.recorder(t, user)
	r.record("export", nil)
	b.clock.Advance(time.Hour)
	b.plan(t, "changing", without)
	b.clock.Advance(time.Hour)
	b.plan(t, "changing", with)
	b.clock.Advance(time.Hour)
	if got := b.upload(t, r, 1); got != "1 not_granted" {
		t.Error(got)
	}
	r.record("export", nil)
	if got := b.upload(t, r, 2); got != "2 accepted" {
		t.Error(got)
	}
}

func TestLedgerLimitCountsAllDevices(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.plan(t, "metered", map[string]entitlements.Feature{"export": {Offline: true, Limit: new(int64(5))}})
	user := b.user(t)
	b.subscribeTo(t, "metered", user, "sub-1", 30*24*time.Hour)
	devices := []*recorder{b.recorder(t, user), b.recorder(t, user), b.recorder(t, user)}
	var accepted, over int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, r := range devices {
		for range 3 {
			r.record("export", nil)
		}
		batch := r.batch(1)
		wg.Go(func() {
			answer, err := b.Reconcile(t.Context(), r.proof(), entitlements.ReconcileRequest{Device: r.id, Lineage: r.lineage, Ledger: batch})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			accepted += strings.Count(said(answer.Verdicts), "accepted")
			over += strings.Count(said(answer.Verdicts), "over_limit")
		})
	}
	wg.Wait()
	if accepted != 5 || over != 4 {
		t.Errorf("%d accepted, %d over the limit", accepted, over)
	}
	actions, err := b.Actions(t.Context(), user, 0, 100)
	if err != nil || len(actions) != 5 {
		t.Fatalf("%d actions, %v", len(actions), err)
	}
	for i, action := range actions {
		if action.Position != int64(i+1) {
			t.Errorf("position %d at %d", action.Position, i)
		}
	}
}

// An answer that is lost is asked for again: each entry is stored once, and its verdict stays, whatever changes.
func TestLedgerVerdictsAreRepeated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub-1", 30*24*time.Hour)
	r := b.recorder(t, user)
	r.record("export", nil)
	r.record("teleport", nil)
	before := r.lineage
	if got := b.upload(t, r, 1); got != "1 accepted, 2 not_granted" {
		t.Fatal(got)
	}
	b.clock.Advance(time.Minute)
	if _, err := b.Revoke(t.Context(), "operator", "sub-1", "fraud"); err != nil {
		t.Fatal(err)
	}
	r.lineage = before // the answer was lost
	held := r.document
	r.record("export", nil)
	r.document = held
	if got := b.upload(t, r, 1); got != "1 accepted, 2 not_granted, 3 revoked" {
		t.Error(got)
	}
	if n := b.count(t, `SELECT count(*) FROM ledger_entries WHERE user_id = $1`, user); n != 3 {
		t.Errorf("%d entries are stored", n)
	}
}

// Forged entries are refused with their code, and the entries before them are kept.
func TestForgedLedgers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	header := `{"alg":"ES256","typ":"ledger+jwt"}`
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	tests := map[string]struct {
		batch func(r *recorder) string
		kept  string // "" if nothing can be taken
		code  ledger.Code
	}{
		"another key": {func(r *recorder) string {
			r.record("export", nil)
			r.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			return r.batch(1)
		}, "", ledger.CodeSignature},
		"an edited batch": {func(r *recorder) string {
			r.record("export", nil)
			parts := strings.Split(r.batch(1), ".")
			parts[1] = encode([]byte(`{"device":"` + string(r.id) + `","entries":["e30"]}`))
			return strings.Join(parts, ".")
		}, "", ledger.CodeSignature},
		"another typ": {func(r *recorder) string {
			r.record("export", nil)
			return r.sign(`{"alg":"ES256","typ":"JWT"}`, map[string]any{"device": r.id, "entries": r.entries})
		}, "", ledger.CodeSignature},
		"a further header": {func(r *recorder) string {
			r.record("export", nil)
			return r.sign(`{"alg":"ES256","typ":"ledger+jwt","kid":"x"}`, map[string]any{"device": r.id, "entries": r.entries})
		}, "", ledger.CodeSignature},
		"another device's": {func(r *recorder) string {
			r.record("export", nil)
			return r.sign(header, map[string]any{"device": "x", "entries": r.entries})
		}, "", ledger.CodeDevice},
		"no entries": {func(r *recorder) string { return r.sign(header, map[string]any{"device": r.id, "entries": []string{}}) }, "", ledger.CodeMalformed},
		"an unknown claim": {func(r *recorder) string {
			r.record("export", nil)
			return r.sign(header, map[string]any{"device": r.id, "entries": r.entries, "x": 1})
		}, "", ledger.CodeMalformed},
		"too many entries": {func(r *recorder) string {
			return r.sign(header, map[string]any{"device": r.id, "entries": slices.Repeat([]string{"e30"}, 501)})
		}, "", ledger.CodeTooLarge},
		"an edited payload": {func(r *recorder) string {
			r.record("export", nil)
			first := r.entries[0]
			r.record("export", nil)
			r.entries[0] = encode([]byte(strings.Replace(string(decode(first)), `"n":1`, `"n":7`, 1)))
			return r.batch(1)
		}, "1 accepted", ledger.CodeChain},
		"a gap": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { e["seq"] = 3 })
			return r.batch(1)
		}, "1 accepted", ledger.CodeGap},
		"a gap at the start": {func(r *recorder) string {
			r.record("export", func(e map[string]any) { e["seq"] = 2 })
			return r.batch(1)
		}, "", ledger.CodeGap},
		"a reused seq": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { e["seq"] = 1 })
			return r.batch(1)
		}, "1 accepted", ledger.CodeReused},
		"another beginning": {func(r *recorder) string {
			r.record("export", func(e map[string]any) { e["prev"] = ledger.Start("x").String() })
			return r.batch(1)
		}, "", ledger.CodeChain},
		"a payload of 16 KiB": {func(r *recorder) string {
			r.record("export", func(e map[string]any) { e["payload"] = strings.Repeat("a", 16<<10-2) })
			return r.batch(1)
		}, "1 accepted", ""},
		"a payload over 16 KiB": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { e["payload"] = strings.Repeat("a", 16<<10-1) })
			return r.batch(1)
		}, "1 accepted", ledger.CodeTooLarge},
		"deep JSON": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { e["payload"] = json.RawMessage(deep) })
			return r.batch(1)
		}, "1 accepted", ledger.CodeTooDeep},
		"an unknown member": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { e["x"] = 1 })
			return r.batch(1)
		}, "1 accepted", ledger.CodeMalformed},
		"a missing member": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { delete(e, "payload") })
			return r.batch(1)
		}, "1 accepted", ledger.CodeMalformed},
		"a long action": {func(r *recorder) string {
			r.record("export", nil)
			r.record("export", func(e map[string]any) { e["action"] = strings.Repeat("é", 65) })
			return r.batch(1)
		}, "1 accepted", ledger.CodeMalformed},
		"a doubled member": {func(r *recorder) string {
			r.record("export", nil)
			r.append([]byte(`{"seq":2,"seq":2}`))
			return r.batch(1)
		}, "1 accepted", ledger.CodeMalformed},
		"no JSON": {func(r *recorder) string { r.record("export", nil); r.append([]byte("\xff")); return r.batch(1) }, "1 accepted", ledger.CodeMalformed},
		"no base64url": {func(r *recorder) string {
			r.record("export", nil)
			r.entries = append(r.entries, "e30=")
			return r.batch(1)
		}, "1 accepted", ledger.CodeMalformed},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test, user := tests[name], b.user(t)
		b.subscribe(t, user, "sub-"+string(user), 30*24*time.Hour)
		r := b.recorder(t, user)
		batch, lineage := test.batch(r), r.lineage
		answer, err := b.send(t, r, batch)
		if test.kept == "" {
			refused, ok := errors.AsType[*entitlements.LedgerError](err)
			if !ok || refused.Refusal.Code != test.code {
				t.Errorf("%s: %v, want %s", name, err, test.code)
			}
			if r.lineage != lineage {
				t.Errorf("%s: the lineage was consumed", name)
			}
			if b.refresh(t, r.device); b.count(t, `SELECT count(*) FROM ledger_entries WHERE device_id = $1`, r.id) != 0 {
				t.Errorf("%s: something is stored", name)
			}
			continue
		}
		var code ledger.Code
		if answer.Refused != nil {
			code = answer.Refused.Code
		}
		if err != nil || said(answer.Verdicts) != test.kept || code != test.code || answer.Ledger.Seq != 1 {
			t.Errorf("%s: %v, %q, %s, head %d; want %q, %s", name, err, said(answer.Verdicts), code, answer.Ledger.Seq, test.kept, test.code)
		}
	}
}

func decode(text string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// Two copies of a profile cannot both be believed: the device is quarantined, and what either recorded is kept.
func TestCopiedLedger(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub-1", 30*24*time.Hour)
	r := b.recorder(t, user)
	r.record("export", nil)
	copied := *r
	copied.entries = slices.Clone(r.entries)
	r.record("export", nil)
	if got := b.upload(t, r, 1); got != "1 accepted, 2 accepted" {
		t.Fatal(got)
	}
	copied.lineage = r.lineage
	copied.record("export", func(e map[string]any) { e["payload"] = "another" })
	_, err := b.send(t, &copied, copied.batch(1))
	forked, ok := errors.AsType[*entitlements.ForkedError](err)
	if !ok || said(forked.Reconciled.Verdicts) != "1 accepted, 2 quarantined" || b.verify(t, forked.Reconciled.Document).Reason == nil {
		t.Fatalf("%v, %+v", err, forked)
	}
	_, err = b.send(t, &copied, copied.batch(2))
	if again, ok := errors.AsType[*entitlements.ForkedError](err); !ok || said(again.Reconciled.Verdicts) != "2 quarantined" {
		t.Errorf("sent again: %v", err)
	}
	kept, err := b.Ledger(t.Context(), entitlements.LedgerQuery{User: user, Outcome: ledger.Rejected, Limit: 10})
	if err != nil || len(kept) != 1 || string(kept[0].Entry.Payload) != `"another"` {
		t.Errorf("kept: %+v, %v", kept, err)
	}
}

// Support lets refused work in: it enters the feed, counts, and is audited; doing so twice does nothing more.
func TestChangeVerdicts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub-1", 30*24*time.Hour)
	r := b.recorder(t, user)
	r.record("export", nil)
	r.record("teleport", nil)
	b.upload(t, r, 1)
	refused, err := b.Ledger(t.Context(), entitlements.LedgerQuery{User: user, Outcome: ledger.Rejected, Limit: 10})
	if err != nil || len(refused) != 1 {
		t.Fatal(refused, err)
	}
	ids := []ledger.Hash{refused[0].Entry.Hash}
	for range 2 {
		changed, err := b.ChangeVerdicts(t.Context(), "operator", user, ids, ledger.Accepted, "our fault")
		if err != nil || len(changed) != 1 || changed[0].Position != 2 {
			t.Fatal(changed, err)
		}
	}
	if got := b.upload(t, r, 1); got != "1 accepted, 2 accepted" {
		t.Errorf("the device hears: %s", got)
	}
	if _, err := b.ChangeVerdicts(t.Context(), "operator", user, ids, ledger.Superseded, "undone"); err != nil {
		t.Fatal(err)
	}
	feed, err := b.Actions(t.Context(), user, 2, 10)
	if err != nil || len(feed) != 1 || feed[0].Position != 3 || feed[0].Verdict.Outcome != ledger.Superseded {
		t.Errorf("feed: %+v, %v", feed, err)
	}
	if n := b.count(t, `SELECT sum(acts) FROM ledger_accepted WHERE user_id = $1`, user); n != 1 {
		t.Errorf("%d acts count", n)
	}
	if n := b.count(t, `SELECT count(*) FROM audit WHERE user_id = $1 AND action LIKE 'ledger.%'`, user); n != 2 {
		t.Errorf("%d audit entries", n)
	}
	if _, err := b.ChangeVerdicts(t.Context(), "operator", user, []ledger.Hash{{1}}, ledger.Accepted, "x"); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("an unknown entry: %v", err)
	}
	if _, err := b.ChangeVerdicts(t.Context(), "operator", user, ids, ledger.Accepted, ""); !errors.Is(err, entitlements.ErrInvalid) {
		t.Errorf("no reason: %v", err)
	}
}

// A restored database may have lost only the ledger of an answer that was repeated: generation and revision are the same.
func TestRestoreRaisesLedgerHeadWithinGeneration(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub-1", 30*24*time.Hour)
	r := b.recorder(t, user)
	before, held := r.lineage, r.document
	b.refresh(t, r.device)
	r.lineage, r.document = before, held // the answer was lost
	r.record("export", nil)
	if got := b.upload(t, r, 1); got != "1 accepted" {
		t.Fatal(got)
	}
	b.db.MustExec(`DELETE FROM ledger_entries WHERE device_id = $1`, r.id)
	b.db.MustExec(`UPDATE devices SET ledger_seq = 0, ledger_hash = NULL WHERE id = $1`, r.id)
	b.db.MustExec(`UPDATE users SET actions = 0 WHERE id = $1`, user)
	r.record("export", nil)
	if got := b.upload(t, r, 2); got != "2 accepted" {
		t.Error(got)
	}
	gaps, err := b.Gaps(t.Context(), entitlements.GapQuery{Limit: 10})
	if err != nil || len(gaps) != 1 || gaps[0].Device != r.id || gaps[0].DeviceActs != 1 || gaps[0].DatabaseActs != 0 || gaps[0].DeviceRevision != gaps[0].DatabaseRevision {
		t.Errorf("gaps %+v, %v", gaps, err)
	}
}

// An act may hold any JSON, NUL characters too, and no message to a host fails for it.
func TestLedgerTakesNUL(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub-1", 30*24*time.Hour)
	r := b.recorder(t, user)
	r.record("export", func(e map[string]any) { e["action"], e["payload"] = "a\x00b", "\x00" })
	r.record("a\x00b", nil)
	r.record("export", func(e map[string]any) { e["at"] = int64(-1 << 63) })
	r.record("export", func(e map[string]any) { e["at"] = int64(1<<63 - 1) })
	if got := b.upload(t, r, 1); got != "1 accepted, 2 not_granted, 3 too_old, 4 from_future" {
		t.Error(got)
	}
}

// TestStoredEntriesAreBounded lets a device fill what its account may store, in which rejected entries count four times.
func TestStoredEntriesAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	r, other := b.recorder(t, user), b.recorder(t, user)
	full := func(room time.Duration) {
		b.db.MustExec(`UPDATE users SET stored_until = $2 WHERE id = $1`, user, b.clock.Now().Add(24*time.Hour-room))
	}
	send := func(r *recorder, from int, want string, refused int64) {
		t.Helper()
		answer, err := b.send(t, r, r.batch(from))
		if err != nil {
			t.Fatal(err)
		}
		if got := said(answer.Verdicts); got != want {
			t.Errorf("verdicts %q, want %q", got, want)
		}
		switch {
		case refused == 0 && answer.Refused == nil:
		case answer.Refused == nil || answer.Refused.Code != ledger.CodeQuota || answer.Refused.Seq != refused:
			t.Errorf("refused %v, want %d", answer.Refused, refused)
		}
	}

	// One entry of some 300 bytes counts a third of a second, and one that is rejected more than a second.
	full(700 * time.Millisecond)
	for range 4 {
		r.record("export", nil)
	}
	send(r, 1, "1 accepted, 2 accepted", 3)
	send(r, 3, "", 3)
	other.record("export", nil)
	send(other, 1, "", 1)
	b.clock.Advance(2 * time.Second)
	send(r, 3, "3 accepted, 4 accepted", 0)
	b.clock.Advance(time.Second)
	send(other, 1, "1 accepted", 0)

	other.record("nothing", nil)
	full(time.Second)
	send(other, 2, "", 2)
	full(2 * time.Second)
	send(other, 2, "2 not_granted", 0)

	// What was taken is said again, however full the account is.
	full(0)
	send(r, 1, "1 accepted, 2 accepted, 3 accepted, 4 accepted", 0)
	if n := b.count(t, `SELECT count(*) FROM ledger_entries WHERE user_id = $1`, user); n != 6 {
		t.Errorf("%d entries", n)
	}
}

// TestConcurrentDevicesShareTheBound has the devices of a user store at once what only some of them have room for.
func TestConcurrentDevicesShareTheBound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	var devices []*recorder
	for range 5 {
		r := b.recorder(t, user)
		for range 3 {
			r.record("nothing", nil)
		}
		devices = append(devices, r)
	}
	b.db.MustExec(`UPDATE users SET stored_until = $2 WHERE id = $1`, user, b.clock.Now().Add(24*time.Hour-2600*time.Millisecond))
	var wg sync.WaitGroup
	for _, r := range devices {
		wg.Go(func() {
			if _, err := b.send(t, r, r.batch(1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.count(t, `SELECT count(*) FROM ledger_entries WHERE user_id = $1`, user); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}
