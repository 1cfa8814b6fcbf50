package entitlements_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/entitlements"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors")

// vectorFile is one file of testdata/vectors. The README.md there explains the members.
type vectorFile struct {
	About   string                     `json:"about"`
	Roots   map[string]json.RawMessage `json:"roots"`
	Keysets map[string]string          `json:"keysets,omitempty"`
	Cases   []vector                   `json:"cases"`
}

type vector struct {
	Name    string             `json:"name"`
	Kind    string             `json:"kind"` // document or keyset
	Input   string             `json:"input"`
	Issuer  string             `json:"issuer"`
	Roots   string             `json:"roots"`
	Keyset  string             `json:"keyset,omitempty"`
	Now     int64              `json:"now"` // unix milliseconds
	Expect  *vectorExpectation `json:"expect,omitempty"`
	Marks   []vectorMark       `json:"marks,omitempty"`
	Code    string             `json:"code,omitempty"`
	Result  json.RawMessage    `json:"result,omitempty"`
	Comment string             `json:"comment,omitempty"`
}

type vectorExpectation struct {
	Subject  *string `json:"subject,omitempty"`
	Device   *string `json:"device,omitempty"`
	JKT      *string `json:"jkt,omitempty"`
	Proof    *string `json:"proof,omitempty"`
	Revision *int64  `json:"revision,omitempty"`
}

type vectorMark = entitlements.KeysetMark

// documentResult and keysetResult are a verifier's results for an accepted input, in words that are the same in every
// language.
type documentResult struct {
	Subject  entitlements.UserID                     `json:"sub"`
	Device   entitlements.DeviceID                   `json:"device"`
	Revision int64                                   `json:"rev"`
	State    entitlements.State                      `json:"state"`
	Reason   *entitlements.Reason                    `json:"reason"`
	IssuedAt int64                                   `json:"iat"`
	End      int64                                   `json:"exp"`
	Paid     *int64                                  `json:"paid_through"`
	Plans    []entitlements.PlanID                   `json:"plans"`
	Features map[string]entitlements.DocumentFeature `json:"features"`
	Skew     int64                                   `json:"skew"`
}

type keysetResult struct {
	Version int64        `json:"version"`
	End     int64        `json:"exp"`
	Keys    []string     `json:"keys"`
	Marks   []vectorMark `json:"marks"`
}

// TestVectors tests the verifier with the files that also test every other Holdfast verifier.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	paths, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil {
		t.Fatal(err)
	}
	names, codes := map[string]bool{}, map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file vectorFile
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, v := range file.Cases {
			if names[v.Name] || (v.Code == "") == (v.Result == nil) {
				t.Errorf("%s: %q is not one of a kind", path, v.Name)
			}
			names[v.Name], codes[v.Code] = true, true
			result, err := v.run(t, file)
			code := entitlements.VerificationError("")
			if err != nil && !errors.As(err, &code) {
				t.Errorf("%s: %s: unexpected kind of error: %v", path, v.Name, err)
			}
			switch {
			case string(code) != v.Code:
				t.Errorf("%s: %s: %q, want %q", path, v.Name, code, v.Code)
			case err == nil && !sameJSON(t, result, v.Result):
				got, _ := json.Marshal(result)
				t.Errorf("%s: %s:\n got %s\nwant %s", path, v.Name, got, v.Result)
			}
		}
	}
	if len(names) < 120 {
		t.Errorf("only %d vectors", len(names))
	}
	for _, code := range verificationErrors {
		if !codes[string(code)] {
			t.Errorf("no vector for %s", code)
		}
	}
}

var verificationErrors = []entitlements.VerificationError{
	entitlements.Malformed, entitlements.HeaderInvalid, entitlements.AlgorithmInvalid, entitlements.TypeInvalid,
	entitlements.KeyUnknown, entitlements.RootUnknown, entitlements.SignatureInvalid, entitlements.ClaimsInvalid,
	entitlements.IssuerMismatch, entitlements.AudienceMismatch, entitlements.KeyOutsideValidity, entitlements.KeysetExpired,
	entitlements.NotYetValid, entitlements.Expired, entitlements.SubjectMismatch, entitlements.DeviceMismatch,
	entitlements.ProofMismatch, entitlements.RevisionRollback, entitlements.KeysetRollback,
}

