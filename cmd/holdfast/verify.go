package main

import (
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
	Origin string `env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"The issuer to accept (default: the keyset's)."`
	File   string `arg:"" help:"File with the document; - reads it from standard input."`
}

// Run needs only what is public of the keys folder: roots.json and keyset.jws.
func (c verifyCommand) Run(con console) error {
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
	document, err := entitlements.Verifier{Keyset: keyset, Issuer: issuer}.Verify(strings.TrimSpace(string(text)), now)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	out := json.NewEncoder(con.out)
	out.SetIndent("", "  ")
	return out.Encode(document)
}

func (c verifyCommand) read(con console) ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(con.in)
	}
	return os.ReadFile(c.File)
}
