package ratios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"holdfast/e2e/support"
)

const (
	overloadFactor = 3                // times what the server carries
	overloadTime   = 10 * time.Second // duration of the overload
	overloadLimit  = 10               // goal: p99 of what is served, to that of one client
)

// overload offers the server three times as many reconciles as it carries: those that it serves must stay quick, and the
// others must be refused quickly. The clients of a real server have processors of their own, which the overload does not
// slow: so server and PostgreSQL have one processor here, and the load generator another.
func (w *world) overload(accounts []account) {
	w.b.Helper()
	w.useProcessor("0")
	if err := w.holdfast.Stop(); err != nil {
		w.b.Fatal(err)
	}
	w.startServer()
	w.useProcessor("1")
	reconcile := func(clients int) work {
		return timed(func(ctx context.Context, i, n int) error {
			a := of(accounts, clients, i, n)
			_, err := a.device.Reconcile(ctx, a.client)
			return err
		})
	}
	var unloaded, carried cost
	for range rounds {
		unloaded.add(w.measure(w.holdfast.PID(), 1, reconcile(1), nil))
		carried.add(w.measure(w.holdfast.PID(), 32, reconcile(32), nil))
	}

	// A refused request is sent again as it is: signing it anew would cost more than the refusal.
	type sender struct {
		account
		attempt  support.Attempt
		prepared bool
	}
	free := make(chan sender, len(accounts))
	for _, a := range accounts {
		free <- sender{account: a}
	}
	var mu sync.Mutex
	var served, refused cost
	var wg sync.WaitGroup
	rate, began, offered, missed := overloadFactor*carried.rate(), time.Now(), 0, 0
	for elapsed := time.Duration(0); elapsed < overloadTime; elapsed = time.Since(began) {
		for float64(offered+missed) < rate*elapsed.Seconds() {
			var a sender
			select {
			case a = <-free:
			default: // all wait for answers
				missed++
				continue
			}
			offered++
			wg.Go(func() {
				if !a.prepared {
					var err error
					if a.attempt, err = a.device.Prepare(a.client); err != nil {
						w.b.Error(err)
						return
					}
				}
				begun := time.Now()
				_, err := a.device.Send(w.b.Context(), a.client, a.attempt)
				took := time.Since(begun)
				problem, isProblem := errors.AsType[*support.Problem](err)
				a.prepared = isProblem && problem.Status == http.StatusServiceUnavailable
				free <- a
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					served.times = append(served.times, took)
				case a.prepared && problem.Code == "unavailable" && problem.RetryAfter != "":
					refused.times = append(refused.times, took)
				case isProblem && problem.Code == "use_dpop_nonce": // it was refused for too long
				default:
					w.b.Error(err)
				}
			})
		}
		time.Sleep(time.Millisecond)
	}
	served.elapsed = time.Since(began)
	refused.elapsed = served.elapsed
	wg.Wait()
	slower := ratio(served.percentile(99), unloaded.percentile(99))
	fmt.Printf("Overload, server and PostgreSQL on one processor: they carry %.0f reconciles a second, and %.0f are sent. %.0f are served, p50 %.1f ms, p99 %.1f ms: %.1f times the p99 of one client, %.1f ms; the goal is %d. %.0f get 503 unavailable and Retry-After, p50 %.1f ms, p99 %.1f ms.\n",
		carried.rate(), float64(offered)/served.elapsed.Seconds(), served.rate(), milliseconds(served.percentile(50)), milliseconds(served.percentile(99)),
		slower, milliseconds(unloaded.percentile(99)), overloadLimit, refused.rate(), milliseconds(refused.percentile(50)), milliseconds(refused.percentile(99)))
	if missed > 0 {
		fmt.Printf("(%d more were due while all %d devices waited for an answer.)\n", missed, len(accounts))
	}
	if len(refused.times) == 0 {
		w.b.Error("nothing is refused under overload")
	}
}

// useProcessor binds this process, and the processes that it starts from now on, to one processor.
func (w *world) useProcessor(number string) {
	w.b.Helper()
	if runtime.NumCPU() < 2 {
		w.b.Fatal("the overload needs two processors: one for the load generator alone")
	}
	if out, err := exec.Command("taskset", "-a", "-cp", number, strconv.Itoa(os.Getpid())).CombinedOutput(); err != nil {
		w.b.Fatalf("taskset: %v\n%s", err, out)
	}
}
