package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/entitlements"
)

type verifyCommand struct {
	DataFolder
	KeysFolder
	Status bool   `help:"Also fetch the status list that the document names, and say what has become of the document."`
	Origin string `env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"The issuer to accept (default: the keyset's)."`
	File   string `arg:"" help:"File with the document; - reads it from standard input."`
}

// Run needs only what is public of the keys folder, roots.json and keyset.jws, and no network unless it is asked for the
// status.
func (c verifyCommand) Run(ctx context.Context, con console) error {
	text, err := c.read(con)
	if err != nil {
		return err
	}
	dir := c.keysDir(c.DataFolder)
	rootsText, err := os.ReadFile(filepath.Join(dir, entitlements.RootsFile))
	if err != nil {
		return err
	}
	roots, err := entitlements.ParseRoots(rootsText)
	if err != nil {
		return err
	}
	compact, err := os.ReadFile(filepath.Join(dir, entitlements.KeysetFile))
	if err != nil {
		return err
	}
	issuer := c.Origin
	if issuer == "" {
		issuer = keysetIssuer(dir) // the root's signature stands behind it
	}
	now := time.Now()
	keyset, err := roots.VerifyKeyset(strings.TrimSpace(string(compact)), issuer, now)
	if err != nil {
		return fmt.Errorf("keyset in %s: %w", dir, err)
	}
	verifier := entitlements.Verifier{Keyset: keyset, Issuer: issuer}
	document, err := verifier.Verify(strings.TrimSpace(string(text)), now)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	out := json.NewEncoder(con.out)
	out.SetIndent("", "  ")
	if err := out.Encode(document); err != nil || !c.Status {
		return err
	}
	status, err := fetchStatus(ctx, verifier, document.Status.StatusList)
	if err != nil {
		return fmt.Errorf("%s: status unknown: %w", c.File, err)
	}
	if err := out.Encode(status); err != nil {
		return err
	}
	if status.Status != statusWords[entitlements.StatusValid] {
		return fmt.Errorf("%s: %s", c.File, status.Status)
	}
	return nil
}

func (c verifyCommand) read(con console) ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(con.in)
	}
	return os.ReadFile(c.File)
}
