package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/entitlements/outbox"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/web"
)

const (
	// relyingParty is what authenticators call us.
	relyingParty = "Holdfast"
	// trialPlan is the plan of the self-service trial.
	trialPlan = "premium"
	// opsPort is the first port that the operations listener tries by default.
	opsPort = 9090
	// sessionsRecheck is how often sessions with open event streams are looked up, in case the announcement of their end was
	// lost.
	sessionsRecheck = time.Minute
	// shutdownPatience is how long requests under way may take when the server is asked to end.
	shutdownPatience = 10 * time.Second
)

type serveCommand struct{ Config }

func (c serveCommand) Run(ctx context.Context, con console) error {
	return run(ctx, c.Config, con.out, con.err)
}

// run is the server, from its listeners to its database: it serves until ctx ends, finishes what is under way, and
// returns nil. It returns an error, in one line, if it refuses to start or cannot go on. All wiring is here.
func run(ctx context.Context, config Config, stdout, stderr io.Writer) (err error) {
	log := newLogger(stderr)
	asked := ctx // ends when the server is asked to end
	ctx = context.WithoutCancel(ctx)

	if err := config.check(); err != nil {
		return usageError{err}
	}
	var listening net.ListenConfig
	public, err := listening.Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer public.Close() // once it is served, serve closes it
	ops, err := listenOps(ctx, config.OpsListen)
	if err != nil {
		return fmt.Errorf("--ops-listen: %w", err)
	}
	defer ops.Close()
	site, err := config.site(public.Addr())
	if err != nil {
		return usageError{err}
	}
	app, err := config.app()
	if err != nil {
		return err
	}

	url, owner := config.DatabaseURL, config.DatabaseURL
	keysDir := config.keysDir(config.DataFolder)
	var keys entitlements.Keys
	var clusterEnded <-chan struct{}
	if !config.private() {
		if keys, err = serverKeys(keysDir, site.origin, time.Now()); err != nil {
			return err
		}
	} else {
		cluster, failure := startCluster(asked, config.DataFolder, log)
		if failure != nil {
			return unlessAsked(asked, failure)
		}
		defer func() { err = errors.Join(err, stopCluster(ctx, cluster)) }()
		clusterEnded = cluster.Done()
		url, owner = cluster.URL(local.Runtime, local.Database), cluster.URL(local.Owner, local.Database)
	}
	if config.migrates() {
		if err := sql.Migrate(asked, owner); err != nil {
			return unlessAsked(asked, err)
		}
	}
	db, err := sql.Open(asked, url)
	if err != nil {
		return unlessAsked(asked, err)
	}
	defer db.Close()
	if err := sql.CheckVersion(asked, db); err != nil {
		return unlessAsked(asked, err)
	}
	if config.private() {
		served, err := sql.ServedKeysets(asked, db)
		if err != nil {
			return unlessAsked(asked, err)
		}
		if keys, err = clusterKeys(keysDir, site.origin, served, time.Now(), log); err != nil {
			return err
		}
	}

	metrics := api.NewMetrics()
	draining, drain := context.WithCancel(ctx)
	defer drain()
	webhooks, err := config.outbox(ctx, db, log)
	if err != nil {
		return err
	}
	handler, passkeys, rights, err := config.handler(ctx, site, keys, app, db, webhooks, draining.Done(), metrics, log)
	if err != nil {
		return explainRefusal(keysDir, err)
	}
	clock := &clockWatch{check: rights.CheckClock, log: log}
	clock.look(asked)
	go clock.run(asked, clockPoll)
	go warnOfKeysetEnd(asked, log, rights.KeysetEnd)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	watch := &keysWatch{dir: keysDir, origin: site.origin, roots: keys.Roots, rights: rights, log: log}
	go watch.run(asked, cmp.Or(config.keysEvery, keysPoll), hangups)
	working, stop := context.WithCancel(ctx) // also while requests are finished, until the server ends
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	statuses, plans, written := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	if err := sql.Listen(working, url, audience(passkeys, rights, statuses, plans, written)); err != nil {
		return err
	}
	if config.AuditRetention.AuditRetention > 0 && config.private() {
		background.Go(func() { config.keepPruned(working, owner, pruneEvery, log) })
	}
	background.Go(func() {
		rights.PublishStatusLists(working, statuses, logOutage(log,
			"status lists not published; retrying", "status lists published again"))
	})
	background.Go(func() {
		rights.RaiseHolders(working, plans, logOutage(log,
			"plan rollout failed; retrying", "plan rollout works again"))
	})
	if stripe, err := config.stripe(); err == nil && stripe != nil {
		background.Go(func() {
			rights.ClaimBillings(working, billing.Stripe, stripe.Terms(), logOutage(log,
				"billing events of new users not claimed; retrying", "billing events of new users claimed again"))
		})
	}
	background.Go(func() {
		webhooks.Run(working, written, logOutage(log,
			"webhooks not sent: database failed; retrying", "webhooks sent again"))
	})
	background.Go(func() {
		entitlements.Repeat(working, sessionsRecheck, nil, passkeys.RecheckSessions, logOutage(log,
			"watched sessions not rechecked; retrying", "watched sessions rechecked again"))
	})
	background.Go(func() {
		sql.KeepHouse(working, db, time.Now, logOutage(log, "housekeeping failed; retrying", "housekeeping works again"))
	})
	ready := func(ctx context.Context) error {
		if asked.Err() != nil {
			return errors.New("shutting down")
		}
		return errors.Join(rights.ClockOff(), sql.CheckWritable(ctx, db))
	}

	log.Info("serving", "origin", site.origin, "listen", public.Addr().String(), "ops", ops.Addr().String(), "version", version())
	config.greet(stdout, site, ops.Addr(), keysetWarning(rights.KeysetEnd(), time.Now()))
	servers := []*http.Server{
		// A reconcile of 4 MiB may come over a slow line; an answer may wait for a slow client.
		{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second},
		{Handler: api.NewOps(metrics, ready), ReadHeaderTimeout: 5 * time.Second}, // profiles take as long as they are asked to
	}
	servers[0].RegisterOnShutdown(drain)
	failed := make(chan error, len(servers))
	for i, listener := range []net.Listener{public, ops} {
		servers[i].IdleTimeout = 2 * time.Minute
		servers[i].MaxHeaderBytes = 32 << 10
		// The server's own complaints are about clients and name their addresses, which belong in no log.
		servers[i].ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		go func() { failed <- servers[i].Serve(listener) }()
	}

	select {
	case <-asked.Done():
		log.Info("shutting down")
	case err = <-failed:
	case <-clusterEnded:
		err = errors.New("the private PostgreSQL has stopped unexpectedly")
	}
	return errors.Join(err, shutdown(ctx, servers))
}

