package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"holdfast/entitlements"
	"holdfast/sql"
)

type doctorCommand struct {
	Config
	JSON bool `name:"json" help:"Print JSON, for programs."`
}

// exitCode ends the program with a code, after its output has said why.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// onlyWarnings is the exit code of a doctor that found nothing worse.
const onlyWarnings = exitCode(3)

// doctorPatience is how long each check may take.
const doctorPatience = 10 * time.Second

// clockUnsure is how far the clock may be off until the doctor warns.
const clockUnsure = 5 * time.Second

const (
	renewKeyset = "'holdfast keys renew'"
	setClocks   = "set both clocks by NTP"
)

// finding is the result of one check.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // "ok", "warning" or "failure"
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // unless ok
}

// doctor collects findings.
type doctor struct {
	Config
	findings []finding
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{check, "ok", fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(check, found, do string) {
	d.findings = append(d.findings, finding{check, "warning", found, do})
}

func (d *doctor) fail(check string, err error, do string) {
	d.findings = append(d.findings, finding{check, "failure", err.Error(), do})
}

func (c doctorCommand) Run(ctx context.Context, con console) error {
	d := &doctor{Config: c.Config}
	d.examine(ctx, newLogger(con.err, slog.LevelError))
	worst := error(nil)
	for _, f := range d.findings {
		switch {
		case f.State == "failure":
			worst = exitCode(1)
		case f.State == "warning" && worst == nil:
			worst = onlyWarnings
		}
		if !c.JSON {
			fmt.Fprintf(con.out, "%-8s %-12s %s\n", f.State, f.Check, f.Found)
			if f.Do != "" {
				fmt.Fprintf(con.out, "%21s → %s\n", "", f.Do)
			}
		}
	}
	if c.JSON {
		out := json.NewEncoder(con.out)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		if err := out.Encode(struct {
			Findings []finding `json:"findings"`
		}{d.findings}); err != nil {
			return err
		}
	}
	return worst
}

func (d *doctor) examine(ctx context.Context, log *slog.Logger) {
	if err := d.check(); err != nil {
		d.fail("settings", err, "correct the flag or its environment variable")
		return
	}
	address, err := net.ResolveTCPAddr("tcp", d.Listen)
	if err != nil {
		d.fail("settings", err, "correct --listen")
		return
	}
	site, err := d.site(address)
	if err != nil {
		d.fail("origin", err, "correct --origin, --rp-id or --allow-origin")
		return
	}
	d.origin(site)
	keys := d.keys(site)
	d.database(ctx, site, keys, log)
	d.server(ctx)
	d.public(ctx, site, keys)
}

func (d *doctor) origin(site site) {
	switch {
	case site.local() && !d.private():
		d.warn("origin", site.origin+" is reached from this machine alone", "set --origin to the public https address")
	default:
		d.ok("origin", "%s, RP ID %s", site.origin, site.rpID)
	}
	// The program serves no TLS itself: an https origin means a proxy.
	if !site.local() && len(d.TrustedProxies) == 0 {
		d.warn("proxy", "no --trusted-proxies, and TLS of "+site.origin+" ends at a proxy: all its users count as one network",
			"name the proxy's network in --trusted-proxies")
	}
}

// keys returns the keys of the server, or nil.
func (d *doctor) keys(site site) *entitlements.Keys {
	dir := d.keysDir(d.DataFolder)
	if d.private() && isEmpty(dir) {
		d.warn("keys", "there are none yet in "+dir, "'holdfast serve' makes them")
		return nil
	}
	keys, err := serverKeys(dir, site.origin, time.Now())
	if err != nil {
		d.fail("keys", err, "run as the server's user, and name its --keys and --origin")
		return nil
	}
	if warning := keysetWarning(keys.Keyset.End(), time.Now()); warning != "" {
		d.warn("keys", strings.TrimSuffix(warning, "; "+renewKeyset), renewKeyset)
	} else {
		d.ok("keys", "keyset version %d of %s ends %s", keys.Keyset.Version, dir, keys.Keyset.End().UTC().Format(time.DateOnly))
	}
	for _, file := range []string{entitlements.RootFile, entitlements.NextRootFile} {
		if _, err := os.Stat(filepath.Join(dir, file)); !d.private() && !errors.Is(err, fs.ErrNotExist) {
			d.warn("root", "the root's private key is beside the server: "+filepath.Join(dir, file), "keep it elsewhere; the server does not need it")
		}
	}
	return &keys
}

func (d *doctor) database(ctx context.Context, site site, keys *entitlements.Keys, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	db, end, err := d.open(ctx, d.DataFolder, log)
	if errors.As(err, new(sql.SchemaError)) {
		d.fail("schema", err, "compare 'holdfast migrate --status' with the programs that run")
		return
	}
	if errors.Is(err, sql.ErrOldPostgres) {
		d.fail("database", err, "move the data to a newer major version, as the guide says under 'Another version of PostgreSQL'")
		return
	}
	if err != nil {
		d.fail("database", err, "see that PostgreSQL runs, that --database-url names it and the runtime's login, and that no session holds a lock (pg_blocking_pids)")
		return
	}
	defer func() { _ = end() }()
	if err := db.CheckWritable(ctx); err != nil {
		d.fail("commit", err, "bring the synchronous standby back, free disk space, or promote a standby")
	} else {
		d.ok("commit", "changes are confirmed as configured")
	}
	seen, err := db.Examine(ctx)
	if err != nil {
		d.fail("database", err, "repeat when the database is less busy")
		return
	}
	d.ok("database", "PostgreSQL %s, schema %d, program %s of schema %d", seen.Version, seen.Schema.Version, version(), sql.Version())
	if seen.Owner {
		d.warn("role", "the login "+seen.Login+" owns the tables: a mistake in the program could change the schema or the audit trail",
			"serve with a login that is only granted holdfast_runtime")
	} else {
		d.ok("role", "%s acts as holdfast_runtime", seen.Login)
	}
	off, direction := seen.ClockAhead.Abs(), "ahead of"
	if seen.ClockAhead < 0 {
		direction = "behind"
	}
	found := fmt.Sprintf("this machine's clock is %s %s the database's", off.Round(time.Second), direction)
	switch {
	case off > entitlements.MaxClockOff:
		d.fail("clock", errors.New(found+": the server refuses requests"), setClocks)
	case off > clockUnsure:
		d.warn("clock", found, setClocks)
	default:
		d.ok("clock", "this machine's clock agrees with the database's")
	}
	d.keysetMark(ctx, db, keys)
	for rpID := range strings.FieldsSeq(seen.RPIDs) {
		if rpID != site.rpID {
			d.fail("rp id", fmt.Errorf("there are passkeys of %s, which %s cannot use", rpID, site.rpID), "set --rp-id "+rpID)
		}
	}
	d.durability(seen)
	if most := seen.Most; d.DatabasePool+1 > most {
		d.warn("connections", fmt.Sprintf("--database-pool %d and one that listens, of %d that PostgreSQL allows", d.DatabasePool, most),
			"raise max_connections, or lower --database-pool")
	} else {
		d.ok("connections", "%d and one that listens for each replica, of %d that PostgreSQL allows", d.DatabasePool, most)
	}
	if d.DatabaseListenURL != "" {
		if err := db.SameDatabase(ctx, d.DatabaseListenURL); err != nil {
			d.fail("listen", err, "have --database-listen-url name the database of --database-url, past any pooler that shares sessions")
		} else {
			d.ok("listen", "--database-listen-url is the same database")
		}
	}
	if seen.Overdue != "" {
		d.fail("housekeeping", errors.New("expired rows are left in "+seen.Overdue),
			"look in the log for 'housekeeping failed'; it pauses while no server runs or its clock is off")
	} else {
		d.ok("housekeeping", "no expired rows are left")
	}
}

func (d *doctor) keysetMark(ctx context.Context, db *sql.Database, keys *entitlements.Keys) {
	served, err := db.Entitlements.ServedKeysets(ctx)
	if err == nil && keys != nil {
		err = keys.Keyset.Served().Follows(served, keys.Roots)
	}
	switch {
	case err != nil:
		d.fail("keyset", explainRefusal(d.keysDir(d.DataFolder), err), "the server refuses to start until this is settled")
	case keys != nil && len(served) > 0:
		d.ok("keyset", "the database has served version %d", served[len(served)-1].Version)
	}
}

// durability judges what a confirmed change survives.
func (d *doctor) durability(seen sql.Examination) {
	if !seen.Fsync {
		d.fail("disk", errors.New("fsync or full_page_writes is off: a crash may lose or damage everything"), "switch both on")
	}
	switch {
	case seen.Commit == "off" || seen.Commit == "local" && seen.Names != "":
		d.fail("durability", fmt.Errorf("synchronous_commit is %s: changes are answered as done before they are safe", seen.Commit),
			"do not set it in --database-url or for the login: the server's default is on")
	case seen.Names != "" && seen.Standbys == 0:
		d.fail("standby", fmt.Errorf("synchronous_standby_names is %q, and no standby is connected: no change can be confirmed", seen.Names),
			"bring the standby back; to accept changes on one disk until then, switch off Patroni's synchronous_mode_strict, or empty the setting")
	case seen.Names != "":
		d.ok("standby", "synchronous_standby_names %q, synchronous_commit %s, %d connected", seen.Names, seen.Commit, seen.Standbys)
	case seen.Standbys > 0:
		d.warn("standby", fmt.Sprintf("%d connected, none is synchronous: a failover loses the newest changes, revocations among them", seen.Standbys),
			"set synchronous_standby_names")
	default:
		d.ok("standby", "none; what is lost with the disk comes back from the last backup")
	}
}

// untrustedForwards is the metric of requests through an unknown proxy.
var untrustedForwards = regexp.MustCompile(`(?m)^holdfast_untrusted_forwards_total ([1-9].*)$`)

// server asks the running server, which need not be one.
func (d *doctor) server(ctx context.Context) {
	base := "http://" + cmp.Or(d.OpsListen, fmt.Sprintf("localhost:%d", opsPort))
	status, ready, err := fetch(ctx, base+"/readyz")
	switch {
	case err != nil:
		d.warn("server", "it does not answer at "+base, "start it, or name its --ops-listen")
		return
	case status != http.StatusOK:
		d.fail("server", errors.New(strings.TrimSpace(string(ready))), "see the failures above, and its log")
	default:
		d.ok("server", "ready at %s", base)
	}
	if _, metrics, err := fetch(ctx, base+"/metrics"); err == nil {
		if found := untrustedForwards.FindSubmatch(metrics); found != nil {
			d.warn("proxy", string(found[1])+" requests came through a proxy that --trusted-proxies does not name: its users count as one network",
				"name the proxy's network in --trusted-proxies, unless clients send such headers themselves")
		}
	}
}

// public asks the origin for its public documents, as devices do.
func (d *doctor) public(ctx context.Context, site site, keys *entitlements.Keys) {
	const path = "/.well-known/holdfast-keyset"
	status, body, err := fetch(ctx, site.origin+path)
	switch {
	case err != nil && site.local():
		d.warn("public", err.Error(), "start the server")
	case err != nil:
		d.fail("public", err, "see that DNS, TLS and the proxy lead to the server")
	case status != http.StatusOK:
		d.fail("public", fmt.Errorf("%s%s: %d", site.origin, path, status), "have the proxy pass /.well-known/ to the server")
	case keys != nil && !bytes.Equal(bytes.TrimSpace(body), []byte(keys.Compact)):
		d.warn("public", site.origin+path+" is another keyset than the folder's", "see that all replicas have the folder's keyset; caches may take an hour")
	default:
		d.ok("public", "%s%s is served", site.origin, path)
	}
	if host := "https://" + site.rpID; !site.local() && host != site.origin {
		if status, _, err := fetch(ctx, host+"/.well-known/passkey-endpoints"); err != nil || status != http.StatusOK {
			d.warn("well-known", host+"/.well-known/passkey-endpoints is not served: password managers look there",
				"have that site proxy it, and /.well-known/webauthn, to the server")
		}
	}
}

// fetch gets a small document.
func fetch(ctx context.Context, url string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, body, err
}
