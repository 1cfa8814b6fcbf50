// Command holdfast is the server for passkey sign-in and signed offline entitlements, and its operator's tools.
//
// Exit codes: 0 done, 1 refused or failed, 2 used wrongly (an invalid command line or environment variable), 3 warnings of
// doctor. One line on standard error says why, or the output.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"holdfast/passkey"
)

type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Migrate migrateCommand `cmd:"" help:"Migrate the database's schema to this program's version; needs the database's owner in --database-url."`
	Keys    struct {
		Init     keysInitCommand     `cmd:"" help:"Make a root key, a signing key and a keyset."`
		List     keysListCommand     `cmd:"" help:"List the keyset, its signing keys, the roots, and where the private keys are."`
		Rotate   keysRotateCommand   `cmd:"" help:"Publish the next signing key, which signs after --lead; drop keys whose documents have all ended."`
		Retire   keysRetireCommand   `cmd:"" help:"Withdraw a signing key at once: devices discard documents signed by it when they reconcile."`
		Renew    keysRenewCommand    `cmd:"" help:"Give the keyset a new end."`
		RootNext keysRootNextCommand `cmd:"" help:"Make a second root; with --switch, have it sign the keyset; with --promote, drop the first."`
		Adopt    keysAdoptCommand    `cmd:"" help:"Make the database accept the keys in the folder after a change of root or origin; needs the database's owner."`
		Sign     keysSignCommand     `cmd:"" help:"Sign a proposed keyset on the machine that has the root's private key; needs no keys folder."`
		Import   keysImportCommand   `cmd:"" help:"Install a keyset that was signed elsewhere."`
		Roots    keysRootsCommand    `cmd:"" help:"Print the root public keys, for builds of other apps to embed."`
		Vault    struct {
			Rotate keysVaultRotateCommand `cmd:"" help:"Make a new wrapping key, the first if there is none; the earlier ones still unwrap."`
			Rewrap keysVaultRewrapCommand `cmd:"" help:"Wrap every content key in the database with the newest wrapping key."`
			Retire keysVaultRetireCommand `cmd:"" help:"Remove a wrapping key that wraps no content key any more."`
		} `cmd:"" help:"Keys that wrap the content keys of vaults and content packs."`
	} `cmd:"" help:"Root and signing keys, and those of vaults."`
	Token struct {
		Create tokenCreateCommand `cmd:"" help:"Make a bearer token for /admin/v1 and print it; it is not shown again."`
		List   tokenListCommand   `cmd:"" help:"List the tokens."`
		Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token."`
	} `cmd:"" help:"Bearer tokens for /admin/v1."`
	Staff struct {
		Invite  staffInviteCommand  `cmd:"" help:"Make a staff account and print the link for its first passkey, valid for 15 minutes."`
		List    staffListCommand    `cmd:"" help:"List the staff."`
		Remove  staffRemoveCommand  `cmd:"" help:"Remove a staff member's role and end their sessions; the account stays an ordinary user."`
		Recover staffRecoverCommand `cmd:"" help:"Print a new one-time link for a staff member who has lost every passkey or whose invitation has lapsed."`
	} `cmd:"" help:"Support staff, who sign in at /support."`
	Users struct {
		Import usersImportCommand `cmd:"" help:"Make accounts for existing customers, and print their one-time links."`
	} `cmd:"" help:"Accounts."`
	Audit struct {
		Export auditExportCommand `cmd:"" help:"Print the audit trail as JSON Lines, the oldest entry first."`
		Prune  auditPruneCommand  `cmd:"" help:"Delete entries older than --audit-retention; needs the database's owner in --database-url."`
	} `cmd:"" help:"The audit trail."`
	Backup  backupCommand  `cmd:"" help:"Write database and keys into one file; the server may keep running. With --database-url, needs the database's owner."`
	Restore restoreCommand `cmd:"" help:"Restore a backup into a new private cluster, or into an empty database; with --database-url, needs the database's owner."`
	Doctor  doctorCommand  `cmd:"" help:"Check settings, keys, database, clock, server and public address, and say what to do; takes the flags of serve. Exit code 0: all is well, 3: warnings, 1: failures."`
	Verify  verifyCommand  `cmd:"" help:"Verify a document, keyset or status list, and print its contents and the chain of trust."`
	Version versionCommand `cmd:"" help:"Print the version."`
	Help    helpCommand    `cmd:"" help:"Print this help, or that of a command."`
}

