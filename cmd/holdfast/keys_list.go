package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"holdfast/entitlements"
)

type keysListCommand struct {
	keysLocation `embed:""`
	JSON         bool `name:"json" help:"Print JSON, for programs."`
}

func (c keysListCommand) Run(con console) error {
	seen, err := viewFolder(c.dir(), time.Now())
	if err != nil {
		return err
	}
	if !c.JSON {
		return seen.print(con.out)
	}
	out := json.NewEncoder(con.out)
	out.SetIndent("", "  ")
	return out.Encode(seen)
}

// keysView is a keys folder in the output for people and programs.
type keysView struct {
	Issuer    string           `json:"issuer"`
	Version   int64            `json:"version"`
	ExpiresAt time.Time        `json:"expires_at"`
	Ended     bool             `json:"ended"`
	Roots     []rootView       `json:"roots"`
	Signing   []signingKeyView `json:"signing_keys"`
	Proposal  *proposalView    `json:"proposal"` // null: none awaits a signature

	now time.Time
}

type rootView struct {
	ID          string  `json:"kid"`
	Slot        string  `json:"slot"`        // "current" or "next"
	SignsKeyset bool    `json:"signs"`       // the keyset bears its signature
	PrivateKey  *string `json:"private_key"` // file in the folder; null if elsewhere
}

type signingKeyView struct {
	ID         string     `json:"kid"`
	State      keyState   `json:"state"`
	From       *time.Time `json:"signs_from"`  // null for keys not in the keyset
	Until      *time.Time `json:"signs_until"` // likewise
	PrivateKey *string    `json:"private_key"` // file in the folder; null if elsewhere
}

type proposalView struct {
	File    string `json:"file"`
	Version int64  `json:"version"`
	Root    string `json:"root"` // thumbprint of the root that must sign it
}

// keyState is the current role of a signing key.
type keyState string

const (
	keySigns       keyState = "signs"       // signs documents now
	keyNext        keyState = "next"        // published; will sign later
	keyPast        keyState = "past"        // published; no longer signs, but documents under it still verify
	keyWithdrawn   keyState = "withdrawn"   // not in the keyset any more
	keyUnpublished keyState = "unpublished" // not in a keyset yet
)

// view returns the contents of a keyset for display.
func view(keys entitlements.Keys, private map[string]string, now time.Time) keysView {
	where := func(id string) *string {
		if file, ok := private[id]; ok {
			return &file
		}
		return nil
	}
	keyset := keys.Keyset
	v := keysView{
		Issuer: keyset.Issuer, Version: keyset.Version, ExpiresAt: keyset.End(), Ended: !now.Before(keyset.End()),
		Roots: []rootView{}, Signing: []signingKeyView{}, now: now,
	}
	for slot, root := range map[string]string{"current": keys.Roots.Current.ID(), "next": keys.Roots.Next.ID()} {
		if root != "" {
			v.Roots = append(v.Roots, rootView{ID: root, Slot: slot, SignsKeyset: root == keyset.Mark().Root, PrivateKey: where(root)})
		}
	}
	slices.SortFunc(v.Roots, func(a, b rootView) int { return strings.Compare(a.Slot, b.Slot) })

	entries := slices.SortedFunc(slices.Values(keyset.Keys), func(a, b entitlements.KeysetKey) int { return int(b.NotBefore - a.NotBefore) })
	signs := false
	for _, entry := range entries { // newest first
		state := keyPast
		switch from, until := time.Unix(entry.NotBefore, 0), time.Unix(entry.ExpiresAt, 0); {
		case now.Before(from):
			state = keyNext
		case now.Before(until) && !signs:
			state, signs = keySigns, true
		}
		v.Signing = append(v.Signing, signingKeyView{
			ID: entry.KeyID, State: state, PrivateKey: where(entry.KeyID),
			From: new(time.Unix(entry.NotBefore, 0).UTC()), Until: new(time.Unix(entry.ExpiresAt, 0).UTC()),
		})
	}
	return v
}

