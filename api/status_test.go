package api_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// publish makes the world's server publish status lists as the program does.
func (w *world) publish() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.rights.PublishStatusLists(ctx, nil, func(error) {})
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
}

func TestStatusList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.browser()
	got := client.do("GET", "/v1/status-lists/0", nil, "Origin", allowed, "Accept-Encoding", "gzip").want(t, 200, "")
	for name, want := range map[string]string{
		"Content-Type": "application/statuslist+jwt", "Cache-Control": "public, max-age=5", "Content-Encoding": "",
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "", "Vary": "", "Set-Cookie": "", "DPoP-Nonce": "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if c := claims(t, string(got.body)); c["sub"] != origin+"/v1/status-lists/0" || c["ttl"] != 10.0 {
		t.Errorf("claims %v", c)
	}
	if head := client.do("HEAD", "/v1/status-lists/0", nil); head.StatusCode != 200 || head.Header.Get("ETag") != got.Header.Get("ETag") {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}

	// No request for a list queries the database, not even for a missing list.
	must(t, w.db.Close())
	if plans := client.admin("GET", "/admin/v1/plans", nil); plans.StatusCode < 500 {
		t.Fatalf("the database is still there: %d", plans.StatusCode)
	}
	again := client.do("GET", "/v1/status-lists/0", nil).want(t, 200, "")
	if !bytes.Equal(again.body, got.body) {
		t.Error("another list")
	}
	client.do("GET", "/v1/status-lists/0", nil, "If-None-Match", got.Header.Get("ETag")).want(t, 304, "")
	client.do("GET", "/v1/status-lists/1", nil).want(t, 404, "not_found")
}

// TestThirdPartiesReadStatusLists reads the lists without any of our code: with a Go program that uses another JWT library,
// and a Node program that uses only jose. Both take the keys from the JWK set.
func TestThirdPartiesReadStatusLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish()
	indices := map[string]int{}
	for _, name := range []string{"valid", "revoked", "suspended"} {
		user := w.browser()
		id := user.register(name)
		user.admin("PUT", "/admin/v1/subscriptions/"+name, `{"user":"`+id+`","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`).want(t, 200, "")
		device, lineage := user.link()
		document := claims(t, user.reconcile(device, lineage).want(t, 200, "").text("document"))
		reference := document["status"].(map[string]any)["status_list"].(map[string]any)
		if reference["uri"] != origin+"/v1/status-lists/0" {
			t.Fatalf("the document refers to %v", reference)
		}
		indices[name] = int(reference["idx"].(float64))
	}
	admin := w.browser()
	admin.admin("POST", "/admin/v1/subscriptions/revoked/revoke", `{"reason":"chargeback"}`).want(t, 200, "")
	admin.admin("POST", "/admin/v1/subscriptions/suspended/suspend", `{"reason":"a question"}`).want(t, 200, "")

	order := []int{indices["valid"], indices["revoked"], indices["suspended"]}
	want := fmt.Sprint([]int{0, 1, 2})
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		got, err := readWithGolangJWT(w.url, order)
		must(t, err)
		if fmt.Sprint(got) == want {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatalf("golang-jwt reads %v, want %v", got, want)
		}
	}

	arguments := []string{
		"../web/sdk/test/third-party/status-list.mjs", w.url + "/.well-known/jwks.json", w.url + "/v1/status-lists/0", origin + "/v1/status-lists/0",
	}
	for _, index := range order {
		arguments = append(arguments, strconv.Itoa(index))
	}
	node := exec.CommandContext(t.Context(), "node", arguments...)
	var complaint bytes.Buffer
	node.Stderr = &complaint
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node with jose (make test installs it): %v\n%s", err, &complaint)
	}
	if got := fmt.Sprint(strings.Fields(string(out))); got != want {
		t.Errorf("jose reads %s, want %s", got, want)
	}
}

// readWithGolangJWT is what a third party would write in Go.
func readWithGolangJWT(server string, indices []int) ([]int, error) {
	get := func(path string) ([]byte, error) {
		answer, err := http.Get(server + path)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		return io.ReadAll(answer.Body)
	}
	text, err := get("/.well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	var set struct{ Keys []struct{ Kid, X, Y string } }
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, key := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if err != nil {
			return nil, err
		}
		y, err := base64.RawURLEncoding.DecodeString(key.Y)
		if err != nil {
			return nil, err
		}
		keys[key.Kid], err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, err
		}
	}
	if text, err = get("/v1/status-lists/0"); err != nil {
		return nil, err
	}
	var claims struct {
		jwt.RegisteredClaims
		StatusList struct {
			Bits int
			Lst  string
		} `json:"status_list"`
	}
	_, err = jwt.ParseWithClaims(string(text), &claims, func(token *jwt.Token) (any, error) {
		if token.Header["typ"] != "statuslist+jwt" {
			return nil, fmt.Errorf("typ %v", token.Header["typ"])
		}
		kid, _ := token.Header["kid"].(string)
		return keys[kid], nil
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithSubject(origin+"/v1/status-lists/0"), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
	if err != nil {
		return nil, err
	}
	compressed, err := base64.RawURLEncoding.DecodeString(claims.StatusList.Lst)
	if err != nil {
		return nil, err
	}
	r, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	packed, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var statuses []int
	for _, index := range indices {
		bit := index * claims.StatusList.Bits
		statuses = append(statuses, int(packed[bit/8]>>(bit%8))&(1<<claims.StatusList.Bits-1))
	}
	return statuses, nil
}
