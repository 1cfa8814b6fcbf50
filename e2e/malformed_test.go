package e2e

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/lib/pq"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.yaml.in/yaml/v4"

	"holdfast/e2e/support"
)

const (
	malformedSeed   = 11
	malformedStripe = "whsec_0123456789012345678901234567890123456789"
	malformedHook   = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// operation is one row of openapi.yaml.
type operation struct {
	method, path string
	query        []string
	body         map[string]any // the body's schema; nil: no body
}

// hostile is one request, as sent over the wire.
type hostile struct {
	number  int
	method  string
	target  string
	header  [][2]string
	body    []byte
	refused bool // whether the request must be refused
	device  *support.Device
}

func (h hostile) String() string {
	return fmt.Sprintf("request %d of seed %d: %s %.300s\n%.600q\n%d bytes: %.600q", h.number, malformedSeed, h.method, h.target, h.header, len(h.body), h.body)
}

// walk is the input of the generator.
type walk struct {
	*siege
	address    string
	operations []operation
	components map[string]any
	user       *person
	device     *support.Device
	staff      string // cookies
	ids        []string
	hook       *standardwebhooks.Webhook
	mu         sync.Mutex // of the user's passkey
}

// TestMalformedRequests sends malformed requests to all routes of openapi.yaml: wrong in method, path, query, headers,
// cookies, tokens, proofs and bodies, by callers with every kind of right. None is answered with a 5xx, and a refused
// request leaves nothing behind: no row in any table, no goroutine.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	requests := 1000
	if full {
		requests = 20_000
	}
	server := support.NewServer(t, binary)
	server.Settings = []string{
		support.Networks, "HOLDFAST_STRIPE_WEBHOOK_SECRET=" + malformedStripe,
		"HOLDFAST_BILLING_WEBHOOK_SECRET=" + malformedHook, "HOLDFAST_STRIPE_PRICE=price_1=premium",
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	w := newWalk(t, server)
	cluster, err := support.FindCluster(server.Data)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("postgres", cluster.URL("holdfast_owner"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })

	const batch, workers = 20, 4
	w.walk(0, batch, workers) // the connection pool is open then
	before, _, err := server.Goroutines()
	if err != nil {
		t.Fatal(err)
	}
	rows := countRows(t, db)
	answers := map[int]int{}
	for from := batch; from < requests && !t.Failed(); from += batch {
		statuses, accepted := w.walk(from, batch, workers)
		for _, status := range statuses {
			answers[status]++
		}
		after := countRows(t, db)
		if !accepted && !maps.Equal(rows, after) {
			t.Errorf("requests %d to %d were refused, and left rows behind: %v, before %v", from, from+batch-1, after, rows)
		}
		rows = after
	}
	t.Logf("answers by status: %v", answers)
	for _, status := range []int{200, 400, 401, 403, 404, 405, 413, 415} {
		if answers[status] == 0 && !t.Failed() {
			t.Errorf("no request was answered %d: the walk does not go where it should", status)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for {
		now, profile, err := server.Goroutines()
		if err != nil {
			t.Fatal(err)
		}
		if now <= before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before the walk:\n%s", now, before, profile)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func newWalk(t *testing.T, server *support.Server) *walk {
	s := &siege{t: t, server: server, hops: newHops()}
	w := &walk{siege: s, address: server.ListenAddress(), user: s.person("Ada")}
	var err error
	if w.hook, err = standardwebhooks.NewWebhook(malformedHook); err != nil {
		t.Fatal(err)
	}
	if w.device, err = support.NewDevice(); err != nil {
		t.Fatal(err)
	}
	if err := w.device.Link(t.Context(), w.user.client, "Laptop"); err != nil {
		t.Fatal(err)
	}
	victim := s.person("Victor")
	subscription, err := victim.client.Trial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.ids = []string{victim.user.ID, subscription, "premium", w.device.ID, "1", "0", base64.RawURLEncoding.EncodeToString(victim.passkey.ID())}
	var invited struct {
		Invitation struct{ URL string } `json:"invitation"`
	}
	bearer := support.Bearer(support.AdminToken)
	s.want("invite", s.send(server.Client(), http.MethodPost, "/admin/v1/staff", map[string]string{"name": "Grace", "role": "admin"}, &invited, bearer), "")
	grace := server.Client()
	t.Cleanup(grace.Close)
	_, code, _ := strings.Cut(invited.Invitation.URL, "#invite=")
	if _, _, err := grace.Enrol(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	w.staff = cookies(grace)

	response, err := http.Get(server.Address() + "/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	described, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(described, &document); err != nil {
		t.Fatal(err)
	}
	w.components, _ = document["components"].(map[string]any)
	paths, _ := document["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			described, ok := item[method].(map[string]any)
			if !ok || method == "parameters" {
				continue
			}
			o := operation{method: strings.ToUpper(method), path: path}
			parameters, _ := described["parameters"].([]any)
			for _, parameter := range parameters {
				if p := w.resolve(parameter); p["in"] == "query" {
					o.query = append(o.query, p["name"].(string))
				}
			}
			content, _ := w.resolve(described["requestBody"])["content"].(map[string]any)
			media, _ := content["application/json"].(map[string]any)
			o.body = w.resolve(media["schema"])
			w.operations = append(w.operations, o)
		}
	}
	if len(w.operations) < 60 {
		t.Fatalf("only %d operations in openapi.yaml", len(w.operations))
	}
	return w
}

func cookies(client *support.Client) string {
	var pairs []string
	for _, cookie := range client.Cookies() {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(pairs, "; ")
}

// resolve follows $ref.
func (w *walk) resolve(node any) map[string]any {
	object, _ := node.(map[string]any)
	for object["$ref"] != nil {
		path := strings.Split(strings.TrimPrefix(object["$ref"].(string), "#/components/"), "/")
		kind, _ := w.components[path[0]].(map[string]any)
		object, _ = kind[path[1]].(map[string]any)
	}
	return object
}

// countRows counts the rows of every table except that of spent ceremonies, because any attempt spends one.
func countRows(t *testing.T, db *sql.DB) map[string]int {
	t.Helper()
	found, err := db.QueryContext(t.Context(), `
		SELECT relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text::int
		FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'spent'`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	rows := map[string]int{}
	for found.Next() {
		var table string
		var n int
		if err := found.Scan(&table, &n); err != nil {
			t.Fatal(err)
		}
		rows[table] = n
	}
	if err := found.Err(); err != nil || len(rows) < 20 {
		t.Fatalf("%d tables, %v", len(rows), err)
	}
	return rows
}

// walk sends a batch, and reports whether a request that may change something was accepted.
func (w *walk) walk(from, batch, workers int) (statuses []int, accepted bool) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for number := from + worker; number < from+batch; number += workers {
				h := w.request(number)
				status, err := w.exchange(h)
				mu.Lock()
				statuses = append(statuses, status)
				changes := h.method != http.MethodGet && h.method != http.MethodHead
				accepted = accepted || changes && status < 300
				if err != nil {
					w.t.Errorf("%v\n%v", err, h)
				} else if h.refused && (status < 400 || status > 499) {
					w.t.Errorf("%d for what has to be refused\n%v", status, h)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return statuses, accepted
}

// exchange sends the request on its own connection and judges the answer.
func (w *walk) exchange(h hostile) (int, error) {
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", h.method, h.target, w.address)
	for _, line := range h.header {
		fmt.Fprintf(&wire, "%s: %s\r\n", line[0], line[1])
	}
	if h.body != nil {
		fmt.Fprintf(&wire, "Content-Length: %d\r\n", len(h.body))
	}
	wire.WriteString("\r\n")
	wire.Write(h.body)
	_, sent := conn.Write(wire.Bytes()) // fails where the server has answered before it has read all
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: h.method})
	if err != nil {
		if sent != nil && len(h.body) > 64<<10 {
			return http.StatusRequestEntityTooLarge, nil // the answer was lost with the connection
		}
		return 0, fmt.Errorf("no answer: %w", err)
	}
	// The body is left unread with the connection, because a stream has no end.
	if h.device != nil {
		h.device.Hear(response.Header)
	}
	status := response.StatusCode
	if status >= 500 {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return status, fmt.Errorf("%d: %s", status, body)
	}
	if status == http.StatusTooManyRequests && !isSeconds(response.Header.Get("Retry-After")) {
		return status, fmt.Errorf("429 with Retry-After %q", response.Header.Get("Retry-After"))
	}
	if status >= 400 && response.Header.Get("Content-Type") == "application/problem+json" && h.method != http.MethodHead {
		var problem support.Problem
		if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || problem.Code == "" || problem.Status != status {
			return status, fmt.Errorf("%d with problem %+v, %v", status, problem, err)
		}
	}
	return status, nil
}

func isSeconds(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0
}

// request returns the request of that number: the same in each run, except for values that the server issued.
func (w *walk) request(number int) hostile {
	r := &chance{rand.New(rand.NewPCG(malformedSeed, uint64(number)))}
	o := w.operations[number%len(w.operations)]
	h := hostile{number: number, method: o.method}
	path, query := w.path(r, o.path), url.Values{}
	for _, name := range o.query {
		if r.one(2) {
			query.Set(name, pick(r, "1", "50", w.ids[0], "Ada", "pending"))
		}
	}
	raw := ""
	api := strings.HasPrefix(o.path, "/v1/") || strings.HasPrefix(o.path, "/admin/")
	changes := o.method != http.MethodGet

	var body any
	if o.body != nil {
		body = w.example(r, o.body, 0)
	}
	h.header = append(h.header, [2]string{"X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", number>>16, number>>8&255, number&255)})
	rights := w.authorise(r, o, &h)
	media := "application/json"

	// A request that could do harm if accepted is certainly wrong.
	bodied := len(o.body) > 0 && changes
	certain := r.one(2) || changes && (!bodied || o.body["properties"] == nil || o.method == http.MethodDelete)
	switch {
	case certain && bodied && r.one(2):
		strict := o.body["additionalProperties"] == false
		h.body = spoil(r, body, strict, o.path)
		h.refused = len(h.body) > 0
		if r.one(8) {
			media = pick(r, "text/plain", "application/json; charset=latin1", "multipart/form-data", ";", "application/xml", "")
		}
	case certain && rights == open && bodied && r.one(2):
		h.body, _ = json.Marshal(body)
		media = pick(r, "text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded", ";;", "\x7f")
		h.refused = string(h.body) != "{}"
	case certain && api && r.one(2):
		raw = pick(r, "%", "a=%zz", "limit=%ff", "cursor=%00", "q=50%", "%80=1", "a=\xff")
		h.refused = true
	case certain && strings.Contains(o.path, "{") && r.one(2):
		path = w.spoiltPath(r, o.path)
		h.refused = true
	case certain && changes && r.one(2):
		h.method = pick(r, "TRACE", "PROPFIND", "get", "POSTS", "OPTIONS", "LINK", strings.Repeat("A", 300))
		h.refused = h.method != "OPTIONS"
	case certain && changes && rights != bearer && !strings.Contains(o.path, "/billing/"):
		h.header = append(h.header, [2]string{"Origin", pick(r, "https://evil.example", "null", "", w.server.Origin+".evil", "http://localhost")})
		h.refused = true
	case certain && api:
		raw = "%"
		h.refused = true
	case bodied:
		if finished := w.ceremony(o.path); finished != nil {
			body = finished
		}
		body = w.twist(r, body)
		h.body, _ = json.Marshal(body)
	default:
		for _, name := range o.query {
			query.Set(name, pick(r, hostileTexts...))
		}
		if r.one(4) {
			query.Set(pick(r, "limit", "cursor", "x", "LIMIT", "q[]"), pick(r, hostileTexts...))
		}
	}
	if r.one(3) {
		h.header = append(h.header, strayHeader(r))
	}
	if h.body != nil && media != "" {
		h.header = append(h.header, [2]string{"Content-Type", media})
	}
	w.sign(r, o, &h)
	if strings.HasPrefix(o.path, "/admin/") && h.method == http.MethodPost && r.one(3) {
		h.header = append(h.header, [2]string{"Idempotency-Key", pick(r, fmt.Sprint("key-", number), "two words", "", strings.Repeat("k", 256), "é", "\x00")})
	}
	if raw == "" {
		raw = query.Encode()
	}
	h.target = path
	if raw != "" {
		h.target += "?" + raw
	}
	if r.one(40) && !h.refused {
		h.target = pick(r, "//", "*", "/../../etc/passwd", "/./v1//session", "/v1/session/", "/"+strings.Repeat("a", 9000), "/%2e%2e/", "/v1/%73ession", "http://evil.example/v1/session")
		if changes {
			h.method = http.MethodGet
		}
	}
	return h
}

// ceremony returns a valid body that finishes a ceremony, decoded from JSON; nil if the path finishes none.
func (w *walk) ceremony(path string) (finished any) {
	var said json.RawMessage
	var options begun
	var err error
	stranger := w.server.Client()
	defer stranger.Close()
	switch path {
	case "/v1/registration":
		options = w.begin(stranger, "registration", map[string]string{"name": "Eve"})
		_, said, err = support.CreatePasskey(w.server.Origin, options.PublicKey)
	case "/v1/authentication":
		options = w.begin(stranger, "authentication", nil)
		w.mu.Lock()
		said, err = w.user.passkey.Assert(options.PublicKey)
		w.mu.Unlock()
	default:
		return nil
	}
	if err != nil {
		w.t.Error(err)
		return nil
	}
	body, err := json.Marshal(finish{options.Ceremony, said})
	if err == nil {
		err = json.Unmarshal(body, &finished)
	}
	if err != nil {
		w.t.Error(err)
	}
	return finished
}

// Kinds of rights of a request.
const (
	open   = iota // no valid credentials
	signed        // a session
	bearer        // an admin token
)

func (w *walk) authorise(r *chance, o operation, h *hostile) int {
	set := func(name, value string) { h.header = append(h.header, [2]string{name, value}) }
	switch {
	case r.one(8):
		set(pick(r, "Authorization", "Cookie", "authorization"), pick(r, "Bearer", "Bearer ", "Bearer "+support.AdminToken+"x", "Basic Og==", "Bearer \xff",
			"holdfast=", "holdfast=%00; holdfast=a", "__Host-holdfast=x", "holdfast="+strings.Repeat("A", 5000), "=;=;", "Bearer a, Bearer b"))
		return open
	case strings.HasPrefix(o.path, "/admin/") && r.one(8):
		set("Authorization", "Bearer "+support.AdminToken)
		set("Authorization", "Bearer "+support.AdminToken)
		return bearer
	case strings.HasPrefix(o.path, "/admin/") && !r.one(4):
		set("Authorization", "Bearer "+support.AdminToken)
		return bearer
	case strings.HasPrefix(o.path, "/admin/"):
		set("Cookie", w.staff)
		return signed
	case !r.one(4):
		set("Cookie", cookies(w.user.client))
		return signed
	}
	return open
}

// sign adds a proof of the sender: most are good, so that the server examines the rest.
func (w *walk) sign(r *chance, o operation, h *hostile) {
	set := func(name, value string) { h.header = append(h.header, [2]string{name, value}) }
	now := time.Now()
	switch o.path {
	case "/v1/devices", "/v1/reconcile", "/v1/entitlements":
		if r.one(6) || o.method == http.MethodGet && o.path == "/v1/devices" {
			return
		}
		device := w.device
		if o.path == "/v1/devices" {
			device, _ = support.NewDevice()
			device.Hear(http.Header{"Dpop-Nonce": {w.device.Nonce()}})
		}
		proof, err := device.Prove(o.method, w.server.Origin+o.path, h.body)
		if err != nil {
			w.t.Error(err)
			return
		}
		jws := proof.Get("DPoP")
		if r.one(3) {
			jws = spoilJWS(r, jws)
		}
		h.device = w.device
		set("DPoP", jws)
	case "/v1/billing/stripe":
		mac := hmac.New(sha256.New, []byte(malformedStripe))
		fmt.Fprintf(mac, "%d.%s", now.Unix(), h.body)
		good := fmt.Sprintf("t=%d,v1=%s", now.Unix(), hex.EncodeToString(mac.Sum(nil)))
		set("Stripe-Signature", pick(r, good, good, good, "t=,v1=", "t=99999999999999999999,v1=00", strings.Repeat("v1=00,", 500), "\xff"))
	case "/v1/billing/webhook":
		id := fmt.Sprint("msg_", h.number)
		signature, err := w.hook.Sign(id, now, h.body)
		if err != nil {
			w.t.Error(err)
			return
		}
		set("webhook-id", pick(r, id, id, id, "", "\xff"))
		set("webhook-timestamp", pick(r, strconv.FormatInt(now.Unix(), 10), strconv.FormatInt(now.Unix(), 10), "-1", "1e9", "99999999999999999999"))
		set("webhook-signature", pick(r, signature, signature, "v1,", "v1a,"+signature, strings.Repeat("v1,AA ", 500)))
	}
}
