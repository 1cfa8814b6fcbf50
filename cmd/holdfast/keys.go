package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
	"holdfast/sql"
	"holdfast/sql/local"
)

// keysLocation holds the flags that locate the keys folder, as for the server.
type keysLocation struct {
	DataFolder
	KeysFolder
}

func (l keysLocation) dir() string { return l.keysDir(l.DataFolder) }

type keysInitCommand struct {
	keysLocation `embed:""`
	Origin       string `required:"" env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"The server's public origin, which becomes the issuer of keyset and documents."`
	RootOut      string `placeholder:"FILE" help:"Put the root's private key there instead of into the folder."`
}

func (c keysInitCommand) Run(con console) error {
	origin, err := parseOrigin(c.Origin)
	if err != nil {
		return wrongUse("--origin %q %w", c.Origin, err)
	}
	keys, err := makeKeys(c.dir(), origin.String(), c.RootOut, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "Made keys for %s in %s: the keyset ends on %s.\n", origin, c.dir(), keys.Keyset.End().Format(time.DateOnly))
	if c.RootOut == "" {
		c.RootOut = filepath.Join(c.dir(), entitlements.RootFile)
	}
	fmt.Fprintf(con.out, "The server does not need %s: keep it in a safe place elsewhere.\n", c.RootOut)
	return nil
}

type keysRotateCommand struct {
	keysLocation  `embed:""`
	Lead          time.Duration `default:"1d" placeholder:"DURATION" help:"How long the new key is published before it signs (default: ${default})."`
	OfflineWindow time.Duration `default:"7d" env:"HOLDFAST_OFFLINE_WINDOW" placeholder:"DURATION" help:"The server's --offline-window: a key is dropped once the last document signed by it has ended (default: ${default})."`
}

func (c keysRotateCommand) Run(con console) error {
	if c.Lead < 0 || c.OfflineWindow < 0 {
		return wrongUse("--lead and --offline-window must not be negative")
	}
	return changeKeyset(con, c.dir(), func(keys entitlements.Keys, now time.Time) (entitlements.Proposal, jose.PrivateKey, error) {
		return keys.Rotate(rand.Reader, now, c.Lead, c.OfflineWindow)
	})
}

type keysRetireCommand struct {
	keysLocation `embed:""`
	Replace      bool   `help:"If no other key could sign, make a new one that signs at once."`
	Key          string `arg:"" name:"kid" help:"The signing key, as 'keys list' names it."`
}

func (c keysRetireCommand) Run(con console) error {
	err := changeKeyset(con, c.dir(), func(keys entitlements.Keys, now time.Time) (entitlements.Proposal, jose.PrivateKey, error) {
		return keys.Retire(rand.Reader, now, c.Key, c.Replace)
	})
	if errors.Is(err, entitlements.ErrLastSigningKey) {
		return fmt.Errorf("%w: with --replace, a new one is made in the same step", err)
	}
	return err
}

type keysRenewCommand struct {
	keysLocation `embed:""`
	Life         time.Duration `default:"400d" placeholder:"DURATION" help:"The keyset's new end, from now (default: ${default})."`
	Above        int64         `placeholder:"VERSION" help:"Make the version higher than this one, after a newer keyset has been served and lost."`
}

func (c keysRenewCommand) Run(con console) error {
	if c.Life < time.Minute {
		return wrongUse("--life must be at least a minute")
	}
	return changeKeyset(con, c.dir(), func(keys entitlements.Keys, now time.Time) (entitlements.Proposal, jose.PrivateKey, error) {
		proposal, err := keys.Renew(now, c.Life, c.Above)
		return proposal, jose.PrivateKey{}, err
	})
}

type keysRootNextCommand struct {
	keysLocation `embed:""`
	RootOut      string `placeholder:"FILE" help:"Put the new root's private key there instead of into the folder."`
	Switch       bool   `xor:"step" help:"Second step, once the devices in use embed both roots: have the next root sign the keyset."`
	Promote      bool   `xor:"step" help:"Last step, once no device in use needs the old root: make the next root the current one."`
}

func (c keysRootNextCommand) Run(con console) error {
	switch {
	case c.RootOut != "" && (c.Switch || c.Promote):
		return wrongUse("--root-out is for the first step, which makes the root")
	case c.Switch:
		return changeKeyset(con, c.dir(), func(keys entitlements.Keys, now time.Time) (entitlements.Proposal, jose.PrivateKey, error) {
			proposal, err := keys.SwitchRoot(now)
			return proposal, jose.PrivateKey{}, err
		})
	case c.Promote:
		return c.promote(con)
	default:
		return c.add(con)
	}
}

const restartForRoots = "Restart the server: a running one keeps the roots that it started with. Rebuild other apps with 'keys roots'."

func (c keysRootNextCommand) add(con console) error {
	return locked(c.dir(), func() error {
		keys, err := readKeys(c.dir())
		if err != nil {
			return err
		}
		roots, root, err := keys.AddNextRoot(rand.Reader)
		if err != nil {
			return err
		}
		text, err := roots.Marshal()
		if err != nil {
			return err
		}
		private := c.RootOut
		if private == "" {
			private = filepath.Join(c.dir(), entitlements.NextRootFile)
		}
		if err := createPrivate(private, root); err != nil {
			return err
		}
		if err := writeFile(filepath.Join(c.dir(), entitlements.RootsFile), text); err != nil {
			return err
		}
		fmt.Fprintf(con.out, "Made the next root %s. Its private key is in %s: keep it in a safe place elsewhere.\n%s\n", root.ID(), private, restartForRoots)
		fmt.Fprintln(con.out, "When the apps in use embed both roots: holdfast keys root-next --switch")
		return nil
	})
}

func (c keysRootNextCommand) promote(con console) error {
	return locked(c.dir(), func() error {
		keys, err := readKeys(c.dir())
		if err != nil {
			return err
		}
		roots := keys.Roots
		promoted := !roots.Next.IsZero()
		if promoted {
			if roots, err = keys.PromoteRoot(); err != nil {
				return err
			}
			text, err := roots.Marshal()
			if err != nil {
				return err
			}
			if err := writeFile(filepath.Join(c.dir(), entitlements.RootsFile), text); err != nil {
				return err
			}
		}
		tidied, err := tidyRoots(c.dir(), roots)
		if err != nil {
			return err
		}
		if !promoted && !tidied { // an earlier run was not interrupted either
			_, err := keys.PromoteRoot()
			return err
		}
		fmt.Fprintf(con.out, "Promoted root %s: it is now the only root. The old root's private key, if it was in this folder, is in %s: delete it.\n%s\n",
			roots.Current.ID(), filepath.Join(c.dir(), entitlements.WithdrawnDir), restartForRoots)
		return nil
	})
}

type keysSignCommand struct {
	Root string `required:"" placeholder:"FILE" help:"The root's private key."`
	In   string `arg:"" help:"The proposal, as rotate, retire, renew or root-next wrote it."`
	Out  string `arg:"" help:"File to write the signed keyset to; it must not exist."`
}

// Run needs no keys folder: it runs on the machine that holds the root, which may have no network.
func (c keysSignCommand) Run(con console) error {
	text, err := os.ReadFile(c.In)
	if err != nil {
		return err
	}
	proposal, err := entitlements.ParseProposal(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.In, err)
	}
	now := time.Now()
	if !proposal.Keyset.End().After(now) {
		return fmt.Errorf("%s: the proposed keyset has ended", c.In)
	}
	if err := checkPrivate(c.Root); err != nil {
		return err
	}
	if text, err = os.ReadFile(c.Root); err != nil {
		return err
	}
	root, err := jose.ParsePrivateKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Root, err)
	}
	compact, err := proposal.Sign(root)
	if err != nil {
		return fmt.Errorf("%s: %w", c.In, err)
	}
	if err := createFile(c.Out, []byte(compact)); err != nil {
		return err
	}
	if err := view(entitlements.Keys{Keyset: proposal.Keyset}, nil, now).print(con.out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "Signed with root %s into %s. Where the keys folder is: holdfast keys import %s\n", root.ID(), c.Out, filepath.Base(c.Out))
	return err
}

type keysImportCommand struct {
	keysLocation `embed:""`
	File         string `arg:"" help:"The keyset, as 'keys sign' wrote it."`
}

func (c keysImportCommand) Run(con console) error {
	return locked(c.dir(), func() error {
		text, err := os.ReadFile(c.File)
		if err != nil {
			return err
		}
		keys, err := readKeys(c.dir())
		if err != nil {
			return err
		}
		if err := install(con, c.dir(), keys, string(text), time.Now()); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		return nil
	})
}

