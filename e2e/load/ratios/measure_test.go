package ratios

import (
	"database/sql"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/support"
)

const (
	rounds = 3               // turns of each side
	turn   = 2 * time.Second // duration of a turn

	patience = 30 * time.Second // for what must come
)

// cost is the cost of work.
type cost struct {
	times       []time.Duration // what the work measured
	whole       []time.Duration // all of the work
	elapsed     time.Duration
	server, sql time.Duration // CPU
	generator   time.Duration // CPU of this process
	wal         int64
	allocations float64
}

func (c *cost) add(o cost) {
	c.times, c.whole = append(c.times, o.times...), append(c.whole, o.whole...)
	c.elapsed += o.elapsed
	c.server += o.server
	c.sql += o.sql
	c.generator += o.generator
	c.wal += o.wal
	c.allocations += o.allocations
}

func (c *cost) rate() float64 { return float64(len(c.times)) / c.elapsed.Seconds() }

// each returns the CPU time per unit of work.
func (c *cost) each() time.Duration { return (c.server + c.sql) / time.Duration(max(1, len(c.times))) }

func (c *cost) percentile(p int) time.Duration { return percentile(c.times, p) }

func percentile(times []time.Duration, p int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, len(times)*p/100)]
}

// world holds the measured processes and the clients.
type world struct {
	b        *testing.B
	db       *sql.DB // as the owner
	owner    string
	postgres int // process id
	holdfast *support.Server
	peer     *exec.Cmd
	plain    string // the baseline's address

	known, watching []account // of a scaled world
}

// measure runs clients for one turn. If the work has to be prepared, which is not measured, they work in batches.
func (w *world) measure(server, clients int, do work, before *preparation) (c cost) {
	w.b.Helper()
	if before == nil {
		return w.run(server, clients, do, 0, math.MaxInt, turn)
	}
	for first := 0; c.elapsed < turn && !w.b.Failed(); first += before.batch {
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				for n := range before.batch {
					if err := before.prepare(i, first+n); err != nil {
						w.b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		c.add(w.run(server, clients, do, first, before.batch, turn-c.elapsed))
	}
	return c
}

// run runs clients for some time, at most batch attempts each.
func (w *world) run(server, clients int, do work, first, batch int, limit time.Duration) (c cost) {
	w.b.Helper()
	before := w.now(server)
	start := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			var times, whole []time.Duration
			for n := first; n-first < batch && time.Since(start) < limit; n++ {
				begun := time.Now()
				took, err := do(w.b.Context(), i, n)
				if err != nil {
					w.b.Error(err)
					return
				}
				times, whole = append(times, took), append(whole, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			c.times, c.whole = append(c.times, times...), append(c.whole, whole...)
		})
	}
	wg.Wait()
	c.elapsed = time.Since(start)
	after := w.now(server)
	c.server, c.sql, c.generator = after.server-before.server, after.sql-before.sql, after.generator-before.generator
	c.wal, c.allocations = after.wal-before.wal, after.allocations-before.allocations
	return c
}

// now reads the counters whose differences are costs. A server of 0 is this process.
func (w *world) now(server int) (c cost) {
	w.b.Helper()
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	if err != nil {
		w.b.Fatal(err)
	}
	c.generator = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	if server == 0 {
		c.server = c.generator
	} else if c.server, err = cpu(server); err != nil {
		w.b.Fatal(err)
	}
	if c.sql, err = familyCPU(w.postgres); err != nil {
		w.b.Fatal(err)
	}
	if err := w.db.QueryRow(`SELECT (pg_current_wal_lsn() - '0/0')::bigint`).Scan(&c.wal); err != nil {
		w.b.Fatal(err)
	}
	if server == w.holdfast.PID() {
		metrics, err := w.holdfast.Metrics()
		if err != nil {
			w.b.Fatal(err)
		}
		if found := mallocs.FindStringSubmatch(metrics); found != nil {
			if c.allocations, err = strconv.ParseFloat(found[1], 64); err != nil {
				w.b.Fatal(err)
			}
		}
	}
	return c
}

var mallocs = regexp.MustCompile(`(?m)^go_memstats_mallocs_total (\S+)$`)
