package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast/sql"
	"holdfast/sql/local"
)

// clusterPatience is how long the private cluster may take to shut down before it is stopped without a checkpoint.
const clusterPatience = 30 * time.Second

type migrateCommand struct {
	Database
	DataFolder
	Status bool `xor:"only" help:"Only print which migrations are applied and pending, and which programs work on the schema."`
	DryRun bool `help:"Only print the SQL of the pending migrations, or that of --distribute."`
	JSON   bool `name:"json" help:"Print the status as JSON, for programs."`

	Distribute bool `xor:"only" help:"After the migrations, distribute the tables over the nodes of a PostgreSQL with Citus."`
}

func (c migrateCommand) Run(ctx context.Context, con console) (err error) {
	switch {
	case c.JSON && !c.Status:
		return wrongUse("--json is for --status")
	case c.DryRun && c.Status:
		return wrongUse("--status and --dry-run exclude each other")
	case c.Distribute && c.private():
		return wrongUse("--distribute needs the --database-url of a PostgreSQL with Citus")
	case c.Distribute && c.DryRun:
		return c.showDistribution(ctx, con)
	case c.Status || c.DryRun:
		return c.show(ctx, con)
	}
	url, stop := c.DatabaseURL, func() error { return nil }
	if c.private() {
		if err := checkRestored(c.DataFolder); err != nil {
			return err
		}
		if err := makeDataFolder(c.Data); err != nil {
			return err
		}
		cluster, err := local.Attach(ctx, local.Options{Dir: c.clusterDir(), Logger: newLogger(con.err, slog.LevelInfo)})
		if err != nil {
			return explainVersion(c.DataFolder, err)
		}
		stop = func() error { return stopCluster(ctx, cluster) }
		url = cluster.URL(local.Owner, local.Database)
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := sql.Migrate(ctx, url); err != nil {
		return err
	}
	schema, _, err := sql.Schema(ctx, url)
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "The schema is version %d.\n", schema.Version)
	if !c.Distribute {
		return nil
	}
	moved, err := sql.Distribute(ctx, url)
	for _, p := range sql.Placements {
		if slices.Contains(moved, p) {
			fmt.Fprintf(con.out, "%-20s moved, %s\n", p.Table, describePlace(p.Place))
		} else if err == nil {
			fmt.Fprintf(con.out, "%-20s unchanged, %s\n", p.Table, describePlace(p.Place))
		}
	}
	return err
}

func describePlace(place string) string {
	switch place {
	case sql.OnCoordinator:
		return "local on the coordinator"
	case sql.OnEveryNode:
		return "reference, a copy on every node"
	}
	return "distributed by " + place
}

// showDistribution prints the SQL of --distribute, and changes nothing. It prints the SQL even for a PostgreSQL that would
// refuse it.
func (c migrateCommand) showDistribution(ctx context.Context, con console) error {
	statements, err := sql.Distribution(ctx, c.DatabaseURL)
	for _, statement := range statements {
		fmt.Fprintln(con.out, statement+";")
	}
	if err == nil && len(statements) == 0 {
		fmt.Fprintln(con.out, "-- every table is in its place")
	}
	return err
}

// migrationStatus is the output of migrate --status.
type migrationStatus struct {
	Schema  int64           `json:"schema"`  // of the database; 0 before the first migration
	Oldest  int64           `json:"oldest"`  // programs of this schema and newer work on it; 0 before the first migration
	Program int64           `json:"program"` // the schema of this program
	Applied []sql.Migration `json:"applied"` // of those that this program knows
	Pending []sql.Migration `json:"pending"`
}

