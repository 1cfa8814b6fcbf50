// Package ratios measures the cost of requests relative to a baseline in the same run, so that the ratios hold on any
// machine:
//
//	go test -run '^$' -bench Ratios -benchtime 1x ./e2e/load/ratios
//	go test -run '^$' -bench Scale -benchtime 1x -timeout 60m ./e2e/load/ratios
//
// It runs the real program on a private, durable PostgreSQL and, on the same PostgreSQL, the baseline program of
// e2e/load/plain. Work alternates between the two. U is the minimum cost of a reconcile: one P-256 verification, one
// signature, and one prepared round trip that is committed. CPU is that of the server and of PostgreSQL together,
// without the load generator's, which has its own columns. Every rate, and every latency but that of a push, includes the
// load generator's share of the same processors. The proof of a reconcile is made before it is measured: a device's signature
// costs the generator more than all else.
package ratios

import (
	"fmt"
	"os"
	"testing"
	"text/tabwriter"
	"time"
)

// BenchmarkRatios prints one table: what each kind of work costs, and its ratio to U and to the baseline. Lines about idle
// event streams, batches of recorded acts, and overload follow it.
func BenchmarkRatios(b *testing.B) {
	w := start(b)
	w.startPeer()
	const most = 64
	ours, theirs := w.accounts(8*most, w.holdfast.Origin, true), w.accounts(8*most, w.plain, false)
	watched := w.watched(most)
	u := w.unit()
	var unit cost
	for range rounds {
		unit.add(w.measure(0, 8, u, nil))
	}
	fmt.Printf("U = %v of CPU: server %v, PostgreSQL %v\n\n", unit.each().Round(time.Microsecond),
		(unit.server / time.Duration(len(unit.times))).Round(time.Microsecond), (unit.sql / time.Duration(len(unit.times))).Round(time.Microsecond))

	replica, through := w.counted(b)
	var trips []float64
	for _, row := range w.rows(1, replica.Address(), ours, theirs, watched) {
		trips = append(trips, w.tripsOf(row, through))
	}
	if err := replica.Stop(); err != nil {
		b.Fatal(err)
	}

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "work\tclients\t/s\tp50 ms\tp99 ms\tserver µs\tPostgreSQL µs\tCPU in U\tround trips\tWAL B\tallocations\tRSS MB\tclient µs\t/s to plain\tp99 to plain\tCPU to plain\tits client µs\t")
	for _, clients := range []int{1, 8, most} {
		for at, row := range w.rows(clients, w.holdfast.Origin, ours, theirs, watched) {
			var our, plain cost
			for range rounds {
				our.add(w.measure(w.holdfast.PID(), clients, row.ours, row.before))
				if row.plain != nil {
					plain.add(w.measure(w.peer.Process.Pid, clients, row.plain, nil))
				}
			}
			resident, err := memory(w.holdfast.PID())
			if err != nil {
				b.Fatal(err)
			}
			n := time.Duration(max(1, len(our.times)))
			fmt.Fprintf(table, "%s\t%d\t%.0f\t%.2f\t%.2f\t%d\t%d\t%.1f\t%.1f\t%d\t%.0f\t%d\t%d\t", row.name, clients, our.rate(),
				milliseconds(our.percentile(50)), milliseconds(our.percentile(99)), (our.server / n).Microseconds(), (our.sql / n).Microseconds(),
				ratio(our.each(), unit.each()), trips[at], our.wal/int64(n), our.allocations/float64(n), resident>>20, (our.generator / n).Microseconds())
			if row.plain == nil {
				fmt.Fprint(table, "\t\t\t\t\n")
				continue
			}
			fmt.Fprintf(table, "%.2f\t%.2f\t%.2f\t%d\t\n",
				our.rate()/plain.rate(), ratio(our.percentile(99), plain.percentile(99)), ratio(our.each(), plain.each()),
				(plain.generator / time.Duration(max(1, len(plain.times)))).Microseconds())
		}
	}
	if err := table.Flush(); err != nil {
		b.Fatal(err)
	}
	fmt.Println()
	w.idleStreams()
	w.ledgers(8, ours)
	w.overload(ours) // last, since it restarts the server
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }
