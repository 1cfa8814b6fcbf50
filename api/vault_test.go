package api_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/entitlements/jose"
	"holdfast/passkey"
	"holdfast/sql"
)

const (
	withVault    = `{"features":{"vault":{"offline":true},"atlas":{"offline":true}},"grace":0,"device_limit":5,"rank":10,"window":null,"reason":"a test"}`
	withoutVault = `{"features":{"atlas":{"offline":true}},"grace":0,"device_limit":5,"rank":10,"window":null,"reason":"a test"}`
)

// content is a browser's second key, which opens content keys.
func content(t *testing.T) jose.PrivateKey { return must1(jose.GenerateKey(rand.Reader))(t) }

func (b *browser) askKeys(device string, key jose.PrivateKey) answer {
	b.w.t.Helper()
	return b.prove("POST", "/v1/vault/keys", map[string]any{"device": device, "key": key.JWK()})
}

// keys asks for content keys, and returns those that arrive, after it has checked all else in the answer.
func (b *browser) keys(user, device string) entitlements.HandedKeys {
	b.w.t.Helper()
	t, key := b.w.t, content(b.w.t)
	var jti string
	body := must1(json.Marshal(map[string]any{"device": device, "key": key.JWK()}))(t)
	proof := b.proof("POST", "/v1/vault/keys", body, func(_, claims map[string]any) { jti = claims["jti"].(string) })
	got := b.do("POST", "/v1/vault/keys", body, "DPoP", proof).want(t, http.StatusOK, "")
	text := must1(jose.Decrypt(key, got.text("keys")))(t)
	message := must1(jose.Parse(string(text)))(t)
	signer, ok := b.w.keys.Signer(b.w.clock.now())
	if !ok {
		t.Fatal("no signer")
	}
	must(t, message.Verify(signer.PublicKey))
	if want := `"typ":"vault+jwt"`; !strings.Contains(string(message.Header), want) {
		t.Errorf("header %s, want %s", message.Header, want)
	}
	var handed entitlements.HandedKeys
	must(t, json.Unmarshal(message.Payload, &handed))
	if handed.Issuer != b.w.origin || handed.Audience != b.w.origin || string(handed.Subject) != user || string(handed.Device) != device ||
		handed.Proof != jti || handed.ExpiresAt-handed.IssuedAt != 300 {
		t.Errorf("claims %s", message.Payload)
	}
	return handed
}

// held lists the epochs of a feature's keys.
func held(handed entitlements.HandedKeys, feature string) (epochs []int64) {
	for _, key := range handed.Keys {
		if key.Feature == feature {
			epochs = append(epochs, key.Epoch)
		}
	}
	return epochs
}

func wantEpochs(t *testing.T, handed entitlements.HandedKeys, feature string, want ...int64) {
	t.Helper()
	got := held(handed, feature)
	if len(got) != len(want) {
		t.Fatalf("%s: epochs %v, want %v", feature, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: epochs %v, want %v", feature, got, want)
		}
	}
}

// vaultUser registers a user with a device and a plan that has the vault.
func vaultUser(t *testing.T, w *world) (ada *browser, user, device string) {
	t.Helper()
	ada = w.browser()
	user = ada.register("Ada")
	ada.admin("PUT", "/admin/v1/plans/sealed", withVault).want(t, 200, "")
	ada.admin("PUT", "/admin/v1/subscriptions/of-ada", `{"user":"`+user+`","plan":"sealed","state":"active","paid_through":"2040-01-01T00:00:00Z"}`).want(t, 200, "")
	device, _ = ada.link()
	return ada, user, device
}

// second is another device of the user.
func (b *browser) second() (other *browser, device string) {
	b.w.t.Helper()
	other = b.w.browser()
	other.credential, other.authenticator = b.credential, b.authenticator
	other.signIn()
	device, _ = other.link()
	return other, device
}

func TestDevicesOfAUserGetTheSameVaultKey(t *testing.T) {
	w := newWorld(t)
	ada, user, device := vaultUser(t, w)
	first := ada.keys(user, device)
	wantEpochs(t, first, "vault", 1)
	if first.Vault == nil || first.Vault.Epoch != 1 {
		t.Errorf("vault: %+v", first.Vault)
	}
	other, otherDevice := ada.second()
	again, theirs := ada.keys(user, device), other.keys(user, otherDevice)
	if again.Keys[0] != first.Keys[0] || theirs.Keys[0] != first.Keys[0] {
		t.Error("the keys differ")
	}
	if key := must1(jose.DecodeBase64(first.Keys[0].Key))(t); len(key) != 32 {
		t.Errorf("a key of %d bytes", len(key))
	}
	bob := w.browser()
	bobs := bob.register("Bob")
	ada.admin("PUT", "/admin/v1/subscriptions/of-bob", `{"user":"`+bobs+`","plan":"sealed","state":"active","paid_through":"2040-01-01T00:00:00Z"}`).want(t, 200, "")
	bobDevice, _ := bob.link()
	if bob.keys(bobs, bobDevice).Keys[0].Key == first.Keys[0].Key {
		t.Error("two users have one key")
	}
	var stored []byte
	must(t, w.db.Get(&stored, `SELECT wrapped FROM vault_keys WHERE user_id = $1`, user))
	if strings.Contains(string(stored), string(must1(jose.DecodeBase64(first.Keys[0].Key))(t))) {
		t.Error("the key is stored as it is")
	}
}

func TestConcurrentFirstRequestsGetOneVaultKey(t *testing.T) {
	w := newWorld(t)
	ada, user, _ := vaultUser(t, w)
	var browsers []*browser
	var devices []string
	for range 4 {
		other, device := ada.second()
		browsers, devices = append(browsers, other), append(devices, device)
	}
	keys := make([]entitlements.HandedKeys, len(browsers))
	var wg sync.WaitGroup
	for i, each := range browsers {
		wg.Go(func() { keys[i] = each.keys(user, devices[i]) })
	}
	wg.Wait()
	for _, handed := range keys {
		wantEpochs(t, handed, "vault", 1)
		if handed.Keys[0] != keys[0].Keys[0] {
			t.Error("the keys differ")
		}
	}
}

func TestLosingRightsRaisesTheVaultEpoch(t *testing.T) {
	w := newWorld(t)
	ada, user, device := vaultUser(t, w)
	other, otherDevice := ada.second()
	wantEpochs(t, ada.keys(user, device), "vault", 1)

	// A removed device gets no keys, and the next epoch begins.
	ada.do("DELETE", "/v1/devices/"+otherDevice, nil).want(t, 204, "")
	wantEpochs(t, other.keys(user, otherDevice), "vault")
	wantEpochs(t, ada.keys(user, device), "vault", 1, 2)

	// A revoked user gets none; once reinstated, all.
	ada.admin("POST", "/admin/v1/subscriptions/of-ada/revoke", `{"reason":"a test"}`).want(t, 200, "")
	revoked := ada.keys(user, device)
	wantEpochs(t, revoked, "vault")
	if revoked.Vault != nil {
		t.Error("the vault is still granted")
	}
	ada.admin("POST", "/admin/v1/subscriptions/of-ada/reinstate", `{"reason":"a test"}`).want(t, 200, "")
	wantEpochs(t, ada.keys(user, device), "vault", 1, 2, 3)

	// Suspending takes nothing for good.
	ada.admin("POST", "/admin/v1/subscriptions/of-ada/suspend", `{"reason":"a test"}`).want(t, 200, "")
	wantEpochs(t, ada.keys(user, device), "vault")
	ada.admin("POST", "/admin/v1/subscriptions/of-ada/reinstate", `{"reason":"a test"}`).want(t, 200, "")
	wantEpochs(t, ada.keys(user, device), "vault", 1, 2, 3)

	// On demand.
	ada.signIn()
	if made := ada.do("POST", "/v1/vault/epochs", nil).want(t, 201, ""); made.member("epoch") != 4.0 {
		t.Errorf("%s", made.body)
	}
	wantEpochs(t, ada.keys(user, device), "vault", 1, 2, 3, 4)
	w.clock.forward(11 * time.Minute)
	ada.do("POST", "/v1/vault/epochs", nil).want(t, 403, "reauthentication_required")

	// A plan that loses the feature raises the epoch for all who hold it.
	plan := ada.admin("GET", "/admin/v1/plans/sealed", nil).want(t, 200, "").text("version")
	ada.admin("PUT", "/admin/v1/plans/sealed", strings.Replace(withoutVault, `"reason"`, `"version":"`+plan+`","reason"`, 1)).want(t, 200, "")
	store := must1(sql.NewEntitlements(t.Context(), w.db))(t)
	for more := true; more; {
		var err error
		more, err = store.RaiseHolders(t.Context(), w.clock.now())
		must(t, err)
	}
	ada.fetchNonce()
	wantEpochs(t, ada.keys(user, device), "vault")
	var epoch int
	must(t, w.db.Get(&epoch, `SELECT vault_epoch FROM users WHERE id = $1`, user))
	if epoch != 5 {
		t.Errorf("epoch %d, want 5", epoch)
	}
}

func TestVaultKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	ada, user, device := vaultUser(t, w)
	bob := w.browser()
	bobs := bob.register("Bob")
	bobDevice, _ := bob.link()
	wantEpochs(t, bob.keys(bobs, bobDevice), "vault") // without the feature
	key := content(t)

	bob.askKeys(device, key).want(t, 404, "device_unknown")
	bob.askKeys("x", key).want(t, 400, "invalid_request")
	bob.prove("POST", "/v1/vault/keys", map[string]any{"device": bobDevice, "key": map[string]string{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}).want(t, 400, "invalid_request")
	bob.do("POST", "/v1/vault/keys", map[string]any{"device": bobDevice, "key": key.JWK()}).want(t, 401, "invalid_dpop_proof")

	// Without the hash of the body, anybody in between could put another key in.
	body := must1(json.Marshal(map[string]any{"device": device, "key": key.JWK()}))(t)
	unbound := ada.proof("POST", "/v1/vault/keys", body, func(_, claims map[string]any) { delete(claims, "body") })
	ada.do("POST", "/v1/vault/keys", body, "DPoP", unbound).want(t, 401, "invalid_dpop_proof")
	bound := ada.proof("POST", "/v1/vault/keys", body, nil)
	swapped := must1(json.Marshal(map[string]any{"device": device, "key": content(t).JWK()}))(t)
	ada.do("POST", "/v1/vault/keys", swapped, "DPoP", bound).want(t, 401, "invalid_dpop_proof")

	file := func() string {
		ada.signIn()
		return string(ada.do("GET", "/v1/account/export", nil).want(t, 200, "").body)
	}
	handed := ada.keys(user, device)
	if export := file(); strings.Contains(export, handed.Keys[0].Key) || !strings.Contains(export, `"vault_epochs":[{"epoch":1`) {
		t.Errorf("the export: %s", export)
	}
}

func TestServerWithoutWrappingKeysHasNoVault(t *testing.T) {
	w := newWorld(t, func(_ *api.Config, _ *passkey.Config, e *entitlements.Config) { e.Vault = nil })
	ada, _, device := vaultUser(t, w)
	ada.askKeys(device, content(t)).want(t, 404, "not_found")
	ada.do("POST", "/v1/vault/epochs", nil).want(t, 404, "not_found")
	ada.admin("GET", "/admin/v1/packs/atlas/keys", nil).want(t, 404, "not_found")
	ada.admin("POST", "/admin/v1/packs/atlas/epochs", `{"reason":"a test"}`).want(t, 404, "not_found")
}

// TestRevokeIsFinalForVaultKeys: once a revoke has answered, no request that begins later gives a key, and the keys of
// later epochs never arrive.
func TestRevokeIsFinalForVaultKeys(t *testing.T) {
	w := newWorld(t)
	ada, user, device := vaultUser(t, w)
	for range 10 {
		var wg sync.WaitGroup
		began, done := make(chan struct{}), make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				ada.keys(user, device)
				if i == 0 {
					close(began)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		<-began
		support := w.browser()
		support.admin("POST", "/admin/v1/subscriptions/of-ada/revoke", `{"reason":"a test"}`).want(t, 200, "")
		close(done)
		wg.Wait()
		wantEpochs(t, ada.keys(user, device), "vault")
		support.admin("POST", "/admin/v1/subscriptions/of-ada/reinstate", `{"reason":"a test"}`).want(t, 200, "")
	}
}

func TestContentPacks(t *testing.T) {
	w := newWorld(t)
	ada, user, device := vaultUser(t, w)
	wantEpochs(t, ada.keys(user, device), "atlas")
	if made := ada.admin("POST", "/admin/v1/packs/atlas/epochs", `{"reason":"a test"}`).want(t, 201, ""); made.member("epoch") != 1.0 {
		t.Errorf("%s", made.body)
	}
	ada.admin("POST", "/admin/v1/packs/atlas/epochs", `{"reason":"a test"}`).want(t, 201, "")
	ada.admin("POST", "/admin/v1/packs/films/epochs", `{"reason":"a test"}`).want(t, 201, "")
	handed := ada.keys(user, device)
	wantEpochs(t, handed, "atlas", 1, 2)
	wantEpochs(t, handed, "films") // not granted
	keys := ada.admin("GET", "/admin/v1/packs/atlas/keys", nil).want(t, 200, "").member("keys").([]any)
	if len(keys) != 2 || keys[1].(map[string]any)["k"] != handed.Keys[2].Key {
		t.Errorf("the host has %v, the device %v", keys, handed.Keys)
	}
	for _, name := range []string{"vault", "Atlas", strings.Repeat("a", 65)} {
		ada.admin("POST", "/admin/v1/packs/"+name+"/epochs", `{"reason":"a test"}`).want(t, 400, "invalid_request")
	}
	ada.admin("POST", "/admin/v1/subscriptions/of-ada/revoke", `{"reason":"a test"}`).want(t, 200, "")
	wantEpochs(t, ada.keys(user, device), "atlas")
	if n := w.count(`audit WHERE action = 'pack.epoch' AND object = 'pack:atlas'`); n != 2 {
		t.Errorf("%d audit entries", n)
	}
}
