package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"holdfast/api"
)

const (
	// opsPort is the first port that the operations listener tries by default.
	opsPort = 9090
	// heapSlack is how much garbage may gather between two collections, beyond what Go would allow: the live heap is so small
	// that requests would otherwise trigger one every few milliseconds. It is reserved by an allocation that nothing ever
	// writes to, which therefore takes no memory itself.
	heapSlack = 48 << 20
	// shutdownPatience is how long running requests may take when the server shuts down.
	shutdownPatience = 10 * time.Second
	// reservedFiles is how many open files are kept for everything but public connections and the database.
	reservedFiles = 128
)

type serveCommand struct{ Config }

func (c serveCommand) Run(ctx context.Context, con console) error {
	greeting := con.out
	if !isTerminal(greeting) {
		greeting = io.Discard // the log has it all
	}
	return run(ctx, c.Config, greeting, con.err)
}

// run is the whole server: it serves until ctx ends, finishes running requests, and returns nil. It returns an error of one
// line if it refuses to start or cannot continue.
func run(ctx context.Context, config Config, stdout, stderr io.Writer) (err error) {
	log := newLogger(stderr, config.LogLevel)
	asked := ctx // ends when a shutdown is requested
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	if err := config.check(); err != nil {
		return usageError{err}
	}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		defer runtime.KeepAlive(make([]byte, heapSlack))
	}
	var listening net.ListenConfig
	public, err := listening.Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer public.Close() // once it is served, serve closes it
	public = netutil.LimitListener(public, config.connections())
	ops, err := listenOps(ctx, config.OpsListen)
	if err != nil {
		return fmt.Errorf("--ops-listen: %w", err)
	}
	defer ops.Close()
	site, err := config.site(public.Addr())
	if err != nil {
		return usageError{err}
	}
	app, err := config.app(site)
	if err != nil {
		return err
	}

	store, err := config.openStorage(asked, site, log)
	defer func() { err = errors.Join(err, store.close(ctx)) }()
	if err != nil {
		return unlessAsked(asked, err)
	}
	services, err := config.services(ctx, site, store, log)
	if err != nil {
		return explainRefusal(store.keysDir, err)
	}
	metrics := api.NewMetrics()
	watchDatabase(metrics, store.db)
	traces, flush, err := startTracing(ctx, log)
	if err != nil {
		return usageError{err}
	}
	defer flush(ctx)
	drain := &drain{begun: make(chan struct{})}
	handler, err := config.handler(site, app, store, services, drain, metrics, traces, log)
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx) // ends when the server has ended or cannot continue
	if err := services.work(ctx, group, config, site, store, metrics, log); err != nil {
		return err
	}
	ready := func(ctx context.Context) error {
		if asked.Err() != nil {
			return errors.New("shutting down")
		}
		return errors.Join(services.rights.ClockOff(), store.db.CheckWritable(ctx))
	}
	metrics.WatchReadiness(ready)
	log.Info("serving", "origin", site.origin, "listen", public.Addr().String(), "ops", ops.Addr().String(), "version", version())
	config.greet(stdout, site, app, ops.Addr(), keysetWarning(services.rights.KeysetEnd(), time.Now()))
	servers := []*http.Server{
		// A reconcile of 4 MiB may arrive over a slow line; a slow client may delay an answer.
		{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second},
		{Handler: api.NewOps(metrics, ready), ReadHeaderTimeout: 5 * time.Second}, // profiles take as long as requested
	}
	servers[0].RegisterOnShutdown(func() { close(drain.begun) })
	for i, listener := range []net.Listener{public, ops} {
		servers[i].IdleTimeout = 2 * time.Minute
		servers[i].MaxHeaderBytes = 32 << 10
		// net/http's own messages are about clients and contain their addresses, which must not be logged.
		servers[i].ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		group.Go(func() error {
			if err := servers[i].Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error {
		err := errEnded
		select {
		case <-asked.Done():
			log.Info("shutting down", "drain_delay", config.DrainDelay.String())
			select {
			case <-time.After(config.DrainDelay):
			case <-store.clusterEnded():
			case <-ctx.Done():
			}
		case <-store.clusterEnded():
			err = errors.New("the private PostgreSQL has stopped unexpectedly")
		case <-ctx.Done(): // a listener failed
		}
		return cmp.Or(shutdown(context.WithoutCancel(ctx), servers, &drain.streams), err)
	})
	if err := group.Wait(); !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

// errEnded ends the group of a server that was asked to shut down.
var errEnded = errors.New("ended")

// listenOps listens at address or, if it is empty, at the first free port from opsPort on: Prometheus uses opsPort too.
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

// connections returns how many public connections may be open. Files, the database and the ops listener, which must answer when
// there are too many clients, keep their share of the files that the process may open.
func (c Config) connections() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<30 {
		return 1 << 30
	}
	return max(int(limit.Cur)-2*c.DatabasePool-reservedFiles, int(limit.Cur)/4, 1) //nolint:gosec // at most 1<<30
}

// check refuses invalid settings before anything is created.
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
	if _, err := c.link(); err != nil {
		return err
	}
	if _, err := c.billingWebhook(); err != nil {
		return err
	}
	if _, err := c.webhooks(); err != nil {
		return err
	}
	if err := c.checkDatabase(); err != nil {
		return err
	}
	return c.checkDurations()
}

// unlessAsked drops the error of a start that was interrupted by a shutdown request.
func unlessAsked(asked context.Context, err error) error {
	if asked.Err() != nil {
		return nil //nolint:nilerr // a start that was called off is no failure
	}
	return err
}

// greet prints the server's addresses, where its data is, and any warning.
func (c Config) greet(w io.Writer, site site, app app, ops net.Addr, warning string) {
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
	open := ""
	if app.url != "" {
		open = "\n  Open         " + app.url
	}
	fmt.Fprintf(w, `
  Holdfast is running.
%[8]s
  Console      %[1]s/support, for staff: %[4]s staff invite --name NAME --role admin %[7]s
  Operations   http://%[2]s/metrics, /readyz (never make it public)
  API          http://%[2]s/docs/
  Data         %[3]s
  Admin token  %[4]s token create --scope admin %[5]s
  End          Ctrl-C
%[6]s
`, site.origin, ops, lies, os.Args[0], option, warning, invite, open)
}

// drain tells event streams that the server is about to stop, and counts those that are open.
type drain struct {
	begun   chan struct{}
	streams sync.WaitGroup
}

// shutdown stops accepting connections, gives running requests and event streams shutdownPatience, and then cuts the rest
// off.
func shutdown(ctx context.Context, servers []*http.Server, streams *sync.WaitGroup) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownPatience)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, server.Close())
		}
	}
	ended := make(chan struct{})
	go func() { streams.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return errors.Join(errs...)
}

// newLogger logs as text on a terminal and as JSON elsewhere.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// isTerminal reports whether what is written to w appears on a terminal.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