type keysRootsCommand struct {
	keysLocation `embed:""`
}

func (c keysRootsCommand) Run(con console) error {
	if isEmpty(c.dir()) {
		return noKeys(c.dir())
	}
	roots, err := os.ReadFile(filepath.Join(c.dir(), entitlements.RootsFile))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "%s\n", roots)
	return err
}

// changeKeyset applies a proposal to the folder's keyset, under the folder's lock. If the root that must sign is here, the
// change takes effect at once; otherwise only the proposal is written, to be signed elsewhere.
func changeKeyset(con console, dir string, propose func(entitlements.Keys, time.Time) (entitlements.Proposal, jose.PrivateKey, error)) error {
	return locked(dir, func() error {
		keys, err := readKeys(dir)
		if err != nil {
			return err
		}
		now := time.Now()
		proposal, made, err := propose(keys, now)
		if err != nil {
			return err
		}
		if !made.IsZero() {
			if err := createPrivate(filepath.Join(dir, entitlements.SigningDir, made.ID()+".jwk"), made); err != nil {
				return err
			}
			keys.Signing = append(keys.Signing, made)
		}
		if root, ok := keys.RootKey(proposal.Root); ok {
			compact, err := proposal.Sign(root)
			if err != nil {
				return err
			}
			return install(con, dir, keys, compact, now)
		}
		text, err := proposal.Marshal()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, proposalFile)
		if err := writeFile(path, text); err != nil {
			return err
		}
		rootFile := entitlements.RootFile
		if proposal.Root == keys.Roots.Next.ID() {
			rootFile = entitlements.NextRootFile
		}
		fmt.Fprintf(con.out, `NOTHING HAS CHANGED YET: the private key of root %[1]s is not in %[2]s.
Version %[3]d is proposed in %[4]s; it holds nothing secret. Where the root is:
  holdfast keys sign --root %[5]s %[6]s keyset-%[3]d.jws
and then here:
  holdfast keys import keyset-%[3]d.jws
`, proposal.Root, dir, proposal.Keyset.Version, path, rootFile, proposalFile)
		return nil
	})
}

