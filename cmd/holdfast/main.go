// Command holdfast is the server for passkey sign-in and signed offline entitlements, and its operator's tools.
//
// Exit codes: 0 done, 1 refused or failed (one line on standard error says why), 2 used wrongly.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the server. This is what happens when no command is given."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema to this program's version, as the owner that --database-url names."`
	Keys    struct {
		Init     keysInitCommand     `cmd:"" help:"Make a root key, a signing key and a keyset."`
		List     keysListCommand     `cmd:"" help:"List the keyset, its signing keys, the roots, and where the private keys are."`
		Rotate   keysRotateCommand   `cmd:"" help:"Publish the next signing key, which signs when its time has come; drop those whose documents have ended."`
		Retire   keysRetireCommand   `cmd:"" help:"Withdraw a signing key at once: documents under it die as devices reconcile."`
		Renew    keysRenewCommand    `cmd:"" help:"Give the keyset a new end."`
		RootNext keysRootNextCommand `cmd:"" help:"Make a second root; with --switch, have it sign the keyset; with --promote, drop the first."`
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
	Audit struct {
		Export auditExportCommand `cmd:"" help:"Print the audit trail as JSON Lines, the oldest entry first."`
		Prune  auditPruneCommand  `cmd:"" help:"Delete what is older than --audit-retention, as the owner that --database-url names."`
	} `cmd:"" help:"The audit trail."`
	Backup  backupCommand  `cmd:"" help:"Write database and keys into one file, while the server runs or not; a database elsewhere as its owner."`
	Restore restoreCommand `cmd:"" help:"Put a backup where there is nothing yet: a new private cluster, or an empty database elsewhere as its owner."`
	Verify  verifyCommand  `cmd:"" help:"Check a document, keyset or status list: print what it says and the chain of trust behind it."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one, no longer caught, ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr}))
}

func execute(ctx context.Context, args []string, con console) (code int) {
	var cmds commands
	parser, err := kong.New(&cmds,
		kong.Name("holdfast"),
		kong.Description("Passkey sign-in and signed offline entitlements."),
		kong.Writers(con.out, con.err),
		kong.Bind(con),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the grammar above is wrong
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(con.err, "holdfast: %v (try holdfast --help)\n", err)
		return 2
	}
	if err := command.Run(); err != nil {
		fmt.Fprintf(con.err, "holdfast: %v\n", err)
		return 1
	}
	return 0
}
