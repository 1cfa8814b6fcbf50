package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/entitlements/outbox"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/web"
)

// relyingParty is the relying party's name in authenticators.
const relyingParty = "Holdfast"

// sessionsRecheck is how often sessions with open event streams are checked in the database, in case the announcement of
// their end was lost.
const sessionsRecheck = time.Minute

// clockPoll is how often the server compares its clock with the database's.
const clockPoll = 10 * time.Second

// storage holds the server's state: the database and the keys folder.
type storage struct {
	db      *sql.Database
	url     string // of the database, as the server's login
	owner   string // of the database, as the login that may migrate it
	cluster *local.Cluster
	keys    entitlements.Keys
	keysDir string
}

// openStorage connects to the database, after it has started the private cluster or checked the keys for an external
// database. Close its result, even on an error.
func (c Config) openStorage(ctx context.Context, site site, log *slog.Logger) (*storage, error) {
	s := &storage{url: c.DatabaseURL, owner: c.DatabaseURL, keysDir: c.keysDir(c.DataFolder)}
	var err error
	if c.private() {
		if s.cluster, err = startCluster(ctx, c.DataFolder, log); err != nil {
			return s, err
		}
		s.url, s.owner = s.cluster.URL(local.Runtime, local.Database), s.cluster.URL(local.Owner, local.Database)
	} else if s.keys, err = serverKeys(s.keysDir, site.origin, time.Now()); err != nil {
		return s, err
	}
	if c.migrates() {
		if err := sql.Migrate(ctx, s.owner); err != nil {
			return s, err
		}
	}
	if s.db, err = sql.OpenDatabase(ctx, s.url, c.DatabasePool); err != nil {
		return s, err
	}
	if c.private() {
		served, err := s.db.Entitlements.ServedKeysets(ctx)
		if err != nil {
			return s, err
		}
		if s.keys, err = clusterKeys(s.keysDir, site.origin, served, time.Now(), log); err != nil {
			return s, err
		}
	}
	return s, nil
}

// clusterEnded returns a channel that is closed when the private cluster has ended; nil without one.
func (s *storage) clusterEnded() <-chan struct{} {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Done()
}

func (s *storage) close(ctx context.Context) error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.cluster != nil {
		errs = append(errs, stopCluster(ctx, s.cluster))
	}
	return errors.Join(errs...)
}

// services are the domain services on their stores.
type services struct {
	passkeys *passkey.Service
	rights   *entitlements.Service
	webhooks *outbox.Service
}

func (c Config) services(ctx context.Context, site site, store *storage, log *slog.Logger) (services, error) {
	passkeys, err := passkey.New(ctx, passkey.Config{
		RPID:         site.rpID,
		RPName:       relyingParty,
		Origin:       site.origin,
		AllowOrigins: site.allowed,
		InviteOnly:   c.Registration == "invite",
		Now:          time.Now,
		Rand:         rand.Reader,
	}, store.db.Passkeys)
	if err != nil {
		return services{}, err
	}
	wrapper, err := newVaultKeys(store.keysDir)
	if err != nil {
		return services{}, err
	}
	rights, err := entitlements.New(ctx, entitlements.Config{
		Issuer:        site.origin,
		RPID:          site.rpID,
		Keys:          store.keys,
		OfflineWindow: c.OfflineWindow,
		TrialLength:   c.Trial,
		TrialPlan:     entitlements.PlanID(c.TrialPlan),
		ExpiringLead:  c.WebhookExpiring,
		ExternalIDs:   c.ExternalIDClaim,
		Vault:         wrapper,
		Now:           time.Now,
		Rand:          rand.Reader,
	}, store.db.Entitlements)
	if err != nil {
		return services{}, err
	}
	if err := c.setUpPlans(ctx, rights, log); err != nil {
		return services{}, err
	}
	webhooks, err := c.outbox(ctx, store.db.Outbox, rights.ClockOff, log)
	return services{passkeys, rights, webhooks}, err
}

// handler returns the handler of the public listener.
func (c Config) handler(
	site site, app app, store *storage, services services, drain *drain, metrics *api.Metrics,
	traces trace.TracerProvider, log *slog.Logger,
) (http.Handler, error) {
	token, err := c.adminToken()
	if err != nil {
		return nil, err
	}
	proxies, err := c.trustedProxies()
	if err != nil {
		return nil, err
	}
	helpURL, err := c.helpURL()
	if err != nil {
		return nil, err
	}
	stripe, err := c.stripe()
	if err != nil {
		return nil, err
	}
	billingLink, err := c.link()
	if err != nil {
		return nil, err
	}
	billed, err := c.billingWebhook()
	if err != nil {
		return nil, err
	}
	roots, err := store.keys.Roots.Marshal()
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Passkeys:       services.passkeys,
		Entitlements:   services.rights,
		Webhooks:       services.webhooks,
		Answers:        store.db.Answers,
		Origin:         site.origin,
		AllowOrigins:   site.allowed,
		TrustedProxies: proxies,
		BootstrapToken: token,
		HelpURL:        helpURL,
		Stripe:         stripe,
		BillingWebhook: billed,
		BillingLink:    billingLink,
		App:            app.files,
		AppChanges:     app.changes,
		AppURL:         app.url,
		AppCSP:         app.csp,
		Console:        web.Console(),
		Roots:          roots,
		Places:         c.DatabasePool / 2, // the rest is for streams that open, and for what runs beside
		Draining:       drain.begun,
		Streams:        &drain.streams,
		MaxStreams:     min(c.MaxStreams, max(c.connections()/4*3, 1)),
		Metrics:        metrics,
		Traces:         traces,
		Log:            log,
		Now:            time.Now,
	})
}