// viewFolder returns a whole folder for display.
func viewFolder(dir string, now time.Time) (keysView, error) {
	keys, err := readKeys(dir)
	if err != nil {
		return keysView{}, err
	}
	private, unnamed := map[string]string{}, []signingKeyView{}
	for folder, state := range map[string]keyState{entitlements.SigningDir: keyUnpublished, entitlements.WithdrawnDir: keyWithdrawn} {
		files, err := filepath.Glob(filepath.Join(dir, folder, "*.jwk"))
		if err != nil {
			return keysView{}, err
		}
		for _, file := range files {
			id := strings.TrimSuffix(filepath.Base(file), ".jwk")
			where := folder + "/" + filepath.Base(file)
			if folder == entitlements.SigningDir {
				private[id] = where
			}
			if !lists(keys.Keyset, id) {
				unnamed = append(unnamed, signingKeyView{ID: id, State: state, PrivateKey: &where})
			}
		}
	}
	for _, file := range []string{entitlements.RootFile, entitlements.NextRootFile} {
		if id, err := privateKeyID(filepath.Join(dir, file)); err == nil {
			private[id] = file
		}
	}
	v := view(keys, private, now)
	slices.SortFunc(unnamed, func(a, b signingKeyView) int { return strings.Compare(string(a.State)+a.ID, string(b.State)+b.ID) })
	v.Signing = append(v.Signing, unnamed...)
	if text, err := os.ReadFile(filepath.Join(dir, proposalFile)); err == nil {
		proposal, err := entitlements.ParseProposal(text)
		if err != nil {
			return keysView{}, fmt.Errorf("%s: %w", filepath.Join(dir, proposalFile), err)
		}
		v.Proposal = &proposalView{File: proposalFile, Version: proposal.Keyset.Version, Root: proposal.Root}
	}
	return v, nil
}

func (v keysView) print(w io.Writer) error {
	end := "in " + inWords(v.ExpiresAt.Sub(v.now))
	switch {
	case v.Ended:
		end = "HAS ENDED: 'holdfast keys renew'"
	case v.ExpiresAt.Sub(v.now) < entitlements.KeysetWarning:
		end += ": 'holdfast keys renew'"
	}
	fmt.Fprintf(w, "keyset version %d of %s, ends %s (%s)\n", v.Version, v.Issuer, v.ExpiresAt.Format(time.RFC3339), end)
	if v.Proposal != nil {
		fmt.Fprintf(w, "version %d waits in %s for root %s to sign it\n", v.Proposal.Version, v.Proposal.File, v.Proposal.Root)
	}
	if len(v.Roots) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\nROOT KEY\tSLOT\tSIGNED THE KEYSET\tPRIVATE KEY")
		for _, root := range v.Roots {
			signs := "no"
			if root.SignsKeyset {
				signs = "yes"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", root.ID, root.Slot, signs, orElse(root.PrivateKey, "not here"))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nSIGNING KEY\tSTATE\tSIGNS FROM\tUNTIL\tPRIVATE KEY")
	for _, key := range v.Signing {
		where := "not here"
		switch {
		case key.PrivateKey != nil:
			where = "in " + filepath.Dir(*key.PrivateKey) + "/"
		case len(v.Roots) == 0:
			where = "not looked for" // a proposal read by itself
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", key.ID, key.State, stamp(key.From), stamp(key.Until), where)
	}
	fmt.Fprintln(table)
	return table.Flush()
}

func stamp(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func orElse(text *string, other string) string {
	if text == nil {
		return other
	}
	return *text
}

// inWords formats a duration in days, or in hours below two days, rounded down.
func inWords(d time.Duration) string {
	switch hours := int(d.Hours()); {
	case hours >= 48:
		return fmt.Sprintf("%d days", hours/24)
	case hours > 1:
		return fmt.Sprintf("%d hours", hours)
	case hours == 1:
		return "1 hour"
	}
	return "less than an hour"
}
