package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/e2e/support"
)

const (
	holding    = 4 * time.Second  // how long a fault lasts at least that nobody's promotion ends
	mending    = 2 * time.Minute  // how long the set-up may take to be whole again
	leaderLife = 10 * time.Second // more than ttl in patroni.yaml, after which a leader that etcd does not hear is replaced
	recovery   = 5 * time.Second  // how long after PostgreSQL the servers may take to be well again
)

// TestHighAvailability brings up the guide's set-up, and kills, freezes and cuts off its machines in turn under load. Nothing
// that was acknowledged is lost, nobody has what was revoked, each user's history is linearizable, and the servers are well
// again as soon as PostgreSQL is.
func TestHighAvailability(t *testing.T) {
	if os.Getenv("HOLDFAST_DRILLS") != "ha" {
		t.Skip("make test-ha")
	}
	d := bringUp(t)
	ctx := t.Context()
	d.load.prepare(ctx)
	working, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { d.load.run(working) })
	all.Go(func() { d.probe(working) })
	defer all.Wait()
	defer stop()

	d.begin("no fault")
	d.mend(ctx)
	everywhere, postgres := []string{"leader", "replica", "pooler", "standby"}, []string{"leader", "standby"}
	for _, way := range []struct {
		name        string
		roles       []string
		strike, end func(*machine)
	}{
		{"killed", everywhere, (*machine).kill, nil},
		{"frozen", everywhere, (*machine).freeze, (*machine).thaw},
		{"cut off", everywhere, (*machine).cut, (*machine).join},
		{"cannot send", postgres, (*machine).mute, (*machine).unmute},
		{"cannot receive", postgres, (*machine).deafen, (*machine).hear},
	} {
		for _, role := range way.roles {
			struck := d.playing(ctx, role)
			fault := d.begin(role + " " + way.name)
			if role == "replica" {
				d.load.silence(struck.name, never)
			}
			way.strike(struck)
			if role == "leader" {
				d.promoted(ctx, fault, d.other(struck))
			} else {
				time.Sleep(holding) // the length of the fault
			}
			if way.end != nil {
				way.end(struck)
			} else {
				d.starts[struck]()
			}
			if role == "replica" {
				d.load.silence(struck.name, d.load.now())
			}
			d.mend(ctx)
		}
	}
	d.goOnWithout(ctx, "etcd", d.etcd, leaderLife)
	d.goOnWithout(ctx, "haproxy", d.proxy, 0)

	// The standby that is promoted lacks all that the leader has written alone: so that must not have been acknowledged.
	leader := d.playing(ctx, "leader")
	fault := d.begin("standby cut off, leader killed")
	d.other(leader).cut()
	time.Sleep(holding)
	leader.kill()
	d.other(leader).join()
	d.promoted(ctx, fault, d.other(leader))
	d.starts[leader]()
	d.mend(ctx)

	fault = d.begin("")
	stop()
	all.Wait()
	d.faults = d.faults[:len(d.faults)-1]
	d.judge(ctx, fault.begun)
}

// goOnWithout kills a program, and checks that the leader stays, and every kind of action is acknowledged everywhere, until
// it is back. After etcd's return, Patroni 3.0 may still change the leader, as the guide says.
func (d *drill) goOnWithout(ctx context.Context, program string, host *machine, after time.Duration) {
	d.t.Helper()
	leader := d.playing(ctx, "leader")
	d.begin(program + " killed")
	host.end(program)
	time.Sleep(after)
	moment := d.load.now()
	await(ctx, d.t, "actions are acknowledged without "+program, mending, func(context.Context) bool { return d.load.sinceThen(moment) })
	if d.leader(ctx) != leader {
		d.t.Errorf("without %s, there is another leader", program)
	}
	d.starts[host]()
	d.mend(ctx)
}

// drill is the set-up and what was done to it.
type drill struct {
	t         *testing.T
	machines  *machines
	postgres  [2]*machine
	pooler    *machine
	etcd      *machine
	proxy     *machine
	replicas  [2]*support.Server
	hosts     map[*support.Server]*machine
	starts    map[*machine]func() // start a machine's programs
	superuser string              // URL of the database, with %s for host and port
	load      *load
	watcher   *support.Client
	watched   string // the watcher's subscription
	faults    []*fault
	mu        sync.Mutex
	probes    []time.Duration // when the plain connection has written
}