// work starts the server's background tasks, which end with ctx.
func (s services) work(
	ctx context.Context, group *errgroup.Group, config Config, site site, store *storage, metrics *api.Metrics, log *slog.Logger,
) error {
	statuses, plans, written := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	audience := s.audience(statuses, plans, written)
	audience.Listening = watchListening(metrics)
	exportClock(metrics, s.rights)
	if err := sql.Listen(ctx, cmp.Or(config.DatabaseListenURL, store.url), audience); err != nil {
		return err
	}
	do := func(task func()) { group.Go(func() error { task(); return nil }) }

	_ = s.rights.CheckClock(ctx) // before the first request; watchClock logs what it finds
	do(func() { watchClock(ctx, s.rights, cmp.Or(config.clockEvery, clockPoll), log) })
	do(func() { warnOfKeysetEnd(ctx, log, s.rights.KeysetEnd) })
	do(func() {
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
		keys := &keysWatch{dir: store.keysDir, origin: site.origin, roots: store.keys.Roots, rights: s.rights, log: log}
		keys.run(ctx, cmp.Or(config.keysEvery, keysPoll), hangups)
	})
	if config.AuditRetention.AuditRetention > 0 && config.private() {
		do(func() { config.keepPruned(ctx, store.owner, pruneEvery, log) })
	}
	do(func() {
		s.rights.PublishStatusLists(ctx, statuses, logOutage(log, "status lists not published; retrying", "status lists published again"))
	})
	do(func() {
		s.rights.RaiseHolders(ctx, plans, logOutage(log, "plan rollout failed; retrying", "plan rollout works again"))
	})
	if stripe, err := config.stripe(); err == nil && stripe != nil {
		do(func() {
			s.rights.ClaimBillings(ctx, billing.Stripe, stripe.Terms(), logOutage(log,
				"billing events of new users not claimed; retrying", "billing events of new users claimed again"))
		})
	}
	do(func() {
		s.rights.KeepTellingDue(ctx, logOutage(log,
			"subscriptions that are due not told; retrying", "subscriptions that are due told again"))
	})
	do(func() {
		s.webhooks.Run(ctx, written, logOutage(log, "webhooks not sent; retrying", "webhooks sent again"))
	})
	do(func() {
		entitlements.Repeat(ctx, sessionsRecheck, nil, s.passkeys.RecheckSessions, logOutage(log,
			"watched sessions not rechecked; retrying", "watched sessions rechecked again"))
	})
	do(func() {
		store.db.KeepHouse(ctx, s.rights.ClockOff, logOutage(log, "housekeeping failed; retrying", "housekeeping works again"))
	})
	return nil
}

// watchClock logs when the server's clock differs too much from the database's to be trusted, and when they agree again,
// until ctx ends.
func watchClock(ctx context.Context, rights *entitlements.Service, every time.Duration, log *slog.Logger) {
	var off error
	entitlements.Repeat(ctx, every, nil, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, clockPoll)
		defer cancel()
		// Without an answer from the database, the last comparison stands.
		if err := rights.CheckClock(ctx); err == nil || errors.Is(err, entitlements.ErrClockOff) {
			off = err
		}
		return off
	}, func(err error) {
		if err != nil {
			log.Error("clock is off: refusing requests, signing nothing", "error", err)
			return
		}
		log.Info("clock agrees with the database again")
	})
}

// audience routes announcements to the services that they concern.
func (s services) audience(statuses, plans, webhooks chan<- struct{}) sql.Audience {
	hurry := func(c chan<- struct{}) func() {
		return func() {
			select {
			case c <- struct{}{}:
			default: // one is already waiting
			}
		}
	}
	return sql.Audience{
		Status:  hurry(statuses),
		Plan:    hurry(plans),
		Webhook: hurry(webhooks),
		Revision: func(user entitlements.UserID, revision int64) {
			s.rights.MarksRaised(user, entitlements.Marks{Revision: revision})
		},
		Action: func(user entitlements.UserID, position int64) {
			s.rights.MarksRaised(user, entitlements.Marks{Actions: position})
		},
		SessionEnd: s.passkeys.SessionEnded,
		Missed: func(ctx context.Context) error {
			return errors.Join(s.passkeys.RecheckSessions(ctx), s.rights.RereadMarks(ctx))
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
