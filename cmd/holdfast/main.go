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
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema to this program's version, as the owner that --database-url names."`
	Keys    struct {
		Init     keysInitCommand     `cmd:"" help:"Make a root key, a signing key and a keyset."`
		List     keysListCommand     `cmd:"" help:"List the keyset, its signing keys, the roots, and where the private keys are."`
		Rotate   keysRotateCommand   `cmd:"" help:"Publish the next signing key, which signs when its time has come; drop those whose documents have ended."`
		Retire   keysRetireCommand   `cmd:"" help:"Withdraw a signing key at once: documents under it die as devices reconcile."`
		Renew    keysRenewCommand    `cmd:"" help:"Give the keyset a new end."`
		RootNext keysRootNextCommand `cmd:"" help:"Make a second root; with --switch, have it sign the keyset; with --promote, drop the first."`
		Adopt    keysAdoptCommand    `cmd:"" help:"Have the database belong to the keys in the folder, after a change of root or origin that servers refuse; as its owner."`
		Sign     keysSignCommand     `cmd:"" help:"Sign a proposed keyset where the root's private key is; needs no keys folder."`
		Import   keysImportCommand   `cmd:"" help:"Take a keyset that was signed elsewhere."`
		Roots    keysRootsCommand    `cmd:"" help:"Print the root public keys, for builds of other apps to embed."`
	} `cmd:"" help:"Root and signing keys."`
	Token struct {
		Create tokenCreateCommand `cmd:"" help:"Make a bearer token for /admin/v1 and print it, this once."`
		List   tokenListCommand   `cmd:"" help:"List the tokens."`
		Revoke tokenRevokeCommand `cmd:"" help:"End a token."`
	} `cmd:"" help:"Bearer tokens for /admin/v1."`
	Staff struct {
		Invite  staffInviteCommand  `cmd:"" help:"Make a staff account and print the link for its first passkey, which lives 15 minutes."`
		List    staffListCommand    `cmd:"" help:"List the staff."`
		Remove  staffRemoveCommand  `cmd:"" help:"Take a staff member's role and end their sessions; they stay an ordinary user."`
		Recover staffRecoverCommand `cmd:"" help:"Print a one-time link for a staff member who has lost every passkey, or let the invitation lapse."`
	} `cmd:"" help:"Support staff, who sign in at /support."`
	Users struct {
		Import usersImportCommand `cmd:"" help:"Make accounts for existing customers, and print their one-time links."`
	} `cmd:"" help:"Accounts."`
	Audit struct {
		Export auditExportCommand `cmd:"" help:"Print the audit trail as JSON Lines, the oldest entry first."`
		Prune  auditPruneCommand  `cmd:"" help:"Delete what is older than --audit-retention, as the owner that --database-url names."`
	} `cmd:"" help:"The audit trail."`
	Backup  backupCommand  `cmd:"" help:"Write database and keys into one file, while the server runs or not; a database elsewhere as its owner."`
	Restore restoreCommand `cmd:"" help:"Put a backup where there is nothing yet: a new private cluster, or an empty database elsewhere as its owner."`
	Doctor  doctorCommand  `cmd:"" help:"Check settings, keys, database, clock, server and public address, and say what to do; takes the server's flags. Exit code 0: all is well, 3: warnings, 1: failures."`
	Verify  verifyCommand  `cmd:"" help:"Check a document, keyset or status list: print what it says and the chain of trust behind it."`
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