// console holds a command's input and output streams.
type console struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal requests an orderly shutdown; a second one, no longer caught, ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr}))
}

func execute(ctx context.Context, args []string, con console) (code int) {
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	}
	var cmds commands
	parser, err := kong.New(&cmds, append(slices.Clone(mappers),
		kong.Name("holdfast"),
		kong.Description("Passkey sign-in and signed offline entitlements."),
		kong.Writers(con.out, con.err),
		kong.Bind(con),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)...)
	if err != nil {
		panic(err) // the grammar above is invalid
	}
	command, err := parser.Parse(args)
	if failed := (*kong.ParseError)(nil); errors.As(err, &failed) {
		command, err = failed.Context, usageError{err}
	}
	if err == nil {
		err = command.Run()
	}
	var wrong usageError
	var quiet exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &quiet):
		return int(quiet)
	case errors.As(err, &wrong) || errors.Is(err, passkey.ErrInvalid):
		fmt.Fprintf(con.err, "holdfast: %v (try %s --help)\n", err, commandName(command))
		return 2
	default:
		fmt.Fprintf(con.err, "holdfast: %v\n", err)
		return 1
	}
}

// mappers parse flag values of our own types.
var mappers = []kong.Option{
	kong.KindMapper(reflect.String, kong.MapperFunc(decodeText)),
	kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
	kong.TypeMapper(reflect.TypeFor[time.Time](), kong.MapperFunc(decodeTime)),
}

// commandName returns the part of the command that was recognised, such as "holdfast keys init".
func commandName(command *kong.Context) string {
	name := command.Model.Name
	for _, part := range command.Path {
		if part.Command != nil {
			name += " " + part.Command.Name
		}
	}
	return name
}

// helpCommand lists help among the commands; execute handles it.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, such as: keys init."`
}

// usageError is returned for a command line that is wrong whatever the server's state.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// wrongUse returns a usageError.
func wrongUse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// maxDays keeps durations far from overflowing: a hundred years.
const maxDays = 36_500

var leadingDays = regexp.MustCompile(`^(\d{1,6})d(.*)$`)

// parseDuration parses a duration in Go's syntax, optionally preceded by days: 7d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	days, rest := 0, text
	if match := leadingDays.FindStringSubmatch(text); match != nil {
		days, _ = strconv.Atoi(match[1]) // at most six digits
		if rest = match[2]; rest == "" {
			rest = "0"
		}
	}
	duration, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 7d, 12h or 30m", text)
	}
	if days > maxDays {
		return 0, fmt.Errorf("%q is longer than %dd", text, maxDays)
	}
	return time.Duration(days)*24*time.Hour + duration, nil
}

// popText returns the value of a flag or an argument.
func popText(ctx *kong.DecodeContext) (text string, err error) {
	if flag := ctx.Value.Flag; flag != nil && !ctx.Scan.Peek().IsValue() {
		return "", fmt.Errorf("its value is missing: write --%s=%s", flag.Name, flag.FormatPlaceHolder())
	}
	err = ctx.Scan.PopValueInto("value", &text)
	return text, err
}

func decodeText(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	target.SetString(text)
	return err
}

func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err != nil {
		return err
	}
	duration, err := parseDuration(text)
	target.SetInt(int64(duration))
	return err
}

func decodeTime(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			target.Set(reflect.ValueOf(at))
			return nil
		}
	}
	return fmt.Errorf("%q is not a time: write 2026-03-01T12:00:00Z, or 2026-03-01 for the beginning of that day in UTC", text)
}