// listenOps listens at address or, if that is empty, at the first free port from opsPort on: Prometheus uses opsPort too.
func listenOps(ctx context.Context, address string) (net.Listener, error) {
	var listening net.ListenConfig
	if address != "" {
		return listening.Listen(ctx, "tcp", address)
	}
	for port := opsPort; ; port++ {
		listener, err := listening.Listen(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
		if !errors.Is(err, syscall.EADDRINUSE) || port == opsPort+100 {
			return listener, err
		}
	}
}

// check refuses what can be refused before anything is touched.
func (c Config) check() error {
	if err := checkAddress("--listen", c.Listen); err != nil {
		return err
	}
	if c.OpsListen != "" {
		if err := checkAddress("--ops-listen", c.OpsListen); err != nil {
			return err
		}
	}
	if _, err := c.adminToken(); err != nil {
		return err
	}
	if _, err := c.trustedProxies(); err != nil {
		return err
	}
	if _, err := c.helpURL(); err != nil {
		return err
	}
	if _, err := c.stripe(); err != nil {
		return err
	}
	if _, err := c.billingWebhook(); err != nil {
		return err
	}
	if _, err := c.webhooks(); err != nil {
		return err
	}
	return c.checkDurations()
}

// unlessAsked drops an error of a start that was cut short because the server was asked to end.
func unlessAsked(asked context.Context, err error) error {
	if asked.Err() != nil {
		return nil //nolint:nilerr // whoever asked it to end did not want it to start
	}
	return err
}

// handler builds the domains and the public surface. The services are for what they have to do besides answering.
func (c Config) handler(
	ctx context.Context, site site, keys entitlements.Keys, app fs.FS, db *sqlx.DB, webhooks *outbox.Service,
	draining <-chan struct{}, metrics *api.Metrics, log *slog.Logger,
) (http.Handler, *passkey.Service, *entitlements.Service, error) {
	accounts, err := sql.NewPasskeys(ctx, db)
	if err != nil {
		return nil, nil, nil, err
	}
	passkeys, err := passkey.New(ctx, passkey.Config{
		RPID:         site.rpID,
		RPName:       relyingParty,
		Origin:       site.origin,
		AllowOrigins: site.allowed,
		InviteOnly:   c.Registration == "invite",
		Now:          time.Now,
		Rand:         rand.Reader,
	}, accounts)
	if err != nil {
		return nil, nil, nil, err
	}
	store, err := sql.NewEntitlements(ctx, db)
	if err != nil {
		return nil, nil, nil, err
	}
	rights, err := entitlements.New(ctx, entitlements.Config{
		Issuer:        site.origin,
		RPID:          site.rpID,
		Keys:          keys,
		OfflineWindow: c.OfflineWindow,
		TrialLength:   c.Trial,
		TrialPlan:     trialPlan,
		Now:           time.Now,
		Rand:          rand.Reader,
	}, store)
	if err != nil {
		return nil, nil, nil, err
	}
	token, err := c.adminToken()
	if err != nil {
		return nil, nil, nil, err
	}
	proxies, err := c.trustedProxies()
	if err != nil {
		return nil, nil, nil, err
	}
	helpURL, err := c.helpURL()
	if err != nil {
		return nil, nil, nil, err
	}
	stripe, err := c.stripe()
	if err != nil {
		return nil, nil, nil, err
	}
	billed, err := c.billingWebhook()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := c.warnOfPrices(ctx, rights, log); err != nil {
		return nil, nil, nil, err
	}
	roots, err := keys.Roots.Marshal()
	if err != nil {
		return nil, nil, nil, err
	}
	handler, err := api.New(api.Config{
		Passkeys:       passkeys,
		Entitlements:   rights,
		Webhooks:       webhooks,
		Answers:        sql.NewAnswers(db),
		Origin:         site.origin,
		AllowOrigins:   site.allowed,
		TrustedProxies: proxies,
		BootstrapToken: token,
		HelpURL:        helpURL,
		Stripe:         stripe,
		BillingWebhook: billed,
		App:            app,
		Console:        web.Console(),
		Roots:          roots,
		Draining:       draining,
		Metrics:        metrics,
		Log:            log,
		Now:            time.Now,
	})
	return handler, passkeys, rights, err
}

// audience passes on what is announced to those whom it concerns.
func audience(passkeys *passkey.Service, rights *entitlements.Service, statuses, plans, webhooks chan<- struct{}) sql.Audience {
	hurry := func(c chan<- struct{}) func() {
		return func() {
			select {
			case c <- struct{}{}:
			default: // one is waiting
			}
		}
	}
	return sql.Audience{
		Status:     hurry(statuses),
		Plan:       hurry(plans),
		Webhook:    hurry(webhooks),
		Revision:   rights.RevisionRaised,
		SessionEnd: passkeys.SessionEnded,
		Missed: func(ctx context.Context) error {
			return errors.Join(passkeys.RecheckSessions(ctx), rights.RereadRevisions(ctx))
		},
	}
}

// logOutage returns a report function that logs when a background task begins to fail, and when it works again.
func logOutage(log *slog.Logger, failing, again string) func(error) {
	return func(err error) {
		if err != nil {
			log.Warn(failing, "error", err)
			return
		}
		log.Info(again)
	}
}

// app returns the files to serve at /, or nil to serve none.
func (c Config) app() (fs.FS, error) {
	switch c.App {
	case "none":
		return nil, nil
	case "fieldbook":
		return web.Dist(), nil
	}
	// An os.Root refuses links that lead out of the folder, such as to /etc/passwd.
	root, err := os.OpenRoot(c.App)
	if err == nil {
		_, err = root.Stat("index.html")
	}
	if err != nil {
		return nil, fmt.Errorf("--app %q is neither fieldbook nor none nor a folder with an index.html: %w", c.App, err)
	}
	return root.FS(), nil
}

// greet tells people where things are, and what they must not forget.
func (c Config) greet(w io.Writer, site site, ops net.Addr, warning string) {
	lies, option := "a database elsewhere; keys in "+absolute(c.keysDir(c.DataFolder)), "--database-url …"
	if c.private() {
		lies, option = absolute(c.Data), "--data "+c.Data
	}
	invite := option // its link leads to the keyset's issuer
	if c.Keys != "" || !c.private() {
		invite = "--keys " + c.keysDir(c.DataFolder) + " " + option
	}
	if warning != "" {
		warning = "\n  WARNING: " + warning + "\n"
	}
	fmt.Fprintf(w, `
  Holdfast is running.

  Open         %[1]s
  Console      %[1]s/support, for staff: %[4]s staff invite --role admin --name NAME %[7]s
  Operations   http://%[2]s/metrics, /readyz (never make it public)
  Data         %[3]s
  Admin token  %[4]s token create --scope admin %[5]s
  End          Ctrl-C
%[6]s
`, site.origin, ops, lies, os.Args[0], option, warning, invite)
}

// shutdown stops accepting, gives requests under way shutdownPatience, and cuts off those that are left.
func shutdown(ctx context.Context, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownPatience)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, server.Close())
		}
	}
	return errors.Join(errs...)
}

// newLogger logs for people on a terminal, as JSON elsewhere.
func newLogger(w io.Writer) *slog.Logger {
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(slog.NewTextHandler(w, nil))
		}
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}
