package entitlements_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"holdfast/entitlements"
)

// A simulation of the lineage promise: devices, a network that loses, delays and duplicates messages, and a server that
// loses commits. A history is a random sequence of such events; the promise must hold after each.

// judge is the rule under test: entitlements.Lineage.Judge, or a weakened one.
type judge func(l entitlements.Lineage, t entitlements.Token, bound int64) entitlements.Verdict

// profile is one copy of a device's profile. Tabs and workers share its storage.
type profile struct {
	stored entitlements.Token
	nonces []int64 // bindings of the nonces it received; -1: unbound
	// completed counts reconciles whose answer was stored since the profile was copied. A lost commit of the server
	// restarts the count, both when it is lost and when a device shows a token that followed from it.
	completed int
}

type request struct {
	from  *profile
	token entitlements.Token
	bound int64
}

type answer struct {
	to    *profile
	sent  entitlements.Token
	child *entitlements.Token // nil: stale
	bound int64
}

type world struct {
	judge    judge
	random   *rand.Rand
	tags     uint64
	row      entitlements.Lineage
	commits  []entitlements.Lineage // the restorable states, oldest first
	profiles []*profile
	requests []request
	answers  []answer
}

func newWorld(judge judge, seed uint64) *world {
	w := &world{judge: judge, random: rand.New(rand.NewPCG(seed, 1))}
	w.profiles = []*profile{{stored: w.child(), nonces: []int64{-1}}}
	return w
}

// child makes the child of the row's token.
func (w *world) child() entitlements.Token {
	w.tags++
	t := entitlements.Token{Generation: w.row.N, Parent: w.row.Parent}
	binary.BigEndian.PutUint64(t.Tag[:], w.tags)
	return t
}

func (w *world) copyProfile() {
	original := w.profiles[0]
	w.profiles = append(w.profiles, &profile{stored: original.stored, nonces: append([]int64(nil), original.nonces...)})
	original.completed = 0
}

func (w *world) restartCount() {
	for _, p := range w.profiles {
		p.completed = 0
	}
}

func (w *world) send(p *profile) {
	w.requests = append(w.requests, request{from: p, token: p.stored, bound: p.nonces[w.random.IntN(len(p.nonces))]})
}

// serve is the server's side of a request. It returns nil for a quarantined device, which gets a document instead, and
// has no lineage any more.
func (w *world) serve(r request) *answer {
	verdict := w.judge(w.row, r.token, r.bound)
	if verdict == entitlements.Advances && r.token.Generation > w.row.N {
		w.restartCount() // the server has lost commits, and this token shows it
	}
	if next := w.row.Advance(r.token, verdict); next != w.row {
		w.commits = append(w.commits, w.row)
		w.row = next
	}
	switch verdict {
	case entitlements.Repeated, entitlements.Advances:
		child := w.child()
		return &answer{to: r.from, sent: r.token, child: &child, bound: -1}
	case entitlements.Stale:
		return &answer{to: r.from, sent: r.token, bound: w.row.N}
	}
	return nil
}

// receive is the device's side of an answer: compare and swap.
func (w *world) receive(a answer) {
	a.to.nonces = append(a.to.nonces, a.bound)
	if a.child != nil && a.to.stored == a.sent {
		a.to.stored = *a.child
		a.to.completed++
	}
}

// reconcile is one undisturbed reconcile, with the retry that a stale token allows.
func (w *world) reconcile(p *profile) (completed bool) {
	bound := int64(-1)
	for range 2 {
		a := w.serve(request{from: p, token: p.stored, bound: bound})
		if a == nil {
			return false
		}
		w.receive(*a)
		if a.child != nil {
			return true
		}
		bound = a.bound
	}
	return false
}

// step runs one random event.
func (w *world) step() {
	switch n := w.random.IntN(100); {
	case n < 35:
		w.send(w.profiles[w.random.IntN(len(w.profiles))])
	case n < 65 && len(w.requests) > 0: // a request arrives, out of order; sometimes it will arrive again
		i := w.random.IntN(len(w.requests))
		r := w.requests[i]
		if w.random.IntN(5) > 0 {
			w.requests = append(w.requests[:i], w.requests[i+1:]...)
		}
		if a := w.serve(r); a != nil {
			w.answers = append(w.answers, *a)
		}
	case n < 88 && len(w.answers) > 0: // an answer arrives, out of order
		i := w.random.IntN(len(w.answers))
		a := w.answers[i]
		w.answers = append(w.answers[:i], w.answers[i+1:]...)
		w.receive(a)
	case n < 92: // the network or the device loses what is under way
		if w.random.IntN(2) == 0 {
			w.requests = nil
		} else {
			w.answers = nil
		}
	case n < 96 && len(w.commits) > 0: // a crash loses the last commit
		w.lose(1)
	case n < 97 && len(w.commits) > 0: // yesterday's database is restored
		w.lose(1 + w.random.IntN(len(w.commits)))
	}
}

