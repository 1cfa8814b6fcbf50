package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/passkey"
)

// newDevice gives the browser a new device key.
func (b *browser) newDevice() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b.w.t, err)
	b.key = key
}

// forget makes the browser forget its cookies, and sign in again.
func (b *browser) forget() {
	b.client.Jar = b.w.browser().client.Jar
	b.signIn()
}

// tryLink links the browser's new key as a device, gets its first document, and returns when its last document ends.
func (b *browser) tryLink(replaces string) (linked answer, end time.Time) {
	t := b.w.t
	t.Helper()
	b.newDevice()
	b.fetchNonce()
	body := map[string]string{"name": "Laptop"}
	if replaces != "" {
		body["replaces"] = replaces
	}
	linked = b.prove("POST", "/v1/devices", body)
	if linked.StatusCode == http.StatusCreated {
		b.reconcile(linked.text("device"), linked.text("lineage")).want(t, 200, "")
		var bound *time.Time
		must(t, b.w.db.Get(&bound, `SELECT document_bound FROM devices WHERE id = $1`, linked.text("device")))
		if bound != nil {
			end = bound.UTC()
		}
	}
	return linked, end
}

// limited is a device listed in a refusal for the limit.
type limited struct {
	ID          string
	FreesUpAt   *time.Time `json:"frees_up_at"`
	Replaceable bool
}

func limitedOf(t *testing.T, refused answer) []limited {
	t.Helper()
	var problem struct{ Devices []limited }
	must(t, json.Unmarshal(refused.want(t, 409, "device_limit").body, &problem))
	return problem.Devices
}

// living counts the documents that have not ended.
func living(ends []time.Time, now time.Time) (n int) {
	for _, end := range ends {
		if end.After(now) {
			n++
		}
	}
	return n
}

// TestDeviceLimitCountsLivingDocuments checks that no account gets more living documents than its plan allows, whatever
// happens to the devices: a removed or quarantined device counts until its document has ended, and the refusal says so.
func TestDeviceLimitCountsLivingDocuments(t *testing.T) {
	const limit = 5
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	var ends []time.Time
	for i := range 30 {
		w.clock.forward(5 * time.Minute)
		ada.forget()
		linked, end := ada.tryLink("")
		if i < limit {
			linked.want(t, 201, "")
			ends = append(ends, end)
			if id := linked.text("device"); i%2 == 0 {
				ada.do("DELETE", "/v1/devices/"+id, nil).want(t, 204, "")
			} else {
				w.db.MustExec(`UPDATE devices SET forked_at = $2 WHERE id = $1`, id, w.clock.now())
			}
			continue
		}
		counted := limitedOf(t, linked)
		if len(counted) != limit {
			t.Fatalf("%d count: %s", len(counted), linked.body)
		}
		for i, d := range counted {
			if d.FreesUpAt == nil || !d.FreesUpAt.Equal(ends[i]) || !d.Replaceable {
				t.Errorf("device %d of %v: %+v", i, ends[i], d)
			}
		}
	}
	// Each place frees up at the announced time.
	w.clock.forward(ends[0].Sub(w.clock.now()))
	ada.forget()
	linked, _ := ada.tryLink("")
	linked.want(t, 201, "")
	linked, _ = ada.tryLink("")
	linked.want(t, 201, "") // the same browser continues
	ada.forget()
	linked, _ = ada.tryLink("")
	if counted := limitedOf(t, linked); len(counted) != limit {
		t.Errorf("%+v", counted)
	}

	// A device without a document holds no place.
	bob := w.browser()
	bob.register("Bob")
	for range 10 {
		bob.forget()
		linked, end := bob.tryLink("")
		if linked.want(t, 201, ""); !end.IsZero() {
			t.Fatal("Bob has features")
		}
		bob.do("DELETE", "/v1/devices/"+linked.text("device"), nil).want(t, 204, "")
	}
}

