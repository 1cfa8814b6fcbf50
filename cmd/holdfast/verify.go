package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

type verifyCommand struct {
	DataFolder
	KeysFolder
	Roots  string    `placeholder:"FILE" help:"The roots to trust, as 'keys roots' prints them (default: roots.json in the keys folder)."`
	Keyset string    `placeholder:"FILE" help:"The keyset, as a server publishes it at /.well-known/holdfast-keyset (default: keyset.jws in the keys folder). One of the roots must have signed it."`
	Origin string    `env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"The issuer to accept (default: the keyset's)."`
	At     time.Time `placeholder:"TIME" help:"Verify as of that time, such as 2026-03-01T12:00:00Z (default: now)."`
	Status bool      `help:"Also fetch the status list that the document names, and print the document's current status."`
	File   string    `arg:"" help:"File with the document, passkeys document, keyset or status list; - reads it from standard input."`
}

// Help returns the additional text of the command's help.
func (verifyCommand) Help() string {
	return "Prints what FILE says and the chain of trust behind it: root, keyset, signing key, document, device. If anything is wrong, " +
		"it prints the one reason instead, a stable code and a sentence, and exits with 1. " +
		"It needs nothing secret, and no network but for --status."
}

// Types of messages that can be verified (RFC 7515 §4.1.9).
const (
	typeDocument   = "entitlement+jwt"
	typePasskeys   = "passkeys+jwt"
	typeStatusList = "statuslist+jwt"
	typeKeyset     = "keyset+jwt"
)

func (c verifyCommand) Run(ctx context.Context, con console) error {
	text, err := c.read(con)
	if err != nil {
		return err
	}
	if c.File == "-" {
		c.File = "standard input"
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	compact := strings.TrimSpace(string(text))
	trust, err := c.readRoots()
	if err != nil {
		return err
	}
	head, about := peek(compact)
	if head.Type == typeKeyset {
		return c.verifyKeyset(con, trust, compact)
	}
	if err := c.readKeyset(&trust); err != nil {
		return err
	}
	trust.signer = signerOf(trust.keyset, head.KeyID)
	r := newReport(con.out, c.At)
	verifier := entitlements.Verifier{Keyset: trust.keyset, Issuer: trust.keyset.Issuer}
	switch head.Type {
	case typePasskeys:
		passkeys, err := verifier.VerifyPasskeys(compact, c.At)
		if err != nil {
			return c.refused(err)
		}
		return c.done(r.passkeys(trust, passkeys), "a passkeys document")
	case typeStatusList:
		list, err := verifier.VerifyStatusList(compact, about.Subject, c.At)
		if err != nil {
			return c.refused(err)
		}
		return c.done(r.statusList(trust, list), "a status list")
	}
	document, err := verifier.Verify(compact, c.At)
	if err != nil {
		return c.refused(err)
	}
	if err := r.document(trust, document); err != nil || !c.Status {
		return err
	}
	status, err := fetchStatus(ctx, verifier, document.Status.StatusList)
	if err != nil {
		return fmt.Errorf("%s: status unknown: %w", c.File, explain(err))
	}
	if _, err := fmt.Fprintf(con.out, "\nstatus: %s, says the list that was signed at %s\n", status.Status, status.AsOf.Format(time.RFC3339)); err != nil {
		return err
	}
	if status.Status != statusWords[entitlements.StatusValid] {
		return fmt.Errorf("%s: %s: %s", c.File, status.Status, lost[status.Status])
	}
	return nil
}

// verifyKeyset verifies and shows a keyset.
func (c verifyCommand) verifyKeyset(con console, trust trustChain, compact string) (err error) {
	if trust.keyset, err = trust.roots.VerifyKeyset(compact, c.issuer(compact), c.At); err != nil {
		return c.refused(err)
	}
	trust.keysetFile = c.File
	return c.done(newReport(con.out, c.At).keyset(trust), "a keyset")
}

// done refuses --status for anything but a document, since nothing else has a status.
func (c verifyCommand) done(err error, kind string) error {
	if err == nil && c.Status {
		return fmt.Errorf("%s: --status is for entitlement documents, and this is %s", c.File, kind)
	}
	return err
}

func (c verifyCommand) read(con console) ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(con.in)
	}
	return os.ReadFile(c.File)
}

// trustChain is what a message is verified against, and where each part was found.
type trustChain struct {
	roots      entitlements.Roots
	rootsFile  string
	keyset     entitlements.Keyset
	keysetFile string
	signer     entitlements.KeysetKey // the keyset entry that the message names
}