// show prints what migrating would do, and changes nothing.
func (c migrateCommand) show(ctx context.Context, con console) (err error) {
	url, stop, err := c.address(ctx, c.DataFolder, local.Owner, newLogger(con.err, slog.LevelInfo))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	schema, _, err := sql.Schema(ctx, url)
	if err != nil {
		return err
	}
	all := sql.Migrations()
	applied := slices.IndexFunc(all, func(m sql.Migration) bool { return m.Version > schema.Version })
	if applied < 0 {
		applied = len(all)
	}
	status := migrationStatus{schema.Version, schema.Oldest, sql.Version(), all[:applied], all[applied:]}
	switch {
	case c.JSON:
		out := json.NewEncoder(con.out)
		out.SetIndent("", "  ")
		return out.Encode(status)
	case c.DryRun && len(status.Pending) == 0:
		fmt.Fprintln(con.out, "-- nothing is pending")
		return nil
	case c.DryRun:
		for _, m := range status.Pending {
			fmt.Fprintf(con.out, "-- %s\n%s\n", m.Name, m.SQL)
		}
		return nil
	}
	fmt.Fprintf(con.out, "The schema is version %d, this program's of version %d.\n", status.Schema, status.Program)
	if status.Schema > 0 {
		fmt.Fprintf(con.out, "Programs of schema %d and newer work on it.\n", status.Oldest)
	}
	for _, m := range status.Applied {
		fmt.Fprintln(con.out, "applied ", m.Name)
	}
	for _, m := range status.Pending {
		fmt.Fprintln(con.out, "pending ", m.Name)
	}
	return nil
}

// open connects an operator's tool to the server's database, which may be a private cluster with or without a running
// server. Call the second result to end the connection.
func (d Database) open(ctx context.Context, data DataFolder, log *slog.Logger) (*sql.Database, func() error, error) {
	url, stop, err := d.address(ctx, data, local.Runtime, log)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.OpenDatabase(ctx, url, sql.DefaultConnections)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return db, func() error { return errors.Join(db.Close(), stop()) }, nil
}

// address returns the address of the server's database for an operator's tool: with the given login for the private
// cluster, and otherwise with the login in --database-url. Call the second result to end what was started for it.
func (d Database) address(ctx context.Context, data DataFolder, login string, log *slog.Logger) (string, func() error, error) {
	if !d.private() {
		return d.DatabaseURL, func() error { return nil }, nil
	}
	cluster, err := attach(ctx, data, log)
	if err != nil {
		return "", nil, err
	}
	return cluster.URL(login, local.Database), func() error { return stopCluster(ctx, cluster) }, nil
}

// attach refuses to create a cluster, so that a tool called in the wrong folder reports that.
func attach(ctx context.Context, data DataFolder, log *slog.Logger) (*local.Cluster, error) {
	if err := checkRestored(data); err != nil {
		return nil, err
	}
	if _, err := os.Stat(data.clusterDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no private cluster in %s: name the server's --data or --database-url, or run 'holdfast serve' first", data.Data)
	}
	cluster, err := local.Attach(ctx, local.Options{Dir: data.clusterDir(), Logger: log})
	return cluster, explainVersion(data, err)
}

// startCluster starts the server's private cluster.
func startCluster(ctx context.Context, data DataFolder, log *slog.Logger) (*local.Cluster, error) {
	if err := checkRestored(data); err != nil {
		return nil, err
	}
	if err := makeDataFolder(data.Data); err != nil {
		return nil, err
	}
	cluster, err := local.Start(ctx, local.Options{Dir: data.clusterDir(), Logger: log})
	if errors.Is(err, local.ErrInUse) {
		return nil, fmt.Errorf("another holdfast is running on %s", absolute(data.Data))
	}
	return cluster, explainVersion(data, err)
}

// explainVersion adds advice to the error for data of another major version of PostgreSQL: such data moves by a backup,
// which requires the version that made it.
func explainVersion(data DataFolder, err error) error {
	version := (*local.VersionError)(nil)
	if !errors.As(err, &version) {
		return err
	}
	return fmt.Errorf("%w: install PostgreSQL %s beside it, then 'holdfast backup holdfast.tar --data %s', 'mv %[3]s %[3]s.old', "+
		"and 'holdfast restore holdfast.tar --data %[3]s', which takes the newest that is here", err, version.Made, data.Data)
}

func makeDataFolder(path string) error {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // PostgreSQL runs as another user, who must pass through
	}
	return os.MkdirAll(path, mode)
}

func stopCluster(ctx context.Context, cluster *local.Cluster) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clusterPatience)
	defer cancel()
	return cluster.Stop(ctx)
}

// absolute returns the absolute path, for display.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