// TestReplacementTakesDevicePlace checks that a user whose browser lost its storage can continue at once, as the same
// browser or by choosing the device to replace, although the old document still counts; but only a limited number of times.
func TestReplacementTakesDevicePlace(t *testing.T) {
	const limit = 5
	for name, next := range map[string]func(b *browser, last string) (answer, time.Time){
		"the same browser": func(b *browser, _ string) (answer, time.Time) { b.signIn(); return b.tryLink("") },
		"chosen":           func(b *browser, last string) (answer, time.Time) { b.forget(); return b.tryLink(last) },
		"unlinked, then chosen": func(b *browser, last string) (answer, time.Time) {
			b.forget()
			if last != "" {
				b.do("DELETE", "/v1/devices/"+last, nil).want(b.w.t, 204, "")
			}
			return b.tryLink(last)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			ada := w.browser()
			ada.register("Ada")
			ada.do("POST", "/v1/trial", nil).want(t, 201, "")
			var ends []time.Time
			var last string
			for i := range 30 {
				w.clock.forward(5 * time.Minute)
				linked, end := next(ada, last)
				if linked.StatusCode == http.StatusCreated {
					ends, last = append(ends, end), linked.text("device")
				} else {
					limitedOf(t, linked)
					last = ""
				}
				if n := living(ends, w.clock.now()); n > 2*limit || i < limit && n != i+1 {
					t.Fatalf("after %d links %d documents go on", i+1, n)
				}
			}
			if len(ends) < 2*limit {
				t.Errorf("%d links", len(ends))
			}
			// Once they have ended, all is as at first.
			w.clock.forward(9 * 24 * time.Hour)
			linked, _ := next(ada, "")
			linked.want(t, 201, "")
		})
	}

	// A browser that forgets everything each day is never shut out.
	w := newWorld(t)
	ada := w.browser()
	id := ada.register("Ada")
	ada.admin("PUT", "/admin/v1/subscriptions/s-1",
		`{"user":"`+id+`","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`).want(t, 200, "")
	for day := range 40 {
		w.clock.forward(24 * time.Hour)
		ada.forget()
		linked, _ := ada.tryLink("")
		if linked.StatusCode != http.StatusCreated {
			choice := ""
			for _, d := range limitedOf(t, linked) {
				if d.Replaceable && choice == "" {
					choice = d.ID
				}
			}
			linked, _ = ada.tryLink(choice)
		}
		if linked.StatusCode != http.StatusCreated {
			t.Fatalf("day %d: %s", day, linked.body)
		}
	}
}

// TestReleaseDevice checks that support can free the place of a device whose document has not ended.
func TestReleaseDevice(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	id := ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	devices := make([]string, 5)
	for i := range devices {
		w.clock.forward(time.Second)
		ada.forget()
		linked, _ := ada.tryLink("")
		devices[i] = linked.want(t, 201, "").text("device")
	}
	sam, _ := w.staff("Sam", passkey.RoleSupport)
	release := func(device string) answer {
		return sam.do("POST", "/admin/v1/devices/"+device+"/release", `{"reason":"the laptop was stolen, and wiped"}`)
	}
	release(devices[0]).want(t, 409, "conflict") // it is linked
	ada.do("DELETE", "/v1/devices/"+devices[0], nil).want(t, 204, "")
	ada.forget()
	refused, _ := ada.tryLink("")
	refused.want(t, 409, "device_limit")

	shown := sam.do("GET", "/admin/v1/users/"+id, nil).want(t, 200, "").member("devices").([]any)
	first := shown[0].(map[string]any)
	if len(shown) != 5 || first["id"] != devices[0] || first["removed"] != true || first["frees_up_at"] != first["document_expires_at"] {
		t.Errorf("support is shown %v", shown)
	}
	sam.do("POST", "/admin/v1/devices/"+devices[0]+"/release", `{"reason":" "}`).want(t, 400, "invalid_request")
	sam.do("POST", "/admin/v1/devices/00000000-0000-4000-8000-000000000000/release", `{"reason":"x"}`).want(t, 404, "not_found")
	release(devices[0]).want(t, 204, "")
	release(devices[0]).want(t, 204, "")
	var released int
	must(t, w.db.Get(&released, `SELECT count(*) FROM audit a JOIN audit_reasons r ON r.audit_id = a.id WHERE action = 'device.released' AND object = 'device:' || $1`, devices[0]))
	if released != 1 {
		t.Errorf("%d entries in the trail", released)
	}
	linked, _ := ada.tryLink("")
	linked.want(t, 201, "")
	// Support still counts the document.
	preview := sam.do("GET", "/admin/v1/users/"+id, nil).want(t, 200, "").member("devices").([]any)
	if len(preview) != 5 {
		t.Errorf("%v", preview)
	}
}

