package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Config holds the server's settings. Each flag has an environment variable.
type Config struct {
	Listen    string `default:"localhost:8080" env:"HOLDFAST_LISTEN" placeholder:"HOST:PORT" help:"Public listener; port 0 takes a free one (default: ${default})."`
	OpsListen string `env:"HOLDFAST_OPS_LISTEN" placeholder:"HOST:PORT" help:"Listener of /metrics, /healthz, /readyz and pprof; never public (default: localhost:9090, or the next free port)."`

	Origin         string   `env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"Public origin, also the issuer and audience of documents (default: from --listen)."`
	RPID           string   `name:"rp-id" env:"HOLDFAST_RP_ID" placeholder:"HOST" help:"WebAuthn RP ID: the origin's host or a parent domain (default: the host). Passkeys are bound to it permanently."`
	AllowOrigin    []string `env:"HOLDFAST_ALLOW_ORIGIN" placeholder:"URL" help:"Further origin of the same site whose pages may call the API and use the passkeys (repeatable)."`
	TrustedProxies []string `env:"HOLDFAST_TRUSTED_PROXIES" placeholder:"CIDR" help:"Network of proxies whose Forwarded and X-Forwarded-For are trusted (repeatable). Without it, all users of a proxy count as one network for rate limits."`

	Database
	DatabaseListenURL string `name:"database-listen-url" env:"HOLDFAST_DATABASE_LISTEN_URL" placeholder:"URL" help:"The same database for the one connection that listens, such as a URL that bypasses a pooler (default: --database-url)."`
	DatabasePool      int    `default:"30" env:"HOLDFAST_DATABASE_POOL" placeholder:"N" help:"Connections to the database, at most; half of them serve requests (default: ${default})."`
	DataFolder
	KeysFolder
	Migrate *bool `env:"HOLDFAST_MIGRATE" negatable:"" help:"Migrate the database at start (default: for the private cluster only)."`

	OfflineWindow time.Duration `default:"7d" env:"HOLDFAST_OFFLINE_WINDOW" placeholder:"DURATION" help:"Longest life of a document; a plan may set a shorter one (default: ${default})."`
	Registration  string        `default:"open" enum:"open,invite" env:"HOLDFAST_REGISTRATION" help:"Who may register: open (everybody) or invite (only with an enrolment link) (default: ${default})."`
	AppFlags
	ExternalIDClaim bool          `name:"external-id-claim" env:"HOLDFAST_EXTERNAL_ID_CLAIM" help:"Put the user's external id into documents, as the claim external_id."`
	Trial           time.Duration `default:"14d" env:"HOLDFAST_TRIAL" placeholder:"DURATION" help:"Length of the self-service trial; 0 for no trial (default: ${default})."`
	TrialPlan       string        `default:"premium" env:"HOLDFAST_TRIAL_PLAN" placeholder:"PLAN" help:"Plan of the self-service trial (default: ${default})."`
	HelpURL         string        `name:"help-url" env:"HOLDFAST_HELP_URL" placeholder:"URL" help:"Help page for users whose subscription is revoked, suspended or over, https: or mailto:; GET /v1/entitlements passes it to the app."`
	AdminToken      string        `env:"HOLDFAST_ADMIN_TOKEN" placeholder:"TOKEN" help:"Bootstrap bearer token for /admin/v1, at least 32 characters. Prefer the environment variable: other users of the machine can see command lines."`
	Billing

	AuditRetention

	WebhookURL    []string `name:"webhook-url" env:"HOLDFAST_WEBHOOK_URL" placeholder:"URL" help:"Receiver of webhooks about subscriptions, devices and erased users: https, or http on this machine (repeatable)."`
	WebhookSecret []string `env:"HOLDFAST_WEBHOOK_SECRET" placeholder:"SECRET" help:"Secret that signs webhooks, whsec_ and base64 (repeatable: every secret signs). Prefer the environment variable: other users of the machine can see command lines."`

	WebhookExpiring time.Duration `default:"3d" env:"HOLDFAST_WEBHOOK_EXPIRING" placeholder:"DURATION" help:"How long before the end of the paid time the webhook subscription.expiring is sent; 0 for never (default: ${default})."`

	LogLevel   slog.Level    `default:"info" env:"HOLDFAST_LOG_LEVEL" placeholder:"LEVEL" help:"Lowest level that is logged: debug, info, warn or error; requests are logged at info (default: ${default})."`
	MaxStreams int           `default:"10000" env:"HOLDFAST_MAX_STREAMS" placeholder:"N" help:"Event streams that may be open; fewer if the limit of open files requires it (default: ${default})."`
	DrainDelay time.Duration `default:"0s" env:"HOLDFAST_DRAIN_DELAY" placeholder:"DURATION" help:"How long the server still serves after SIGTERM while /readyz is red, so that load balancers notice (default: ${default})."`

	keysEvery  time.Duration // how often the keys folder is checked; 0 means keysPoll
	clockEvery time.Duration // how often the clock is compared with the database's; 0 means clockPoll
}

// DataFolder is the default place of all files.
type DataFolder struct {
	Data string `default:"./.holdfast" env:"HOLDFAST_DATA" placeholder:"FOLDER" help:"Folder of the private cluster and of generated keys (default: ${default})."`
}

// Database selects the database, for the server and the operator's tools.
type Database struct {
	DatabaseURL string `env:"HOLDFAST_DATABASE_URL,DATABASE_URL" placeholder:"URL" help:"PostgreSQL database (default: a private cluster below --data)."`
}

// KeysFolder locates the keys.
type KeysFolder struct {
	Keys string `env:"HOLDFAST_KEYS" placeholder:"FOLDER" help:"Folder of root and signing keys and keyset (default: keys below --data)."`
}

// private reports whether the database is a private cluster.
func (d Database) private() bool { return d.DatabaseURL == "" }

func (d DataFolder) clusterDir() string { return filepath.Join(d.Data, "postgres") }

// keysDir returns the keys folder: below the data folder unless set.
func (k KeysFolder) keysDir(data DataFolder) string {
	if k.Keys != "" {
		return k.Keys
	}
	return filepath.Join(data.Data, "keys")
}

// migrates reports whether the server migrates at start.
func (c Config) migrates() bool {
	if c.Migrate != nil {
		return *c.Migrate
	}
	return c.private()
}

// minAdminToken is the minimum length of a bootstrap token: 32 characters hold 128 bits even in hexadecimal.
const minAdminToken = 32

// adminToken returns the SHA-256 of the bootstrap token, or zero without one.
func (c Config) adminToken() ([sha256.Size]byte, error) {
	if c.AdminToken == "" {
		return [sha256.Size]byte{}, nil
	}
	if len(c.AdminToken) < minAdminToken {
		return [sha256.Size]byte{}, fmt.Errorf("--admin-token is too short: at least %d characters, such as from 'openssl rand -hex 32'", minAdminToken)
	}
	return sha256.Sum256([]byte(c.AdminToken)), nil
}

func (c Config) trustedProxies() ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies %q is not a CIDR such as 10.0.0.0/8", text)
		}
		if address := prefix.Addr(); address.Is4In6() && prefix.Bits() >= 96 { // clients' addresses are compared unmapped
			prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-96)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// helpURL checks and returns the help URL as apps' pages contain it: it must not be a script or load over http.
func (c Config) helpURL() (string, error) {
	if c.HelpURL == "" {
		return "", nil
	}
	u, err := url.Parse(c.HelpURL)
	if err != nil || u.User != nil || !(u.Scheme == "https" && u.Host != "" || u.Scheme == "mailto" && strings.Contains(u.Opaque, "@")) {
		return "", fmt.Errorf("--help-url %q is neither https://… nor mailto:…@…", c.HelpURL)
	}
	return u.String(), nil
}

// minPool leaves a connection for housekeeping, one for the readiness check and two for requests.
const minPool = 4

func (c Config) checkDatabase() error {
	if c.DatabasePool < minPool {
		return fmt.Errorf("--database-pool must be at least %d", minPool)
	}
	if c.DatabaseListenURL != "" && c.private() {
		return errors.New("--database-listen-url requires --database-url: the private cluster needs neither")
	}
	return nil
}

func (c Config) checkDurations() error {
	if c.OfflineWindow < time.Minute {
		return errors.New("--offline-window must be at least a minute")
	}
	if c.Trial < 0 {
		return errors.New("--trial must not be negative")
	}
	if c.WebhookExpiring < 0 {
		return errors.New("--webhook-expiring must not be negative")
	}
	if c.DrainDelay < 0 || c.DrainDelay > time.Hour {
		return errors.New("--drain-delay must be between 0 and an hour")
	}
	if c.MaxStreams < 1 {
		return errors.New("--max-streams must be at least 1")
	}
	return c.AuditRetention.check()
}