func (w *world) lose(commits int) {
	keep := len(w.commits) - commits
	w.row = w.commits[keep]
	w.commits = w.commits[:keep]
	w.restartCount()
}

// honest plays one history with one device and returns how the promise was broken, if it was.
func honest(judge judge, seed uint64) string {
	w := newWorld(judge, seed)
	for range 20 + w.random.IntN(60) {
		w.step()
		if w.row.Forked {
			return "an honest device was called forked"
		}
	}
	w.requests, w.answers = nil, nil
	if !w.reconcile(w.profiles[0]) {
		return "an honest device can no longer reconcile"
	}
	return ""
}

// copied plays one history in which a profile is copied and both copies continue.
func copied(judge judge, seed uint64) string {
	w := newWorld(judge, seed)
	for range w.random.IntN(20) {
		w.step()
	}
	w.copyProfile()
	a, b := w.profiles[0], w.profiles[1]
	for range 20 + w.random.IntN(60) {
		w.step()
		if a.completed >= 2 && b.completed >= 2 {
			return "both copies completed two reconciles"
		}
	}
	w.requests, w.answers = nil, nil
	for range 3 {
		for _, p := range w.profiles {
			if w.reconcile(p) && w.row.Forked {
				return "a quarantined device reconciled"
			}
		}
	}
	if !w.row.Forked {
		return "two copies went on and no fork was found"
	}
	return ""
}

const histories = 40_000

func TestLineagePromise(t *testing.T) {
	for seed := range uint64(histories) {
		for _, play := range []func(judge, uint64) string{honest, copied} {
			if broken := play(entitlements.Lineage.Judge, seed); broken != "" {
				t.Fatalf("history %d: %s", seed, broken)
			}
		}
	}
}

// TestWeakenedLineageRulesAreDetected weakens one rule at a time and expects the histories to detect it.
func TestWeakenedLineageRulesAreDetected(t *testing.T) {
	type (
		lineage = entitlements.Lineage
		token   = entitlements.Token
		verdict = entitlements.Verdict
	)
	weakened := map[string]judge{
		"1: quarantine is not kept": func(l lineage, t token, bound int64) verdict {
			l.Forked = false
			return l.Judge(t, bound)
		},
		"2: the token last consumed is stale": func(l lineage, t token, bound int64) verdict {
			if v := l.Judge(t, bound); v != entitlements.Repeated {
				return v
			} else if bound == l.N {
				return entitlements.Forked
			}
			return entitlements.Stale
		},
		"3: a lost commit is not made good": func(l lineage, t token, bound int64) verdict {
			if !l.Forked && t.Tag != l.Parent && t.Generation > l.N {
				if bound == l.N {
					return entitlements.Forked
				}
				return entitlements.Stale
			}
			return l.Judge(t, bound)
		},
		"3: the parent does not matter": func(l lineage, t token, bound int64) verdict {
			if !l.Forked && t.Generation == l.N {
				return entitlements.Advances
			}
			return l.Judge(t, bound)
		},
		"3: the generation before is good enough": func(l lineage, t token, bound int64) verdict {
			if !l.Forked && t.Tag != l.Parent && t.Generation+1 == l.N {
				return entitlements.Advances
			}
			return l.Judge(t, bound)
		},
		"4: a stale token forks under any nonce": func(l lineage, t token, _ int64) verdict { return l.Judge(t, l.N) },
		"4: a stale token forks under a nonce bound to any generation": func(l lineage, t token, bound int64) verdict {
			if bound >= 0 {
				bound = l.N
			}
			return l.Judge(t, bound)
		},
		"4: a stale token never forks": func(l lineage, t token, _ int64) verdict { return l.Judge(t, -1) },
	}
	for name, rule := range weakened {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(histories) {
				if broken := fmt.Sprint(honest(rule, seed), copied(rule, seed)); broken != "" {
					t.Logf("history %d: %s", seed, broken)
					return
				}
			}
			t.Errorf("%d histories have not found it", histories)
		})
	}
}
