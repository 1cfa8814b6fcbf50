package api_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// chain is what a browser's device has recorded.
type chain struct {
	device, document, prev string
	at                     int64
	entries                []string
}

func (c *chain) record(t *testing.T, feature string) {
	t.Helper()
	if c.prev == "" {
		sum := sha256.Sum256([]byte(c.device))
		c.prev = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	entry := must1(json.Marshal(map[string]any{
		"seq": len(c.entries) + 1, "prev": c.prev, "at": c.at, "feature": feature, "document": c.document,
		"action": "note.save", "payload": map[string]string{"text": "Bern"},
	}))(t)
	sum := sha256.Sum256(entry)
	c.entries, c.prev = append(c.entries, base64.RawURLEncoding.EncodeToString(entry)), base64.RawURLEncoding.EncodeToString(sum[:])
}

// ledger signs what the chain holds.
func (b *browser) ledger(c *chain) string {
	b.w.t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	claims := must1(json.Marshal(map[string]any{"device": c.device, "entries": c.entries}))(b.w.t)
	signed := encode([]byte(`{"alg":"ES256","typ":"ledger+jwt"}`)) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, b.key, digest[:])
	must(b.w.t, err)
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (b *browser) upload(c *chain, lineage string) answer {
	b.w.t.Helper()
	return b.prove("POST", "/v1/reconcile", map[string]any{"device": c.device, "lineage": lineage, "keyset_version": 1, "ledger": b.ledger(c)})
}

// keepEntry stores a rejected entry, and returns its id.
func (w *world) keepEntry(user, device string) (id string) {
	w.t.Helper()
	c := &chain{device: device, document: "AAAA"}
	c.record(w.t, "notes")
	entry, err := base64.RawURLEncoding.DecodeString(c.entries[0])
	must(w.t, err)
	sum := sha256.Sum256(entry)
	w.db.MustExec(`INSERT INTO ledger_entries (user_id, device_id, seq, hash, entry, verdict, reason, received_at)
		VALUES ($1, $2, 1, $3, $4, 'rejected', 'not_granted', $5)`, user, device, sum[:], entry, w.clock.now())
	return c.prev
}

func TestActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.browser()
	user := ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	device, lineage := ada.link()
	first := ada.reconcile(device, lineage).want(t, 200, "")
	c := &chain{device: device, document: claims(t, first.text("document"))["jti"].(string), at: w.clock.now().Unix()}
	c.record(t, "notes")
	c.record(t, "teleport")

	before, after, _ := strings.Cut(ada.ledger(c), ".")
	forged := ada.prove("POST", "/v1/reconcile", map[string]any{"device": device, "lineage": first.text("lineage"), "keyset_version": 1, "ledger": after + "." + before + ".AAAA"}).
		want(t, 400, "ledger_invalid")
	if forged.text("ledger.code") != "signature" || forged.member("ledger.seq") != nil {
		t.Errorf("forged: %s", forged.body)
	}

	taken := ada.upload(c, first.text("lineage")).want(t, 200, "")
	verdicts := string(must1(json.Marshal(taken.member("verdicts")))(t))
	if verdicts != `[{"seq":1,"verdict":"accepted"},{"code":"not_granted","seq":2,"verdict":"rejected"}]` || taken.member("ledger_head.seq") != 2.0 || taken.text("ledger_head.hash") != c.prev {
		t.Fatalf("taken: %s", taken.body)
	}

	for name, feed := range map[string]answer{
		"by proof": ada.prove("GET", "/v1/actions", nil), "by cookie": ada.do("GET", "/v1/actions?after=0&limit=10", nil),
	} {
		actions := feed.want(t, 200, "").member("actions").([]any)
		if len(actions) != 1 || actions[0].(map[string]any)["position"] != 1.0 || actions[0].(map[string]any)["payload"].(map[string]any)["text"] != "Bern" {
			t.Errorf("%s: %s", name, feed.body)
		}
	}
	if later := ada.do("GET", "/v1/actions?after=1", nil).want(t, 200, ""); len(later.member("actions").([]any)) != 0 {
		t.Errorf("later: %s", later.body)
	}
	for _, after := range []string{"-1", "x", "1.5", "99999999999999999999"} {
		ada.do("GET", "/v1/actions?after="+after, nil).want(t, 400, "invalid_request")
	}

	support := w.browser()
	listed := support.admin("GET", "/admin/v1/users/"+user+"/ledger?verdict=rejected", nil).want(t, 200, "")
	refused := listed.member("entries").([]any)
	if len(refused) != 1 {
		t.Fatalf("refused: %s", listed.body)
	}
	id := refused[0].(map[string]any)["id"]
	change := map[string]any{"entries": []any{id}, "verdict": "accepted", "reason": "our fault"}
	let := support.admin("POST", "/admin/v1/users/"+user+"/ledger/verdict", change).want(t, 200, "")
	if entry := let.member("entries").([]any)[0].(map[string]any); entry["position"] != 2.0 || entry["verdict"] != "accepted" || entry["code"] != nil {
		t.Errorf("let in: %s", let.body)
	}
	page := ada.do("GET", "/v1/actions?limit=1", nil).want(t, 200, "")
	if page.member("next") != 1.0 {
		t.Errorf("page: %s", page.body)
	}
	// A host that pulls gets each act once, and again when its verdict has changed.
	var pulled []string
	pull := func(after any) {
		for after != nil {
			page := support.admin("GET", fmt.Sprintf("/admin/v1/users/%s/actions?limit=1&after=%v", user, after), nil).want(t, 200, "")
			for _, act := range page.member("actions").([]any) {
				act := act.(map[string]any)
				pulled = append(pulled, fmt.Sprintf("%v:%v:%v", act["position"], act["seq"], act["verdict"]))
			}
			after = page.member("next")
		}
	}
	pull(0)
	change["verdict"] = "superseded"
	support.admin("POST", "/admin/v1/users/"+user+"/ledger/verdict", change).want(t, 200, "")
	pull(2)
	if got := strings.Join(pulled, " "); got != "1:1:accepted 2:2:accepted 3:2:superseded" {
		t.Errorf("pulled %s", got)
	}
	change["verdict"] = "rejected"
	support.admin("POST", "/admin/v1/users/"+user+"/ledger/verdict", change).want(t, 400, "invalid_request")
	export := ada.do("GET", "/v1/account/export", nil).want(t, 200, "")
	if acts := export.member("ledger").([]any); len(acts) != 2 {
		t.Errorf("export: %s", export.body)
	}
}
