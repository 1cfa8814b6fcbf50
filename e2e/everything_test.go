package e2e

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/e2e/support"
)

const everythingSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// held is a document that a device holds, with further claims of its JWS.
type held struct {
	support.Document
	list, index int
}

func hold(d support.Document) (held, error) {
	var claims struct {
		Status struct {
			List struct {
				Index int    `json:"idx"`
				URI   string `json:"uri"`
			} `json:"status_list"`
		} `json:"status"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(d.Compact, ".")[1])
	if err != nil {
		return held{}, err
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return held{}, err
	}
	uri := claims.Status.List.URI
	list, err := strconv.Atoi(uri[strings.LastIndex(uri, "/")+1:])
	return held{d, list, claims.Status.List.Index}, err
}

// chaos runs all operations on accounts concurrently, on two servers.
type chaos struct {
	t       *testing.T
	ctx     context.Context
	servers []*support.Server
	db      *sql.DB
	key     *standardwebhooks.Webhook

	mu       sync.Mutex
	given    []held
	counts   map[string]int
	messages int
}

func (c *chaos) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// judge counts an answer. No answer may be a server failure; a slow machine may defer work.
func (c *chaos) judge(what string, err error) {
	var problem *support.Problem
	switch {
	case err == nil:
		c.note(what + " ok")
	case errors.As(err, &problem):
		c.note(fmt.Sprintf("%s %d %s", what, problem.Status, problem.Code))
		if problem.Status >= 500 && problem.Code != "unavailable" {
			c.t.Errorf("%s: %v", what, problem)
		}
	default:
		c.t.Errorf("%s: %v", what, err)
	}
}

func (c *chaos) client() *support.Client { return c.servers[rand.IntN(len(c.servers))].Client() }

func (c *chaos) admin(what, method, path string, body, out any) error {
	client := c.client()
	defer client.Close()
	_, err := client.Do(context.WithoutCancel(c.ctx), method, path, body, out, support.Bearer(support.AdminToken))
	c.judge(what, err)
	return err
}

// bill sends a signed webhook.
func (c *chaos) bill(subscription, user, plan, state string, paid time.Time) {
	c.mu.Lock()
	c.messages++
	id := fmt.Sprintf("msg-%d", c.messages)
	c.mu.Unlock()
	now := time.Now()
	body, err := json.Marshal(map[string]any{"type": "subscription.updated", "timestamp": now.UTC().Format(time.RFC3339Nano), "data": map[string]any{
		"id": subscription, "user": user, "plan": plan, "state": state, "paid_through": paid.UTC().Format(time.RFC3339),
	}})
	if err != nil {
		c.t.Error(err)
		return
	}
	signature, err := c.key.Sign(id, now, body)
	if err != nil {
		c.t.Error(err)
		return
	}
	client := c.client()
	defer client.Close()
	_, err = client.Do(context.WithoutCancel(c.ctx), http.MethodPost, "/v1/billing/webhook", json.RawMessage(body), nil, http.Header{
		"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {signature},
	})
	c.judge("bill", err)
}

var plans = []string{"premium", "gold"}

// edit stores a plan with random contents.
func (c *chaos) edit(plan string) {
	features := map[string]any{"notes": map[string]any{"offline": true, "limit": 100 * (1 + rand.IntN(5))}}
	if rand.IntN(2) == 0 {
		features["export"] = map[string]any{"offline": rand.IntN(4) > 0}
	}
	if rand.IntN(2) == 0 {
		features["maps"] = map[string]any{"offline": true}
	}
	_ = c.admin("edit plan", http.MethodPut, "/admin/v1/plans/"+plan, map[string]any{
		"features": features, "window": []any{nil, 3600, 86400}[rand.IntN(3)], "grace": []int{0, 3600, 259200}[rand.IntN(3)],
		"device_limit": 5, "rank": rand.IntN(20),
	}, nil)
}

// paid returns a paid time: far in the future, soon over, or over.
func paid() time.Time {
	return time.Now().Add([]time.Duration{365 * 24 * time.Hour, 48 * time.Hour, 2 * time.Hour, -time.Hour, -100 * time.Hour}[rand.IntN(5)])
}

// On two servers at once, plans are edited, and users pay, are revoked, granted days, reinstated, registered and erased,
// while their devices reconcile. No request fails, and no device sees its revision go back. At the end, each device's
// row bounds the documents it got, and the status list says VALID of no document that promises more than its user has.
func TestConcurrentOperations(t *testing.T) {
	t.Parallel()
	length := 4 * time.Second
	if full {
		length = time.Minute
	}
	first, second := startTwo(t, support.Networks, "HOLDFAST_BILLING_WEBHOOK_SECRET="+everythingSecret,
		"HOLDFAST_WEBHOOK_URL=http://localhost:9/nobody", "HOLDFAST_WEBHOOK_SECRET="+webhookSecret)
	cluster, err := support.FindCluster(first.Data)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("postgres", cluster.URL("holdfast_owner"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	key, err := standardwebhooks.NewWebhook(everythingSecret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := &chaos{t: t, ctx: ctx, servers: []*support.Server{first, second}, db: db, key: key, counts: map[string]int{}}
	c.edit("gold")
	c.edit("premium")
	// Bystanders, so that a plan has several batches of holders.
	if _, err := db.Exec(`
		WITH made AS (INSERT INTO users (id, name, created_at) SELECT gen_random_uuid(), 'Holder', now() FROM generate_series(1, 1500) RETURNING id)
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, created_at, updated_at)
		SELECT id, id, 'premium', 'active', now() + interval '1 year', now(), now() FROM made`); err != nil {
		t.Fatal(err)
	}

	const people = 10
	var acting sync.WaitGroup
	again := func(do func()) {
		acting.Go(func() {
			for ctx.Err() == nil {
				do()
			}
		})
	}
	users := make([]string, people)
	for i := range people {
		owner := first.Client()
		user, _, err := owner.Register(t.Context(), "Ada")
		if err != nil {
			t.Fatal(err)
		}
		users[i] = user.ID
		for n := range 2 {
			device, err := support.NewDevice()
			if err != nil {
				t.Fatal(err)
			}
			browser := first.Client()
			if err := lendSession(owner, browser); err != nil {
				t.Fatal(err)
			}
			if err := device.Link(t.Context(), browser, fmt.Sprintf("device %d", n)); err != nil {
				t.Fatal(err)
			}
			clients := []*support.Client{first.Client(), second.Client()}
			last := int64(0)
			again(func() {
				r, err := device.Reconcile(context.WithoutCancel(ctx), clients[rand.IntN(2)])
				c.judge("reconcile", err)
				if err != nil {
					return
				}
				if r.Document.Revision < last {
					t.Errorf("device %s: revision %d after %d", device.ID, r.Document.Revision, last)
				}
				last = r.Document.Revision
				h, err := hold(r.Document)
				if err != nil {
					t.Error(err)
				}
				c.mu.Lock()
				c.given = append(c.given, h)
				c.mu.Unlock()
				time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond) // so that others have a turn
			})
		}
	}
	one := func() (string, string) {
		i := rand.IntN(people)
		return users[i], strconv.Itoa(i)
	}
	reason := map[string]string{"reason": "everything at once"}
	for range 2 {
		again(func() {
			user, n := one()
			c.bill("bill-"+n, user, plans[rand.IntN(2)], []string{"active", "past_due", "cancelled", "trialing"}[rand.IntN(4)], paid())
		})
		again(func() {
			user, n := one()
			_ = c.admin("put", http.MethodPut, "/admin/v1/subscriptions/put-"+n, map[string]any{
				"user": user, "plan": plans[rand.IntN(2)], "state": "active", "paid_through": paid().UTC().Format(time.RFC3339),
			}, nil)
		})
		again(func() {
			_, n := one()
			_ = c.admin("support", http.MethodPost, "/admin/v1/subscriptions/"+[]string{"put-", "bill-"}[rand.IntN(2)]+n+"/"+
				[]string{"revoke", "reinstate", "suspend", "reinstate"}[rand.IntN(4)], reason, nil)
		})
		again(func() {
			user, _ := one()
			var granted struct {
				Subscription struct {
					ID string `json:"id"`
				} `json:"subscription"`
			}
			if c.admin("grant", http.MethodPost, "/admin/v1/users/"+user+"/grants", map[string]any{
				"plan": plans[rand.IntN(2)], "days": 1 + rand.IntN(30), "reason": "everything at once",
			}, &granted) == nil {
				_ = c.admin("revoke grant", http.MethodPost, "/admin/v1/subscriptions/"+granted.Subscription.ID+"/revoke", reason, nil)
			}
		})
		// Users who come and go: registered, billed, linked, sometimes copied, and erased.
		again(func() {
			visitor := c.client()
			visitor.Network = fmt.Sprintf("10.%d.%d.1", rand.IntN(256), rand.IntN(256))
			defer visitor.Close()
			user, _, err := visitor.Register(context.WithoutCancel(ctx), "Eve")
			c.judge("register", err)
			if err != nil {
				return
			}
			var meanwhile sync.WaitGroup
			meanwhile.Go(func() { c.bill("eve-"+user.ID, user.ID, "premium", "active", paid()) })
			if device, err := support.NewDevice(); err == nil {
				c.judge("link", device.Link(context.WithoutCancel(ctx), visitor, "Eve's"))
				_, err := device.Reconcile(context.WithoutCancel(ctx), visitor)
				c.judge("reconcile, then erase", err)
				meanwhile.Go(func() { _, _ = device.Reconcile(context.WithoutCancel(ctx), visitor) })
			}
			meanwhile.Go(func() {
				_ = c.admin("revoke, then erase", http.MethodPost, "/admin/v1/subscriptions/eve-"+user.ID+"/revoke", reason, nil)
			})
			_, err = visitor.Do(context.WithoutCancel(ctx), http.MethodDelete, "/v1/account", nil, nil, nil)
			c.judge("erase", err)
			meanwhile.Wait()
		})
	}
	again(func() {
		c.edit(plans[rand.IntN(2)])
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // so that some batches are done meanwhile
	})
	time.Sleep(length)
	eventually(t, "each act has succeeded", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !slices.ContainsFunc([]string{"bill", "edit plan", "erase", "grant", "link", "put", "reconcile", "revoke grant", "support"},
			func(what string) bool { return c.counts[what+" ok"] == 0 })
	})
	stop()
	acting.Wait()

	eventually(t, "all are raised", func() bool {
		var raising int
		if err := db.QueryRow(`SELECT count(*) FROM plans WHERE raising_after IS NOT NULL`).Scan(&raising); err != nil {
			t.Fatal(err)
		}
		return raising == 0
	})
	var deadlocks int
	if err := db.QueryRow(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v; %d deadlocks, %d documents", c.counts, deadlocks, len(c.given))
	c.check(users)
}

// check examines the final state.
func (c *chaos) check(users []string) {
	t := c.t
	type rights struct {
		Revision int64 `json:"revision"`
		Decision struct {
			Features map[string]struct {
				Limit   *int64 `json:"limit"`
				Offline bool   `json:"offline"`
			} `json:"features"`
		} `json:"decision"`
	}
	has := map[string]rights{}
	for _, user := range users {
		var shown rights
		client := c.client()
		if _, err := client.Do(t.Context(), http.MethodGet, "/admin/v1/users/"+user, nil, &shown, support.Bearer(support.AdminToken)); err != nil {
			t.Fatal(err)
		}
		has[user] = shown
	}
	type device struct {
		bound       *time.Time
		told        int64
		quarantined bool
	}
	devices := map[string]device{}
	rows, err := c.db.Query(`SELECT id, document_bound, coalesce(document_revision, 0), forked_at IS NOT NULL FROM devices`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var d device
		if err := rows.Scan(&id, &d.bound, &d.told, &d.quarantined); err != nil {
			t.Fatal(err)
		}
		devices[id] = d
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	status := map[[2]int]int{}
	lists, err := c.db.Query(`SELECT list, idx, status FROM status_entries`)
	if err != nil {
		t.Fatal(err)
	}
	defer lists.Close()
	for lists.Next() {
		var list, index, s int
		if err := lists.Scan(&list, &index, &s); err != nil {
			t.Fatal(err)
		}
		status[[2]int{list, index}] = s
	}
	if err := lists.Err(); err != nil {
		t.Fatal(err)
	}
	complained := 0
	for _, h := range c.given {
		d := devices[h.Device]
		if d.quarantined {
			t.Errorf("device %s is quarantined", h.Device)
			return
		}
		if h.Revision > d.told || h.Revision > has[h.Subject].Revision {
			t.Errorf("device %s got revision %d; the row says %d, the user has %d", h.Device, h.Revision, d.told, has[h.Subject].Revision)
		}
		if len(h.Features) == 0 || h.Ends().Before(time.Now()) {
			continue
		}
		if d.bound == nil || h.Ends().After(*d.bound) {
			t.Errorf("device %s got a document until %v, the row says %v", h.Device, h.Ends(), d.bound)
		}
		if status[[2]int{h.list, h.index}] != 0 {
			continue
		}
		now := has[h.Subject].Decision.Features
		for name, raw := range h.Features {
			var feature struct {
				Limit *int64 `json:"limit"`
			}
			if err := json.Unmarshal(raw, &feature); err != nil {
				t.Fatal(err)
			}
			have, ok := now[name]
			if complained < 10 && (!ok || !have.Offline || have.Limit != nil && (feature.Limit == nil || *have.Limit < *feature.Limit)) {
				complained++
				t.Errorf("VALID, though lost: %s %s of a document of revision %d (%d ago), user %s has %+v",
					name, raw, h.Revision, has[h.Subject].Revision-h.Revision, h.Subject, have)
			}
		}
	}
}