func (c verifyCommand) readRoots() (t trustChain, err error) {
	t.rootsFile = c.Roots
	if t.rootsFile == "" {
		t.rootsFile = filepath.Join(c.keysDir(c.DataFolder), entitlements.RootsFile)
	}
	text, err := os.ReadFile(t.rootsFile)
	if c.Roots == "" && errors.Is(err, fs.ErrNotExist) {
		return t, fmt.Errorf("%w: --roots names others", err)
	}
	if err != nil {
		return t, err
	}
	if t.roots, err = entitlements.ParseRoots(text); err != nil {
		return t, fmt.Errorf("%s: %w", t.rootsFile, err)
	}
	return t, nil
}

func (c verifyCommand) readKeyset(t *trustChain) error {
	t.keysetFile = c.Keyset
	if t.keysetFile == "" {
		t.keysetFile = filepath.Join(c.keysDir(c.DataFolder), entitlements.KeysetFile)
	}
	text, err := os.ReadFile(t.keysetFile)
	if c.Keyset == "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: --keyset names another, and the server has its own at /.well-known/holdfast-keyset", err)
	}
	if err != nil {
		return err
	}
	compact := strings.TrimSpace(string(text))
	if t.keyset, err = t.roots.VerifyKeyset(compact, c.issuer(compact), c.At); err != nil {
		return fmt.Errorf("keyset %s: %w", t.keysetFile, explain(err))
	}
	return nil
}

// issuer returns the expected issuer of a keyset: --origin or, without it, the keyset's own claim, which the root's
// signature confirms.
func (c verifyCommand) issuer(keyset string) string {
	if c.Origin != "" {
		return c.Origin
	}
	_, about := peek(keyset)
	return about.Issuer
}

type messageHeader struct {
	Type  string `json:"typ"`
	KeyID string `json:"kid"`
}

type messageClaims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

// peek reads what is needed to select the keys for verifying a message. Trust its result only after the verification. For
// input that is not a message, it returns zero values.
func peek(compact string) (head messageHeader, about messageClaims) {
	message, err := jose.Parse(compact)
	if err != nil {
		return head, about
	}
	if err := json.Unmarshal(message.Header, &head); err != nil {
		head = messageHeader{}
	}
	if err := json.Unmarshal(message.Payload, &about); err != nil {
		about = messageClaims{}
	}
	return head, about
}

func signerOf(keyset entitlements.Keyset, id string) entitlements.KeysetKey {
	if i := slices.IndexFunc(keyset.Keys, func(entry entitlements.KeysetKey) bool { return entry.KeyID == id }); i >= 0 {
		return keyset.Keys[i]
	}
	return entitlements.KeysetKey{}
}

func (c verifyCommand) refused(err error) error { return fmt.Errorf("%s: %w", c.File, explain(err)) }

// explain adds the meaning of an error code.
func explain(err error) error {
	if code, ok := errors.AsType[entitlements.VerificationError](err); ok {
		return fmt.Errorf("%w: %s", err, reasons[code])
	}
	return err
}

// reasons are the error codes in words. Codes about expected claims cannot occur, because this command expects nothing of a
// document beyond its own claims.
var reasons = map[entitlements.VerificationError]string{
	entitlements.Malformed:          "it is no compact JWS, three parts in strict base64url of which the first is a JSON object",
	entitlements.HeaderInvalid:      "its header does not have exactly alg, kid and typ",
	entitlements.AlgorithmInvalid:   "its alg is not " + jose.Algorithm + ", which is the only one",
	entitlements.TypeInvalid:        "its typ says that it is something else than is expected here",
	entitlements.KeyUnknown:         "the keyset has no such signing key: it was withdrawn, or the keyset is too old or of another server",
	entitlements.RootUnknown:        "none of the roots has signed it",
	entitlements.SignatureInvalid:   "the key that it names has not signed it: it was changed or made up",
	entitlements.ClaimsInvalid:      "a claim is missing, of a wrong type, or contradicts another",
	entitlements.IssuerMismatch:     "it is of another issuer",
	entitlements.AudienceMismatch:   "it is meant for somebody else",
	entitlements.KeyOutsideValidity: "it was issued at a time at which its signing key was not to be used",
	entitlements.KeysetExpired:      "the keyset has ended, and with it all that is signed by its keys",
	entitlements.NotYetValid:        "it was issued later than the time at which it is judged",
	entitlements.Expired:            "its end has come",
	entitlements.SubjectMismatch:    "it is not the list that the document names",
}

// lost says what a status other than valid means for the holder of the document.
var lost = map[string]string{
	statusWords[entitlements.StatusInvalid]:   "the document does not count any more, and never will again",
	statusWords[entitlements.StatusSuspended]: "the document does not count until the suspension ends",
}
