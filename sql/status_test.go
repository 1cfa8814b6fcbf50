package sql_test

import (
	"context"
	"errors"
	"net/url"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/entitlements/statuslist"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// publishing is a replica that publishes status lists, with its own connections.
type publishing struct {
	*entitlements.Service
	reports chan error
}

// publishingReplica starts another server on the database at address. If deaf, it hears no announcements.
func (b *bench) publishingReplica(t *testing.T, address string, deaf bool) publishing {
	t.Helper()
	db, err := sql.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sql.NewEntitlements(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	own := *b
	own.store = store
	p := publishing{Service: own.replica(t), reports: make(chan error, 1000)}
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan struct{}, 1)
	if !deaf {
		if err := sql.Listen(ctx, address, audience(changed)); err != nil {
			t.Fatal(err)
		}
	}
	var background sync.WaitGroup
	background.Go(func() { p.PublishStatusLists(ctx, changed, func(err error) { p.reports <- err }) })
	t.Cleanup(func() {
		cancel()
		background.Wait()
		db.Close()
	})
	return p
}

// status returns a document's status in a replica's list.
func (b *bench) status(t *testing.T, replica publishing, document entitlements.Document) entitlements.Status {
	t.Helper()
	reference := document.Status.StatusList
	if reference.URI != issuer+"/v1/status-lists/0" {
		t.Fatalf("the document refers to %s", reference.URI)
	}
	token, err := replica.StatusList(0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := b.verifier.VerifyStatusList(string(token), reference.URI, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	status, err := list.Status(reference)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// within waits, at most for as long as a list may be cached, until all statuses are as wanted, and returns how long it
// took.
func (b *bench) within(t *testing.T, replica publishing, name string, want map[string]entitlements.Status, documents map[string]entitlements.Document) {
	t.Helper()
	start := time.Now()
	for {
		wrong := ""
		for who, status := range want {
			if b.status(t, replica, documents[who]) != status {
				wrong = who
			}
		}
		if wrong == "" {
			t.Logf("%s: after %v", name, time.Since(start).Round(time.Millisecond))
			return
		}
		if time.Since(start) > entitlements.StatusListTTL {
			t.Fatalf("%s: after %v %s is %d, not %d", name, entitlements.StatusListTTL, wrong, b.status(t, replica, documents[wrong]), want[wrong])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestStatusListsShowEveryChange checks that everything that ends a document's rights appears in all replicas' lists within
// their ttl, and nothing else does.
func TestStatusListsShowEveryChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	replicas := map[string]publishing{
		"hears": b.publishingReplica(t, b.runtime, false),
		"deaf":  b.publishingReplica(t, b.runtime, true),
	}

	const valid, invalid, suspended = entitlements.StatusValid, entitlements.StatusInvalid, entitlements.StatusSuspended
	documents, devices := map[string]entitlements.Document{}, map[string]*device{}
	expected := map[string]entitlements.Status{}
	for _, who := range []string{"bystander", "revoked", "suspended", "unlinked", "lost", "replaced", "forked", "downgraded"} {
		user := b.user(t)
		b.subscribe(t, user, who, 30*24*time.Hour)
		devices[who] = b.link(t, user)
		documents[who], expected[who] = b.refresh(t, devices[who]), valid
	}
	all := func(name string, want map[string]entitlements.Status) {
		t.Helper()
		for which, replica := range replicas {
			b.within(t, replica, name+", "+which, want, documents)
		}
	}
	all("at first", expected)

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Revoke(t.Context(), "operator", "revoked", "chargeback")
	must(err)
	_, err = b.Suspend(t.Context(), "operator", "suspended", "a question")
	must(err)
	must(b.Unlink(t.Context(), "operator", devices["unlinked"].user, devices["unlinked"].id))
	must(b.RevokeDevice(t.Context(), "operator", devices["lost"].user, devices["lost"].id, "lost"))
	replacement := &device{user: devices["replaced"].user, jkt: uuid.NewString(), clock: b.clock}
	_, err = b.Link(t.Context(), replacement.user, replacement.proof(), entitlements.LinkRequest{Name: "Phone", Replaces: devices["replaced"].id})
	must(err)
	thief := *devices["forked"]
	b.refresh(t, devices["forked"])
	b.refresh(t, devices["forked"])
	_, err = thief.reconcile(t.Context(), b.Service)
	var stale *entitlements.NonceError
	if !errors.As(err, &stale) {
		t.Fatalf("a stale token: %v", err)
	}
	thief.nonce = boundNonce(t, b, &thief, stale.Nonce)
	var forked *entitlements.ForkedError
	if _, err = thief.reconcile(t.Context(), b.Service); !errors.As(err, &forked) {
		t.Fatalf("a stale token under its nonce: %v", err)
	}
	_, _, err = b.PutSubscription(t.Context(), "operator", "downgraded", entitlements.SubscriptionChange{
		User: devices["downgraded"].user, Plan: "premium", State: entitlements.SubscriptionCancelled, PaidThrough: b.clock.Now().Add(-10 * 24 * time.Hour),
	})
	must(err)
	documents["quarantined"] = b.verify(t, forked.Reconciled.Document)
	all("after all that", map[string]entitlements.Status{
		"bystander": valid, "revoked": invalid, "suspended": suspended, "unlinked": invalid, "lost": invalid, "replaced": invalid,
		"forked": invalid, "quarantined": invalid, "downgraded": invalid,
	})

	for _, id := range []entitlements.SubscriptionID{"revoked", "suspended"} {
		_, _, err := b.Reinstate(t.Context(), "operator", id, "a mistake")
		must(err)
	}
	documents["reinstated"] = b.refresh(t, devices["revoked"])
	all("after reinstating", map[string]entitlements.Status{"suspended": valid, "revoked": invalid, "reinstated": valid, "bystander": valid})
}

// TestStatusListsWhileTheDatabaseIsAway checks that the last list is served while the database is away, that changes appear
// by themselves afterwards, and that a lost listening connection is replaced.
func TestStatusListsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	replica := b.publishingReplica(t, b.runtime, false)
	documents := map[string]entitlements.Document{}
	for _, who := range []string{"first", "second", "third"} {
		user := b.user(t)
		b.subscribe(t, user, who, 30*24*time.Hour)
		documents[who] = b.refresh(t, b.link(t, user))
	}
	revoke := func(who string) {
		t.Helper()
		if _, err := b.Revoke(t.Context(), "operator", entitlements.SubscriptionID(who), "chargeback"); err != nil {
			t.Fatal(err)
		}
	}
	revoke("first")
	want := map[string]entitlements.Status{"first": entitlements.StatusInvalid, "second": entitlements.StatusValid}
	b.within(t, replica, "revoked", want, documents)
	last, err := replica.StatusList(0)
	if err != nil {
		t.Fatal(err)
	}

	address, err := url.Parse(b.owner)
	if err != nil {
		t.Fatal(err)
	}
	name := path.Base(address.Path)
	address.Path = "/postgres"
	admin := connect(t, address.String())
	admin.MustExec(`ALTER DATABASE "` + name + `" ALLOW_CONNECTIONS false`)
	disconnect(admin, name, "")
	select {
	case err := <-replica.reports:
		if err == nil {
			t.Error("reported that all is well")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was reported")
	}
	time.Sleep(2 * time.Second)
	if token, err := replica.StatusList(0); err != nil || string(token) != string(last) {
		t.Errorf("without a database: another list, %v", err)
	}

	admin.MustExec(`ALTER DATABASE "` + name + `" ALLOW_CONNECTIONS true`)
	revoke("second")
	want["second"] = entitlements.StatusInvalid
	b.within(t, replica, "back again", want, documents)
	if err := <-replica.reports; err != nil {
		t.Errorf("reported after that: %v", err)
	}

	disconnect(admin, name, "LISTEN")
	revoke("third")
	want["third"] = entitlements.StatusInvalid
	b.within(t, replica, "listening again", want, documents)
}

// disconnect ends the connections to a database whose last statement begins with that text.
func disconnect(admin *sqlx.DB, database, statement string) {
	admin.MustExec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query ILIKE $2 || '%'`, database, statement)
}

// TestStatusChanges checks the store's promise that no committed change is missed, however transactions overlap.
func TestStatusChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.db.MustExec(`INSERT INTO status_entries (list, idx) SELECT n / 4, n % 4 FROM generate_series(0, 11) n`)
	read := func(since entitlements.StatusMark) entitlements.StatusChanges {
		t.Helper()
		changes, err := b.store.StatusChanges(ctx, since)
		if err != nil {
			t.Fatal(err)
		}
		return changes
	}
	same := func(got entitlements.StatusChanges, want map[int]map[int]entitlements.Status) {
		t.Helper()
		for n, entries := range want {
			if _, ok := got.Lists[n]; !ok || len(got.Lists[n]) != len(entries) {
				t.Errorf("list %d: %v, want %v", n, got.Lists[n], entries)
			}
			for _, entry := range got.Lists[n] {
				if entries[entry.Index] != entry.Status {
					t.Errorf("list %d: %v, want %v", n, got.Lists[n], entries)
				}
			}
		}
	}

	set := func(to sqlx.Execer, list, index int, status entitlements.Status) {
		t.Helper()
		for statement, arguments := range map[string][]any{
			`UPDATE status_entries SET status = $3 WHERE list = $1 AND idx = $2`: {list, index, status},
			`INSERT INTO status_changes (list) VALUES ($1)`:                      {list},
		} {
			if _, err := to.Exec(statement, arguments...); err != nil {
				t.Fatal(err)
			}
		}
	}

	first := read(nil)
	same(first, map[int]map[int]entitlements.Status{0: {}, 1: {}, 2: {}})
	if first.Count != 3 {
		t.Errorf("%d lists", first.Count)
	}

	// One transaction begins first and commits last, with a read between the two commits, after which it is too old for the
	// housekeeping.
	early, late := b.db.MustBegin(), b.db.MustBegin()
	set(early, 0, 3, 1)
	early.MustExec(`UPDATE status_changes SET at = now() - interval '1 day'`)
	set(late, 1, 0, 2)
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	second := read(first.Mark)
	same(second, map[int]map[int]entitlements.Status{0: {}, 1: {0: 2}})
	second = read(second.Mark)
	if len(second.Lists) != 0 {
		t.Errorf("a change that is not committed was seen: %v", second.Lists)
	}
	if err := early.Commit(); err != nil {
		t.Fatal(err)
	}
	third := read(second.Mark)
	same(third, map[int]map[int]entitlements.Status{0: {3: 1}})
	if len(third.Lists) != 1 {
		t.Errorf("unchanged lists were read: %v", third.Lists)
	}

	// Without changes there is nothing to read. A return to VALID is a change, too.
	quiet := read(third.Mark)
	if len(quiet.Lists) != 0 {
		t.Errorf("without a change: %+v", quiet)
	}
	set(b.db, 1, 0, 0)
	fourth := read(quiet.Mark)
	same(fourth, map[int]map[int]entitlements.Status{1: {}})

	// From the beginning, and from a mark that is unknown here, as after a restore: everything.
	for _, since := range []entitlements.StatusMark{nil, append(fourth.Mark, uuid.NewString())} {
		same(read(since), map[int]map[int]entitlements.Status{0: {3: 1}, 1: {}, 2: {}})
	}

	// The housekeeping keeps the newest change, so that a reader who has missed swept ones reads everything.
	b.db.MustExec(`UPDATE status_changes SET at = at - interval '1 day'`)
	if err := sql.Sweep(ctx, b.db, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM status_changes`); n != 1 {
		t.Errorf("%d changes after the housekeeping", n)
	}
	if swept := read(fourth.Mark); len(swept.Lists) != 0 {
		t.Errorf("the housekeeping counts as a change: %v", swept.Lists)
	}
	if stale := read(third.Mark); len(stale.Lists) != 3 {
		t.Errorf("from a mark that was swept: %v", stale.Lists)
	}
}

// BenchmarkStatusChanges reads a list of 2^20 entries, all in use, of which one in ten is INVALID.
func BenchmarkStatusChanges(b *testing.B) {
	owner, runtime := sqltest.Database(b)
	admin, err := sqlx.Connect("postgres", owner)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close()
	admin.MustExec(`INSERT INTO status_entries (list, idx) SELECT 0, n FROM generate_series(0, $1::int) n`, statuslist.MaxLen-1)
	admin.MustExec(`UPDATE status_entries SET status = 1 WHERE idx % 10 = 0`)
	admin.MustExec(`INSERT INTO status_changes (list) VALUES (0)`)
	admin.MustExec(`VACUUM ANALYZE status_entries`) // as autovacuum does in time
	db, err := sql.Open(b.Context(), runtime)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	store, err := sql.NewEntitlements(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	changes, err := store.StatusChanges(b.Context(), nil)
	if err != nil || len(changes.Lists[0]) != statuslist.MaxLen/10+1 {
		b.Fatalf("%d entries, %v", len(changes.Lists[0]), err)
	}
	for name, since := range map[string]entitlements.StatusMark{"all": nil, "nothing new": changes.Mark} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.StatusChanges(b.Context(), since); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