// install makes a signed keyset the folder's, and then sets aside the private keys that it no longer names. The private
// keys that it names must already be there.
func install(con console, dir string, keys entitlements.Keys, compact string, now time.Time) error {
	next, err := keys.Accept(strings.TrimSpace(compact), now)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, entitlements.KeysetFile), []byte(next.Compact)); err != nil {
		return err
	}
	for _, entry := range keys.Keyset.Keys {
		if lists(next.Keyset, entry.KeyID) {
			continue
		}
		if err := withdraw(dir, filepath.Join(entitlements.SigningDir, entry.KeyID+".jwk"), entry.KeyID); err != nil {
			return err
		}
		fmt.Fprintf(con.out, "Withdrew signing key %s.\n", entry.KeyID)
	}
	if err := os.Remove(filepath.Join(dir, proposalFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	after, err := viewFolder(dir, now)
	if err != nil {
		return err
	}
	if err := after.print(con.out); err != nil {
		return err
	}
	_, err = fmt.Fprintln(con.out, "Running servers that read this folder take it within seconds; copy it to those that have their own, and back it up.")
	return err
}

// serverKeys loads the keys for a server with an external database. It writes nothing: new keys in a wrong folder would
// force every device to be updated.
func serverKeys(dir, origin string, now time.Time) (entitlements.Keys, error) {
	keys, err := loadKeys(dir, origin, now)
	if errors.Is(err, entitlements.IssuerMismatch) {
		return entitlements.Keys{}, otherIssuer(dir, keys.Keyset.Issuer, origin)
	}
	return keys, err
}

// clusterKeys loads the keys for a server with a private cluster. It creates missing keys if the cluster has never served a
// keyset. It signs the keyset again if only this machine's port has changed, as with port 0. It writes nothing that the
// cluster would refuse to serve.
func clusterKeys(dir, origin string, served []entitlements.ServedKeyset, now time.Time, log *slog.Logger) (entitlements.Keys, error) {
	if isEmpty(dir) {
		if len(served) > 0 {
			last := served[len(served)-1]
			return entitlements.Keys{}, fmt.Errorf("there are no keys in %s, and this database has served a keyset of root %s for %s: "+
				"put that folder back, or name it with --keys; if it is lost, 'holdfast keys init' and then 'holdfast keys adopt'",
				dir, last.Root, last.Issuer)
		}
		log.Info("making keys", "folder", dir)
		return makeKeys(dir, origin, "", now)
	}
	keys, err := loadKeys(dir, origin, now)
	if !errors.Is(err, entitlements.IssuerMismatch) {
		return keys, err
	}
	was := keys.Keyset.Issuer
	if !entitlements.SameMachine(was, origin) {
		return entitlements.Keys{}, otherIssuer(dir, was, origin)
	}
	err = locked(dir, func() (err error) {
		if keys, err = loadKeys(dir, was, now); err != nil {
			return err
		}
		if err := keys.Keyset.Served().Follows(served, keys.Roots); err != nil {
			return err
		}
		if keys, err = keys.ForIssuer(origin, now); err != nil {
			return fmt.Errorf("keys in %s: %w", dir, err)
		}
		return writeFile(filepath.Join(dir, entitlements.KeysetFile), []byte(keys.Compact))
	})
	if err != nil {
		return entitlements.Keys{}, explainRefusal(dir, err)
	}
	log.Info("signed the keyset for another port", "was", was, "is", origin)
	return keys, nil
}

func otherIssuer(dir, issuer, origin string) error {
	return fmt.Errorf("the keyset in %s is for %s, not for %s (--origin): to move the server there, 'holdfast keys adopt --origin %[3]s'", dir, issuer, origin)
}

type keysAdoptCommand struct {
	Database
	keysLocation `embed:""`
	Origin       string `env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"Sign the keyset for this origin first (default: the one that it is for)."`
}

func (c keysAdoptCommand) Run(ctx context.Context, con console) (err error) {
	origin := ""
	if c.Origin != "" {
		u, err := parseOrigin(c.Origin)
		if err != nil {
			return wrongUse("--origin %q %w", c.Origin, err)
		}
		origin = u.String()
	}
	owner, stop, err := c.address(ctx, c.DataFolder, local.Owner, newLogger(con.err, slog.LevelInfo))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return locked(c.dir(), func() error {
		keys, err := readKeys(c.dir())
		if err != nil {
			return err
		}
		now := time.Now()
		moved := origin != "" && origin != keys.Keyset.Issuer
		if moved {
			if keys, err = keys.ForIssuer(origin, now); err != nil {
				return fmt.Errorf("keys in %s: %w", c.dir(), err)
			}
		}
		if err := sql.AdoptKeyset(ctx, owner, keys.Keyset.Served(), operator, now); err != nil {
			return explainRefusal(c.dir(), err)
		}
		if moved {
			if err := writeFile(filepath.Join(c.dir(), entitlements.KeysetFile), []byte(keys.Compact)); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(con.out, "The database belongs to the keyset in %s: version %d of root %s, for %s.\n"+
			"Servers with other keys or another --origin are refused from now on.\n", c.dir(), keys.Keyset.Version, keys.Keyset.Mark().Root, keys.Keyset.Issuer)
		return err
	})
}

// explainRefusal adds advice to the error for a keyset that must not be served from this database.
func explainRefusal(dir string, err error) error {
	if foreign := (*entitlements.ForeignKeysetError)(nil); errors.As(err, &foreign) {
		return fmt.Errorf("%w (%s): name the right --keys, --origin and --database-url; 'holdfast keys adopt' has the database belong to these keys",
			foreign, dir)
	}
	rollback := (*entitlements.RollbackError)(nil)
	if !errors.As(err, &rollback) {
		return err
	}
	keyset, served := rollback.Keyset, rollback.Served
	if keyset.Root != served.Root {
		return fmt.Errorf("the keyset in %s is signed by root %s, but keysets of root %s have been served since, and devices refuse to go back: "+
			"restore the newer folder, or sign with the newer root ('holdfast keys root-next --switch')", dir, keyset.Root, served.Root)
	}
	return fmt.Errorf("the keyset in %s is version %d, but %s has been served, and devices refuse to go back: restore the newer folder; "+
		"if it is lost, 'holdfast keys renew --above %d', and retire again what was withdrawn since", dir, keyset.Version, newerKeyset(rollback), served.Version)
}

func newerKeyset(e *entitlements.RollbackError) string {
	if e.Keyset.Version == e.Served.Version {
		return "another of that version"
	}
	return fmt.Sprintf("version %d", e.Served.Version)
}