// fault is a fault and the time until the next one.
type fault struct {
	name            string
	begun, promoted time.Duration
}

// chapter is the section of the guide that the drill follows.
const chapter = "High availability"

// bringUp follows the guide.
func bringUp(t *testing.T) *drill {
	m := newMachines(t)
	d := &drill{t: t, machines: m, hosts: map[*support.Server]*machine{}, starts: map[*machine]func(){}}
	ctx := t.Context()

	etcd, store := m.add("etcd1", 31), m.owned("etcd", "etcd")
	d.etcd = etcd
	d.starts[etcd] = func() {
		etcd.start("etcd", "etcd", "--enable-v2", "--name", "etcd1", "--data-dir", store, "--listen-peer-urls", "http://127.0.0.1:2380",
			"--listen-client-urls", "http://"+etcd.address+":2379", "--advertise-client-urls", "http://"+etcd.address+":2379")
	}
	d.starts[etcd]()
	for i, name := range []string{"pg1", "pg2"} {
		node := m.add(name, 21+i)
		d.postgres[i] = node
		folder := m.owned(name, "postgres")
		replaced := []string{
			"/var/lib/postgresql", folder, "/var/run/postgresql", folder, "/usr/lib/postgresql/15/bin", postgresBin(t),
			"ttl: 20", "ttl: 8", "loop_wait: 2", "loop_wait: 1", "retry_timeout: 5", "retry_timeout: 3",
		}
		if i > 0 {
			replaced = append(replaced, "name: pg1", "name: pg2", "10.0.0.21:", node.address+":")
		}
		file := m.deployed("patroni.yaml", name+".yaml", replaced...)
		d.starts[node] = func() { node.start("postgres", "patroni", file) }
		d.starts[node]()
	}
	proxy := m.add("proxy", 10)
	d.proxy = proxy
	first := m.deployed("haproxy-postgres.cfg", "haproxy-postgres.cfg")
	d.starts[proxy] = func() { proxy.start("haproxy", "haproxy", "-db", "-f", first) }
	d.starts[proxy]()
	m.add("proxy2", 14).start("haproxy", "haproxy", "-db", "-f", m.deployed("haproxy-postgres.cfg", "haproxy-2.cfg", "10.0.0.10:", "10.0.0.14:"))
	d.pooler = m.add("pooler", 13)
	d.pooler.restarts = true
	users := m.write("userlist.txt", `"holdfast_runtime" "RUNTIME_PASSWORD"`)
	pooler := m.deployed("pgbouncer.ini", "pgbouncer.ini", "/etc/pgbouncer/userlist.txt", users)
	d.starts[d.pooler] = func() { d.pooler.start("postgres", "pgbouncer", pooler) }
	d.starts[d.pooler]()
	d.superuser = "postgres://postgres:POSTGRES_PASSWORD@%s/holdfast?sslmode=disable&connect_timeout=2"
	await(ctx, t, "PostgreSQL and its standby", mending, d.whole)

	desk := newDesk(t)
	keys := filepath.Join(desk.dir, "keys")
	for _, block := range commands(t, chapter) {
		block = strings.NewReplacer("/var/lib/holdfast/keys", keys, "https://app.example.org", d.origin()).Replace(m.here(block))
		desk.types(block)
	}
	d.load = &load{t: t, origin: d.origin(), targets: []target{{"proxy", "http://" + proxy.address}}}
	for i, settings := range environments(t) {
		name := string(rune('a' + i))
		host := m.add(name, 11+i)
		replica := support.NewServerAt(t, "replica "+name, binary, desk.dir, host.address+":8080", host.address+":9090")
		replica.Origin = d.origin()
		replica.Wrapper = host.wrapper("root")
		for _, line := range settings {
			if !strings.HasPrefix(line, "HOLDFAST_ORIGIN=") && !strings.HasPrefix(line, "HOLDFAST_DATA=") {
				replica.Settings = append(replica.Settings, m.here(line))
			}
		}
		d.replicas[i], d.hosts[replica] = replica, host
		d.starts[host] = func() {
			if err := replica.Start(); err != nil {
				t.Fatal(err)
			}
		}
		d.starts[host]()
		d.load.targets = append(d.load.targets, target{name, replica.Address()})
	}
	proxy.start("root", "caddy", "run", "--adapter", "caddyfile", "--config", m.deployed("Caddyfile", "Caddyfile",
		"app.example.org {", "http:// {", "lb_policy", "trusted_proxies 10.0.0.1/32\n\t\tlb_policy"))
	await(ctx, t, "Caddy", mending, func(ctx context.Context) bool {
		_, err := support.NewClient(d.origin(), "http://"+proxy.address).Do(ctx, http.MethodGet, "/roots.json", nil, nil, nil)
		return err == nil
	})
	return d
}