// TestLinksPerHourAreLimited checks the limit on links per hour, whatever becomes of the devices, and that refused links
// store nothing.
func TestLinksPerHourAreLimited(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	begun := w.clock.now()
	var refused answer
	for i := range 30 {
		w.clock.forward(time.Minute)
		ada.signIn()
		linked, _ := ada.tryLink("")
		if want := i < 20; (linked.StatusCode == http.StatusCreated) != want {
			t.Fatalf("link %d: %d %s", i, linked.StatusCode, linked.body)
		}
		refused = linked
	}
	wait, err := strconv.Atoi(refused.want(t, 429, "rate_limited").Header.Get("Retry-After"))
	must(t, err)
	if want := begun.Add(61 * time.Minute).Sub(w.clock.now()); wait != int(want.Seconds()) {
		t.Errorf("Retry-After %d, want %v", wait, want)
	}
	var rows int
	must(t, w.db.Get(&rows, `SELECT (SELECT count(*) FROM devices) + (SELECT count(*) FROM status_entries)`))
	if rows != 40 {
		t.Errorf("%d rows", rows)
	}
	w.clock.forward(time.Duration(wait) * time.Second)
	ada.signIn()
	linked, _ := ada.tryLink("")
	linked.want(t, 201, "")
}

// TestReconcileLeavesOutThePasskeysHeld checks what a reconcile sends. The store's tests check when.
func TestReconcileLeavesOutThePasskeysHeld(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, lineage := ada.link()
	first := ada.reconcile(device, lineage).want(t, 200, "")
	compact := first.text("passkeys")
	sum := sha256.Sum256([]byte(compact[:strings.LastIndexByte(compact, '.')]))
	reconcile := func(digest any) map[string]any {
		t.Helper()
		answer := ada.prove("POST", "/v1/reconcile", map[string]any{
			"device": device, "lineage": lineage, "keyset_version": 0, "passkeys": digest,
		}).want(t, 200, "")
		lineage = answer.text("lineage")
		var members map[string]any
		must(t, json.Unmarshal(answer.body, &members))
		return members
	}
	lineage = first.text("lineage")
	held := base64.RawURLEncoding.EncodeToString(sum[:])
	if passkeys, sent := reconcile(held)["passkeys"]; sent {
		t.Errorf("sent to a device that holds it: %v", passkeys)
	}
	for _, digest := range []any{nil, "", "x", held + "=", compact} {
		if _, sent := reconcile(digest)["passkeys"]; !sent {
			t.Errorf("not sent to a device that says %q", digest)
		}
	}

	removed := ada.credential
	ada.credential = w.browser().credential
	ada.do("POST", "/v1/registration", ada.attest(ada.do("POST", "/v1/registration/options", nil))).want(t, 201, "")
	ada.do("DELETE", "/v1/passkeys/"+base64.RawURLEncoding.EncodeToString(removed.ID), nil).want(t, 204, "")
	changed, _ := reconcile(held)["passkeys"].(string)
	list, _ := claims(t, changed)["passkeys"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["id"] != base64.RawURLEncoding.EncodeToString(ada.credential.ID) {
		t.Errorf("after the removal of a passkey: %v", list)
	}
}
