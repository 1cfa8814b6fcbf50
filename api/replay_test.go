package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"holdfast/api"
)

// TestReplays checks that repeated bytes are answered while their nonce is valid, since an answer may have been lost. The
// answer has the current state and is bound to the same device and proof. Repetitions advance nothing and never make a
// device look copied.
func TestReplays(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	device, lineage := ada.link()
	lineages := func() (row string) {
		must(t, w.db.Get(&row, `SELECT lineage_n || encode(lineage_parent, 'hex') || (forked_at IS NULL) FROM devices WHERE id = $1`, device))
		return row
	}
	body := must1(json.Marshal(map[string]any{"device": device, "lineage": lineage, "keyset_version": 0}))(t)
	var jti any
	stolen := ada.proof("POST", "/v1/reconcile", body, func(_, claims map[string]any) { jti = claims["jti"] })
	read := ada.proof("GET", "/v1/entitlements", nil, nil)
	first := ada.do("POST", "/v1/reconcile", body, "DPoP", stolen).want(t, 200, "")
	after := lineages()
	thief := w.browser()
	replayed := thief.do("POST", "/v1/reconcile", body, "DPoP", stolen).want(t, 200, "")
	a, b := claims(t, first.text("document")), claims(t, replayed.text("document"))
	if a["proof"] != jti || b["proof"] != jti || a["device"] != b["device"] || lineages() != after {
		t.Errorf("replayed: %v, %v; the lineage %s, was %s", a, b, lineages(), after)
	}
	thief.do("GET", "/v1/entitlements", nil, "DPoP", read).want(t, 200, "")
	thief.do("GET", "/v1/entitlements", nil, "DPoP", read).want(t, 200, "")

	ada.reconcile(device, first.text("lineage")).want(t, 200, "")
	after = lineages()
	thief.do("POST", "/v1/reconcile", body, "DPoP", stolen).want(t, 401, "use_dpop_nonce")
	if lineages() != after {
		t.Errorf("the lineage is %s, was %s", lineages(), after)
	}
	w.clock.forward(5*time.Minute + time.Second)
	thief.do("GET", "/v1/entitlements", nil, "DPoP", read).want(t, 401, "use_dpop_nonce")
}

// TestSealedCeremonies checks that a foreign, changed or ended ceremony gets the same refusal on every route, and that a
// ceremony begun before a restart can be finished once after it.
func TestSealedCeremonies(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.browser(), w.browser()
	ada.register("Ada")
	bob.register("Bob")
	code := ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "").member("codes").([]any)[0].(string)
	begin := func(b *browser, kind string) answer {
		body := map[string]string{"authentication": `{}`, "registration": `{"name":"Eve"}`, "recovery": `{"code":"` + code + `"}`}[kind]
		return b.do("POST", "/v1/"+kind+"/options", body).want(t, 200, "")
	}
	answerTo := func(b *browser, kind string, begun answer) string {
		if kind == "authentication" {
			return b.assert(begun)
		}
		fresh := w.browser()
		return fresh.attest(begun)
	}
	restart := func() {
		w.metrics = api.NewMetrics()
		w.start(api.New)
	}
	kinds := []string{"authentication", "registration", "recovery"}
	for _, kind := range kinds {
		begun := begin(w.browser(), kind)
		good, sealed := answerTo(ada, kind, begun), begun.text("ceremony")
		half := len(sealed) / 2
		flipped := sealed[:half] + string(sealed[half]^1) + sealed[half+1:]
		if sealed[half] == '-' || sealed[half] == '_' || sealed[half] == 'z' || sealed[half] == 'Z' || sealed[half] == '9' { // the flipped one is not base64
			flipped = sealed[:half] + "A" + sealed[half+1:]
		}
		for what, forged := range map[string]string{
			"forged": strings.Repeat("A", len(sealed)), "truncated": sealed[:half], "one character": sealed[:1], "flipped": flipped,
			"prolonged": sealed + "AAAA", "twice": sealed + sealed, "huge": strings.Repeat("AQ", 20_000), "an id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
		} {
			got := w.browser().do("POST", "/v1/"+kind, strings.Replace(good, sealed, forged, 1))
			if got.StatusCode != 400 || got.text("code") != "ceremony_invalid" {
				t.Errorf("%s, %s: %d %s", kind, what, got.StatusCode, got.body)
			}
			w.clock.forward(10 * time.Second) // failures are counted
		}
		for _, other := range kinds {
			if other != kind {
				mixed := begin(w.browser(), other)
				w.browser().do("POST", "/v1/"+kind, strings.Replace(good, sealed, mixed.text("ceremony"), 1)).want(t, 400, "ceremony_invalid")
			}
		}
		restart()
		begun = begin(w.browser(), kind)
		good = answerTo(ada, kind, begun)
		restart()
		status := map[string]int{"authentication": 200}[kind]
		if status == 0 {
			status = 201
		}
		w.browser().do("POST", "/v1/"+kind, good).want(t, status, "")
		restart()
		w.browser().do("POST", "/v1/"+kind, good).want(t, 400, "ceremony_invalid")
	}

	ada.signIn()
	adding := ada.do("POST", "/v1/registration/options", nil).want(t, 200, "")
	bob.do("POST", "/v1/registration", w.browser().attest(adding)).want(t, 400, "ceremony_invalid")
	late := begin(w.browser(), "authentication")
	w.clock.forward(5 * time.Minute)
	ada.do("POST", "/v1/authentication", ada.assert(late)).want(t, 400, "ceremony_invalid")
}