// origin is the public origin. Nothing listens there: the drill sends requests to its targets.
func (d *drill) origin() string { return "http://localhost:9999" }

// environments returns the settings of the replicas, from the guide.
func environments(t *testing.T) (all [][]string) {
	t.Helper()
	_, text, _ := strings.Cut(read(t, page), "\n## "+chapter+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```ini\n(.*?)```").FindAllStringSubmatch(text, -1) {
		all = append(all, regexp.MustCompile(`(?m)^HOLDFAST_\S+`).FindAllString(block[1], -1))
	}
	if len(all) != 2 {
		t.Fatalf("the guide has settings of %d replicas", len(all))
	}
	return all
}

// answers reports whether Patroni of a machine answers 200.
func (b *machine) answers(ctx context.Context, path string) bool {
	_, err := ask(ctx, "http://"+b.address+":8008"+path)
	return err == nil
}

// ask reads an answer with the status 200 within a second.
func ask(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true // a connection may be one that was cut off
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", url, answer.Status, text)
	}
	return text, err
}

// leader returns the machine of the leader, or nil.
func (d *drill) leader(ctx context.Context) *machine {
	for _, node := range d.postgres {
		if node.answers(ctx, "/primary") {
			return node
		}
	}
	return nil
}

// lastSeen returns when the leader's Patroni last spoke with etcd, in Unix time.
func (d *drill) lastSeen(ctx context.Context) (at int64) {
	if leader := d.leader(ctx); leader != nil {
		var status struct {
			DCSLastSeen int64 `json:"dcs_last_seen"`
		}
		if text, err := ask(ctx, "http://"+leader.address+":8008/patroni"); err == nil && json.Unmarshal(text, &status) == nil {
			at = status.DCSLastSeen
		}
	}
	return at
}

// mayFollow reports whether etcd says that a machine may be promoted. Patroni on the machine answers what it read last.
func (d *drill) mayFollow(ctx context.Context, standby *machine) bool {
	var key struct{ Node struct{ Value string } }
	var state struct {
		Standby string `json:"sync_standby"`
	}
	text, err := ask(ctx, "http://"+d.etcd.address+":2379/v2/keys/service/holdfast/sync")
	return err == nil && json.Unmarshal(text, &key) == nil && json.Unmarshal([]byte(key.Node.Value), &state) == nil && state.Standby == standby.name
}

func (d *drill) other(node *machine) *machine {
	return d.postgres[(slices.Index(d.postgres[:], node)+1)%2]
}

// whole reports whether there are a leader and a synchronous standby that streams from it.
func (d *drill) whole(ctx context.Context) bool {
	leader := d.leader(ctx)
	if leader == nil || !d.mayFollow(ctx, d.other(leader)) {
		return false
	}
	db := d.connect(leader.address + ":5432")
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var yes bool
	return db.QueryRowContext(ctx, `SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'`).Scan(&yes) == nil && yes
}

// connect opens the database as the superuser.
func (d *drill) connect(address string) *sql.DB {
	database := "/postgres"
	if d.load != nil {
		database = "/holdfast"
	}
	db, err := sql.Open("postgres", fmt.Sprintf(strings.Replace(d.superuser, "/holdfast", database, 1), address))
	if err != nil {
		d.t.Fatal(err)
	}
	return db
}

