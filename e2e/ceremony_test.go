package e2e

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/e2e/support"
)

// TestCeremonyOnReplicas: a ceremony begun on one server is finished once across all of them, even after they were
// killed or restarted.
func TestCeremonyOnReplicas(t *testing.T) {
	t.Parallel()
	first, second := startTwo(t, support.Networks)
	s := &siege{t, first, new(atomic.Int32)}
	ada := s.person("Ada")
	begin := func(at *support.Server) finish {
		options := s.begin(at.Client(), "authentication", nil)
		answer, err := ada.passkey.Assert(options.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return finish{options.Ceremony, answer}
	}
	try := func(at *support.Server, finished finish) string {
		return s.send(at.Client(), http.MethodPost, "/v1/authentication", finished, nil, nil)
	}

	finished := begin(first)
	s.want("on the other server", try(second, finished), "")
	s.want("again there", try(second, finished), "ceremony_invalid")
	s.want("again where it began", try(first, finished), "ceremony_invalid")

	const n = 20
	finished = begin(second)
	codes := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { codes[i] = try([]*support.Server{first, second}[i%2], finished) })
	}
	all.Wait()
	counted := map[string]int{}
	for _, code := range codes {
		counted[code]++
	}
	if counted[""] != 1 || counted[""]+counted["ceremony_invalid"]+counted["rate_limited"] != n {
		t.Errorf("of %d on two servers at once: %v", n, counted)
	}

	// A failed attempt is remembered, too, when all servers and PostgreSQL are killed right after it.
	good, spoilt := begin(first), begin(second)
	s.want("spoilt", try(first, finish{spoilt.Ceremony, json.RawMessage("{}")}), "credential_rejected")
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	s.want("spoilt before the servers were killed", try(first, spoilt), "ceremony_invalid")
	s.want("begun before the servers were killed", try(first, good), "")
	s.want("the same again", try(first, good), "ceremony_invalid")
}
