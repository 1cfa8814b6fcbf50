// Package enumeration measures whether response times reveal who has an account:
//
//	go test -run '^$' -bench . -benchtime 2000x ./e2e/load/enumeration
//
// Each benchmark makes that many attempts that must fail with a known credential or code, and as many with an unknown
// one, in random order, and compares the two samples by rank: AUC is the probability that an answer about a known one
// took longer than one about an unknown one. 0.5 means no difference; outside 0.45 to 0.55 the benchmark fails.
package enumeration

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// enough is the number of attempts of each kind for a sound verdict: the standard error of the AUC is 0.009 with 2,000.
const enough = 500

// compare fails the benchmark if the response times distinguish known from unknown.
func compare(b *testing.B, known, unknown func() time.Duration) {
	for range 50 { // caches, connections
		known()
		unknown()
	}
	var times [2][]time.Duration
	tries := [2]func() time.Duration{known, unknown}
	for b.Loop() {
		first := rand.IntN(2)
		for _, which := range []int{first, 1 - first} {
			times[which] = append(times[which], tries[which]())
		}
	}
	auc := rankAUC(times[0], times[1])
	b.ReportMetric(auc, "AUC")
	b.ReportMetric(float64(median(times[0]).Microseconds()), "µs-known")
	b.ReportMetric(float64(median(times[1]).Microseconds()), "µs-unknown")
	if len(times[0]) >= enough && (auc < 0.45 || auc > 0.55) {
		b.Errorf("the time of an answer tells what is known: AUC %.3f over %d tries of each", auc, len(times[0]))
	}
}

// rankAUC is the Mann-Whitney U statistic of a over b, as a fraction of all pairs.
func rankAUC(a, b []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(b))
	sum := 0.0
	for _, t := range a {
		below, _ := slices.BinarySearch(sorted, t)
		above, _ := slices.BinarySearch(sorted, t+1)
		sum += float64(below) + float64(above-below)/2
	}
	return sum / float64(len(a)*len(b))
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// start starts the release build, without the race detector.
func start(b *testing.B) *support.Server {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "holdfast")
	if built, err := exec.Command("go", "build", "-o", binary, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		b.Fatalf("build the server: %v\n%s", err, built)
	}
	server := support.NewServer(b, binary)
	server.Settings = []string{support.Networks}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	return server
}

// refused sends a request that must be refused with one of the codes, and returns how long that took.
func refused(b *testing.B, client *support.Client, path string, body any, header http.Header, codes ...string) time.Duration {
	b.Helper()
	began := time.Now()
	_, err := client.Do(b.Context(), http.MethodPost, path, body, nil, header)
	took := time.Since(began)
	if problem, ok := errors.AsType[*support.Problem](err); !ok || !slices.Contains(codes, problem.Code) {
		b.Fatalf("%s: %v", path, err)
	}
	return took
}

// BenchmarkPasskey tries registered and unregistered passkeys with a wrong key.
func BenchmarkPasskey(b *testing.B) {
	server := start(b)
	ada, eve := server.Client(), server.Client()
	user, passkey, err := ada.Register(b.Context(), "Ada")
	if err != nil {
		b.Fatal(err)
	}
	_, forger, err := eve.Register(b.Context(), "Eve")
	if err != nil {
		b.Fatal(err)
	}
	handle, err := hex.DecodeString(strings.ReplaceAll(user.ID, "-", ""))
	if err != nil {
		b.Fatal(err)
	}
	nobodys, nobody := make([]byte, len(passkey.ID())), make([]byte, len(handle))
	for _, b := range [][]byte{nobodys, nobody} {
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
	}
	try := func(b *testing.B, id, handle []byte) func() time.Duration {
		return func() time.Duration {
			var begun struct {
				Ceremony  string          `json:"ceremony"`
				PublicKey json.RawMessage `json:"publicKey"`
			}
			if _, err := eve.Do(b.Context(), http.MethodPost, "/v1/authentication/options", nil, &begun, nil); err != nil {
				b.Fatal(err)
			}
			said, err := forger.Say(begun.PublicKey)
			if err != nil {
				b.Fatal(err)
			}
			said.ID, said.UserHandle = id, handle
			answer, err := forger.Sign(said)
			if err != nil {
				b.Fatal(err)
			}
			// After some attempts both get a rate-limit refusal, but are verified all the same.
			return refused(b, eve, "/v1/authentication", map[string]any{"ceremony": begun.Ceremony, "credential": answer}, nil,
				"credential_rejected", "rate_limited")
		}
	}
	b.Run("OfNobody", func(b *testing.B) { compare(b, try(b, passkey.ID(), handle), try(b, nobodys, nobody)) })
	b.Run("OfSomebody", func(b *testing.B) { compare(b, try(b, passkey.ID(), handle), try(b, nobodys, handle)) })
}

// BenchmarkCode tries recovery codes with a wrong secret, some with a known lookup, some with an unknown one.
func BenchmarkCode(b *testing.B) {
	const each = 9 // wrong secrets for a code: the tenth would have to wait
	server := start(b)
	var codes []string
	more := func() {
		client := server.Client()
		defer client.Close()
		if _, _, err := client.Register(b.Context(), "Ada"); err != nil {
			b.Fatal(err)
		}
		var made struct{ Codes []string }
		if _, err := client.Do(b.Context(), http.MethodPost, "/v1/recovery-codes", nil, &made, nil); err != nil {
			b.Fatal(err)
		}
		for _, code := range made.Codes {
			for range each {
				codes = append(codes, code[:10]+fmt.Sprintf("%04d-%04d-%04d-%04d", rand.IntN(1e4), rand.IntN(1e4), rand.IntN(1e4), rand.IntN(1e4)))
			}
		}
	}
	client, network := server.Client(), 0
	try := func(code string) time.Duration {
		network++
		return refused(b, client, "/v1/recovery/options", map[string]string{"code": code},
			http.Header{"X-Forwarded-For": {fmt.Sprintf("10.%d.%d.1", network/256%256, network%256)}}, "ceremony_invalid")
	}
	known := func() time.Duration {
		if len(codes) == 0 {
			more()
		}
		code := codes[0]
		codes = codes[1:]
		return try(code)
	}
	unknown := func() time.Duration {
		return try(fmt.Sprintf("%04d-%04d-%04d-%04d-%04d-%04d", rand.IntN(1e4), rand.IntN(1e4), rand.IntN(1e4), rand.IntN(1e4), rand.IntN(1e4), rand.IntN(1e4)))
	}
	compare(b, known, unknown)
}