// playing returns the machine that plays a role now.
func (d *drill) playing(ctx context.Context, role string) (found *machine) {
	d.t.Helper()
	switch role {
	case "replica": // each in turn
		return d.hosts[d.replicas[len(d.faults)%2]]
	case "pooler":
		return d.pooler
	}
	await(ctx, d.t, "a leader", mending, func(ctx context.Context) bool {
		found = d.leader(ctx)
		return found != nil
	})
	if role == "standby" {
		return d.other(found)
	}
	return found
}

func (d *drill) begin(name string) *fault {
	f := &fault{name: name, begun: d.load.now()}
	d.faults = append(d.faults, f)
	return f
}

// promoted waits until a standby is the leader.
func (d *drill) promoted(ctx context.Context, fault *fault, standby *machine) {
	d.t.Helper()
	await(ctx, d.t, "the standby is promoted", mending, func(ctx context.Context) bool { return standby.answers(ctx, "/primary") })
	fault.promoted = d.load.now()
}

// probe writes through a new connection each time, as psql would, and notes when that was confirmed.
func (d *drill) probe(ctx context.Context) {
	address := d.machines.here("10.0.0.10:5000")
	for ctx.Err() == nil {
		if d.writes(ctx, address) {
			d.mu.Lock()
			d.probes = append(d.probes, d.load.now())
			d.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *drill) writes(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	db := d.connect(address)
	defer db.Close()
	_, err := db.ExecContext(ctx, `SELECT pg_logical_emit_message(true, 'probe', '')`)
	return err == nil && ctx.Err() == nil // a cancelled wait for the standby is no error
}

// mend waits until all is well: PostgreSQL and its standby, both servers, each kind of action at each target, the
// announcements of each server at the other, and the right of the standby to be promoted.
func (d *drill) mend(ctx context.Context) {
	d.t.Helper()
	await(ctx, d.t, "PostgreSQL and its standby", mending, d.whole)
	for _, replica := range d.replicas {
		await(ctx, d.t, "both servers are ready", mending, func(context.Context) bool { return replica.Ready() })
	}
	moment := d.load.now()
	await(ctx, d.t, "every kind of action is acknowledged everywhere", mending, func(context.Context) bool { return d.load.sinceThen(moment) })
	for i, replica := range d.replicas {
		d.announces(ctx, d.replicas[1-i], replica)
	}
	// The standby streams now, as it has confirmed changes. A round of Patroni that began earlier may still find that it does
	// not, because its connection was dead, and take its right to be promoted.
	seen := d.lastSeen(ctx)
	await(ctx, d.t, "another round of Patroni", mending, func(ctx context.Context) bool { return d.lastSeen(ctx) > seen+1 && d.whole(ctx) })
}

// announces checks that a page that is open at one server is told of a change at the other.
func (d *drill) announces(ctx context.Context, from, to *support.Server) {
	d.t.Helper()
	if d.watcher == nil {
		d.watcher = d.load.client(target{"", from.Address()})
		_, _, err := d.watcher.Register(ctx, "Alan")
		if err == nil {
			d.watched, err = d.watcher.Trial(ctx)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
	page := support.NewClient(d.origin(), to.Address())
	defer page.Close()
	if err := lendSession(d.watcher, page); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	revisions, err := page.Events(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, what := range []kind{revoke, reinstate} {
		var changed revocation
		if _, err := from.Client().Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+d.watched+"/"+string(what),
			map[string]string{"reason": "drill"}, &changed, support.Bearer(support.AdminToken)); err != nil {
			d.t.Fatal(err)
		}
		if err := support.Told(revisions, changed.Revision); err != nil {
			d.t.Errorf("after %s, a page is not told: %v", d.faults[len(d.faults)-1].name, err)
		}
	}
}

// judge reads everything back, and prints the numbers of each fault.
func (d *drill) judge(ctx context.Context, end time.Duration) {
	t, l := d.t, d.load
	for user, s := range l.subscribers {
		for _, device := range s.devices {
			at := l.targets[0]
			l.reconcile(ctx, at, l.client(at), user, device)
		}
	}
	for _, trouble := range l.trouble[:min(len(l.trouble), 20)] {
		t.Errorf("no fault explains this: %s", trouble)
	}
	losses := d.missing(ctx)
	for user, history := range l.histories() {
		for _, op := range lost(history) {
			losses = append(losses, op)
			t.Errorf("lost: %s of subscriber %d, acknowledged %v", op.kind, user, op.end)
		}
		for _, op := range wrong(history) {
			t.Errorf("wrong: subscriber %d has the feature at %s, %v to %v, long after a revoke", user, op.target, op.call, op.end)
		}
		for _, op := range outlived(history) {
			t.Errorf("subscriber %d: a document outlives offline_until of the revoke at %v", user, op.end)
		}
		if !linearizable(history) {
			t.Errorf("the history of subscriber %d is not linearizable, or that took too long to decide", user)
		}
	}
	var gaps struct{ Gaps []json.RawMessage }
	if _, err := d.replicas[0].Client().Do(ctx, http.MethodGet, "/admin/v1/gaps", nil, &gaps, support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}
	if len(gaps.Gaps) > 0 {
		t.Errorf("devices know of changes that the database does not: %s", gaps.Gaps)
	}
	d.report(l.acknowledged(), losses, end)
}

// missing returns the sign-ups and sign-ins that were acknowledged and are not in the database of the leader.
func (d *drill) missing(ctx context.Context) (losses []action) {
	t := d.t
	db := d.connect(d.leader(ctx).address + ":5432")
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT user_id FROM passkeys`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]bool{}
	for rows.Next() {
		var user string
		if err := rows.Scan(&user); err != nil {
			t.Fatal(err)
		}
		stored[user] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, m := range d.load.members {
		var session struct{ User support.User }
		_, err := m.client.Do(ctx, http.MethodGet, "/v1/session", nil, &session, nil)
		m.client.Close()
		if err != nil || session.User != m.user || !stored[m.user.ID] {
			losses = append(losses, m.action)
			t.Errorf("lost: %s at %s, acknowledged %v: session of %v, %v; passkey %v", m.kind, m.target, m.end, session.User, err, stored[m.user.ID])
		}
	}
	return losses
}

// report prints the numbers of each fault, as the guide shows them.
func (d *drill) report(acknowledged, losses []action, end time.Duration) {
	t := d.t
	var table strings.Builder
	fmt.Fprintf(&table, "| fault | acknowledged | lost | longest gap | promoted | well again |\n| --- | --- | --- | --- | --- | --- |\n")
	for i, f := range d.faults {
		until := end
		if i+1 < len(d.faults) {
			until = d.faults[i+1].begun
		}
		within := func(op action) bool { return op.end >= f.begun && op.end < until }
		count, missing, gap, last := 0, 0, time.Duration(0), f.begun
		for _, op := range acknowledged {
			if within(op) {
				count++
				gap, last = max(gap, op.end-last), op.end
			}
		}
		for _, op := range losses {
			if within(op) {
				missing++
			}
		}
		promoted, well := "", ""
		if f.promoted > 0 {
			promoted = fmt.Sprintf("%.1f s", (f.promoted - f.begun).Seconds())
			behind := d.behind(f, acknowledged)
			well = fmt.Sprintf("%.1f s", behind.Seconds())
			if behind > recovery {
				t.Errorf("%s: well again %v after PostgreSQL", f.name, behind)
			}
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %.1f s | %s | %s |\n", f.name, count, missing, max(gap, until-last).Seconds(), promoted, well)
	}
	t.Logf("%v of load, %d acknowledged\n%s", end.Round(time.Second), len(acknowledged), table.String())
}

// behind returns how long after a plain connection through the same HAProxy could write, after a promotion, each kind of
// action was acknowledged again, and each target acknowledged something.
func (d *drill) behind(f *fault, acknowledged []action) (longest time.Duration) {
	i := slices.IndexFunc(d.probes, func(at time.Duration) bool { return at > f.promoted })
	for _, match := range append(d.load.targets, target{}) {
		for _, what := range kinds {
			j := slices.IndexFunc(acknowledged, func(op action) bool {
				return op.end > f.promoted && (op.target == match.name || match.name == "" && op.kind == what)
			})
			longest = max(longest, acknowledged[j].end-d.probes[i])
		}
	}
	return longest
}