func (v vector) run(t *testing.T, file vectorFile) (any, error) {
	t.Helper()
	roots, err := entitlements.ParseRoots(file.Roots[v.Roots])
	if err != nil {
		t.Fatalf("%s: roots: %v", v.Name, err)
	}
	now := time.UnixMilli(v.Now)
	if v.Kind == "keyset" {
		keyset, err := roots.VerifyKeyset(v.Input, v.Issuer, now)
		if err != nil {
			return nil, err
		}
		marks, err := entitlements.KeysetMarks(v.Marks).Take(keyset, roots)
		if err != nil {
			return nil, err
		}
		result := keysetResult{Version: keyset.Version, End: keyset.ExpiresAt, Marks: marks}
		for _, key := range keyset.Keys {
			result.Keys = append(result.Keys, key.KeyID)
		}
		return result, nil
	}
	// The keyset's own end is judged with the document, at the document's clock.
	keyset, err := roots.VerifyKeyset(file.Keysets[v.Keyset], v.Issuer, time.Unix(0, 0))
	if err != nil {
		t.Fatalf("%s: keyset: %v", v.Name, err)
	}
	var expectations []entitlements.Expectation
	if e := v.Expect; e != nil {
		if e.Revision != nil {
			expectations = append(expectations, entitlements.FromRevision(*e.Revision))
		}
		if e.Proof != nil {
			expectations = append(expectations, entitlements.Answering(*e.Proof))
		}
		if e.JKT != nil {
			expectations = append(expectations, entitlements.BoundTo(*e.JKT))
		}
		if e.Device != nil {
			expectations = append(expectations, entitlements.OfDevice(entitlements.DeviceID(*e.Device)))
		}
		if e.Subject != nil {
			expectations = append(expectations, entitlements.OfUser(entitlements.UserID(*e.Subject)))
		}
	}
	d, err := entitlements.Verifier{Keyset: keyset, Issuer: v.Issuer}.Verify(v.Input, now, expectations...)
	return documentResult{
		Subject: d.Subject, Device: d.Device, Revision: d.Revision, State: d.State, Reason: d.Reason, IssuedAt: d.IssuedAt,
		End: d.ExpiresAt, Paid: d.PaidThrough, Plans: d.Plans, Features: d.Features, Skew: d.Skew,
	}, err
}

func sameJSON(t *testing.T, got any, want json.RawMessage) bool {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := errors.Join(json.Unmarshal(text, &a), json.Unmarshal(want, &b)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(a, b)
}

// TestVectorsAreGenerated: the files equal the generator's output, so that a case is changed where its meaning is
// stated.
func TestVectorsAreGenerated(t *testing.T) {
	files := generateVectors(t)
	for name, text := range files {
		checkedIn, err := os.ReadFile(filepath.Join("testdata/vectors", name))
		if err != nil || !bytes.Equal(checkedIn, text) {
			t.Errorf("%s is not up to date (go test ./entitlements -run TestVectors -update): %v", name, err)
		}
	}
	paths, _ := filepath.Glob("testdata/vectors/*.json")
	for _, path := range paths {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is not generated", path)
		}
	}
}

func writeVectors(t *testing.T) {
	t.Helper()
	for name, text := range generateVectors(t) {
		if err := os.WriteFile(filepath.Join("testdata/vectors", name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// vectorInputs returns every input in the files, as seeds for the fuzz targets.
func vectorInputs(t testing.TB, kind string) []string {
	t.Helper()
	var inputs []string
	paths, _ := filepath.Glob("testdata/vectors/*.json")
	for _, path := range paths {
		var file vectorFile
		text, err := os.ReadFile(path)
		if err = errors.Join(err, json.Unmarshal(text, &file)); err != nil {
			t.Fatal(err)
		}
		for _, v := range file.Cases {
			if v.Kind == kind && !slices.Contains(inputs, v.Input) && strings.Count(v.Input, "A") < 1000 {
				inputs = append(inputs, v.Input)
			}
		}
	}
	if len(inputs) == 0 {
		t.Fatalf("no %s to begin with", kind)
	}
	return inputs
}
