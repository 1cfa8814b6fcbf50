package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"holdfast/entitlements"
)

// report prints what was verified: the chain of trust from the root down, and then the message's contents.
type report struct {
	out   io.Writer
	table *tabwriter.Writer
	at    time.Time
}

func newReport(out io.Writer, at time.Time) report {
	return report{out: out, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), at: at}
}

func (r report) document(t trustChain, d entitlements.Document) error {
	r.chain(t, "an entitlement document")
	r.signer(t.signer)
	r.row("document", plain(d.ID))
	r.row("", "issued "+r.when(d.IssuedAt))
	r.row("", "due for another "+r.when(d.RefreshAfter))
	r.row("", "ends "+r.when(d.ExpiresAt))
	if d.Skew != 0 {
		r.row("", skewed(d.Skew))
	}
	r.row("device", plain(string(d.Device)))
	r.row("", "holds key "+plain(d.Confirmation.JKT))
	r.title("claims")
	r.row("user", plain(string(d.Subject)))
	r.row("state", string(d.State))
	if d.Reason != nil {
		r.row("reason", plain(string(*d.Reason)))
	}
	r.row("plans", list(d.Plans, func(id entitlements.PlanID) string { return plain(string(id)) }))
	r.row("features", list(slices.Sorted(maps.Keys(d.Features)), func(name string) string {
		if limit := d.Features[name].Limit; limit != nil {
			return fmt.Sprintf("%s (limit %d)", plain(name), *limit)
		}
		return plain(name)
	}))
	if d.PaidThrough != nil {
		r.row("paid through", r.when(*d.PaidThrough))
	}
	r.row("revision", strconv.FormatInt(d.Revision, 10))
	r.row("answers proof", plain(d.Proof))
	r.row("status list", fmt.Sprintf("entry %d of %s", d.Status.StatusList.Index, plain(d.Status.StatusList.URI)))
	return r.table.Flush()
}

func (r report) passkeys(t trustChain, d entitlements.PasskeysDocument) error {
	r.chain(t, "a passkeys document")
	r.signer(t.signer)
	r.row("document", "issued "+r.when(d.IssuedAt))
	r.row("", "ends "+r.when(d.ExpiresAt))
	r.row("device", plain(string(d.Device)))
	r.title("claims")
	r.row("user", plain(string(d.Subject)))
	r.row("RP ID", plain(d.RPID))
	r.row("passkeys", list(d.Passkeys, func(p entitlements.OfflinePasskey) string { return plain(p.ID) }))
	return r.table.Flush()
}

func (r report) statusList(t trustChain, l entitlements.StatusList) error {
	r.chain(t, "a status list")
	r.signer(t.signer)
	r.row("status list", plain(l.URI))
	r.row("", "signed "+r.when(l.IssuedAt.Unix()))
	r.row("", "ends "+r.when(l.ExpiresAt.Unix()))
	counts, entries := map[entitlements.Status]int{}, 0
	for ; ; entries++ {
		status, err := l.Status(entitlements.StatusReference{URI: l.URI, Index: entries})
		if err != nil {
			break
		}
		counts[status]++
	}
	r.title("claims")
	r.row("entries", strconv.Itoa(entries))
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		word, known := statusWords[status]
		if !known {
			word = fmt.Sprintf("status %d", status)
		}
		r.row(word, strconv.Itoa(counts[status]))
	}
	return r.table.Flush()
}

func (r report) keyset(t trustChain) error {
	r.chain(t, "a keyset")
	for _, key := range t.keyset.Keys {
		r.signer(key)
	}
	return r.table.Flush()
}

// chain prints the verdict and the part of the chain above the signing key.
func (r report) chain(t trustChain, kind string) {
	fmt.Fprintf(r.table, "Valid at %s: %s of %s.\n", r.at.UTC().Format(time.RFC3339), kind, plain(t.keyset.Issuer))
	r.title("chain of trust")
	root, slot := t.keyset.Mark().Root, "current"
	if root == t.roots.Next.ID() {
		slot = "next"
	}
	r.row("root", fmt.Sprintf("%s, slot %s, in %s", root, slot, plain(t.rootsFile)))
	r.row("keyset", fmt.Sprintf("version %d, in %s", t.keyset.Version, plain(t.keysetFile)))
	r.row("", "issued "+r.when(t.keyset.IssuedAt))
	r.row("", "ends "+r.when(t.keyset.ExpiresAt))
}

func (r report) signer(key entitlements.KeysetKey) {
	r.row("signing key", key.KeyID)
	r.row("", "signs from "+r.when(key.NotBefore))
	r.row("", "until "+r.when(key.ExpiresAt))
}

// skewed describes a non-zero skew. Only the device that the document is for applies it.
func skewed(skew int64) string {
	if skew < 0 {
		return fmt.Sprintf("up to %s later on its device, whose clock was behind", span(-skew))
	}
	return fmt.Sprintf("up to %s later on its device, whose clock was ahead", span(skew))
}

func (r report) title(text string) { fmt.Fprintf(r.table, "\n%s\n", strings.ToUpper(text)) }

func (r report) row(name, value string) { fmt.Fprintf(r.table, "  %s\t%s\n", name, value) }

// when formats a time in Unix seconds and its distance from the time of the verification. That distance may exceed a
// time.Duration, which ends at 292 years.
func (r report) when(seconds int64) string {
	away := seconds - r.at.Unix()
	relative := "in " + span(away)
	switch {
	case away == 0:
		relative = "now"
	case away < 0:
		relative = span(-away) + " ago"
	}
	return fmt.Sprintf("%s (%s)", unixTime(seconds), relative)
}

func unixTime(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// span formats a number of seconds for people, rounded down to a unit of which there is more than one.
func span(seconds int64) string {
	for _, unit := range []struct {
		name    string
		seconds int64
	}{{"days", 86_400}, {"hours", 3600}, {"minutes", 60}} {
		if seconds >= 2*unit.seconds {
			return fmt.Sprintf("%d %s", seconds/unit.seconds, unit.name)
		}
	}
	if seconds == 1 {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", seconds)
}

func list[T any](items []T, say func(T) string) string {
	if len(items) == 0 {
		return "none"
	}
	said := make([]string, len(items))
	for i, item := range items {
		said[i] = say(item)
	}
	return strings.Join(said, ", ")
}

// plain quotes text from elsewhere if it could harm a terminal or a table, or pass for other text.
func plain(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(text)
	}
	return text
}
