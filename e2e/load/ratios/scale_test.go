package ratios

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/lib/pq"

	"holdfast/e2e/support"
)

const (
	fewUsers       = 10_000
	devicesPerUser = 3
	perStatusList  = 900_000 // devices, before a new list begins
	scaleLimit     = 1.2     // cost with many users, to that with few
	scaleRounds    = 7       // turns of each side
)

var manyUsers = flag.Int("users", 1_000_000, "the larger number of users of BenchmarkScale")

// BenchmarkScale prints what each kind of work costs with a million users and with ten thousand, at two servers that take
// turns.
func BenchmarkScale(b *testing.B) {
	const clients = 4
	worlds := []*world{populated(b, fewUsers), populated(b, *manyUsers)}
	var rows [2][]row
	for i, w := range worlds {
		rows[i] = w.rows(clients, w.holdfast.Origin, w.known, nil, w.watching)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "work\tCPU µs, %d users\t%d users\tratio\tp50 ms, %[1]d users\t%[2]d users\tratio\t\n", fewUsers, *manyUsers)
	for at, row := range rows[0] {
		var costs [2]cost
		var ratios []float64
		for i, w := range worlds { // caches
			w.measure(w.holdfast.PID(), clients, rows[i][at].ours, rows[i][at].before)
		}
		for range scaleRounds {
			var each [2]time.Duration
			for i, w := range worlds {
				turn := w.measure(w.holdfast.PID(), clients, rows[i][at].ours, rows[i][at].before)
				each[i] = turn.each()
				costs[i].add(turn)
			}
			ratios = append(ratios, ratio(each[1], each[0]))
		}
		slices.Sort(ratios)
		cpu, trip := ratios[len(ratios)/2], ratio(percentile(costs[1].whole, 50), percentile(costs[0].whole, 50))
		fmt.Fprintf(table, "%s\t%d\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t\n", row.name, costs[0].each().Microseconds(), costs[1].each().Microseconds(), cpu,
			milliseconds(percentile(costs[0].whole, 50)), milliseconds(percentile(costs[1].whole, 50)), trip)
		if cpu > scaleLimit || trip > scaleLimit {
			b.Errorf("%s: CPU %.2f, time %.2f times as with %d users; at most %.1f", row.name, cpu, trip, fewUsers, scaleLimit)
		}
	}
	if err := table.Flush(); err != nil {
		b.Fatal(err)
	}
}

// populated starts a server with a number of users. All but 256 are copies of those, which are made through the API; only
// those sign in and reconcile.
func populated(b *testing.B, users int) *world {
	b.Helper()
	const templates = 256
	w := start(b)
	w.known, w.watching = w.accounts(templates, w.holdfast.Origin, true), w.accounts(4, w.holdfast.Origin, true)
	for i, a := range w.known {
		for n := range devicesPerUser {
			device := a.device
			if n > 0 {
				var err error
				if device, err = support.NewDevice(); err != nil {
					b.Fatal(err)
				}
				if err := device.Link(b.Context(), a.client, fmt.Sprint("Laptop ", n)); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := device.Reconcile(b.Context(), a.client); err != nil {
				b.Fatal(i, err)
			}
		}
	}
	begun := time.Now()
	w.multiply(users / (templates + len(w.watching)))
	// A server that starts with that many users.
	w.db.Close()
	if err := w.holdfast.Stop(); err != nil {
		b.Fatal(err)
	}
	w.startServer()
	w.listen(w.watching)
	var size string
	if err := w.db.QueryRow(`SELECT pg_size_pretty(pg_database_size(current_database()))`).Scan(&size); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%d users, %d devices: %s, made in %v\n", users, users*devicesPerUser, size, time.Since(begun).Round(time.Second))
	return w
}

// multiply copies every user n-1 times, with all that belongs to them. It knows only those columns that must differ in a
// way of their own: it finds the others that must differ in the unique indexes, and copies the rest.
func (w *world) multiply(n int) {
	w.b.Helper()
	exec := func(statement string, args ...any) {
		w.b.Helper()
		if _, err := w.db.Exec(statement, args...); err != nil {
			w.b.Fatalf("%.2000s: %v", statement, err)
		}
	}
	w.db.SetMaxOpenConns(1) // the settings are the session's
	exec(`SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '512MB'; SET maintenance_work_mem = '1GB'`)
	exec(`CREATE TEMP TABLE copies AS SELECT id AS template, k, md5(id::text || k)::uuid AS id, row_number() OVER () - 1 AS n
		FROM users, generate_series(1, $1 - 1) k`, n)
	exec(`ANALYZE copies`)

	const (
		letters = `translate(substr(md5(%s), 1, %d), '0123456789abcdef', 'aeioubdfgklmnrst')`
		device  = `(c.n * %d + t.nth)`
	)
	name := fmt.Sprintf(letters+` || ' ' || `+letters, `'first' || c.n % 400`, 6, `'last' || c.n`, 8)
	place := fmt.Sprintf(device, devicesPerUser)
	own := map[string]string{
		"users.id": `c.id`, "users.name": name, "users.words": `string_to_array(` + name + `, ' ')`,
		"users.parts":         `ARRAY(SELECT substr(word, at) FROM unnest(string_to_array(` + name + `, ' ')) word, generate_series(1, length(word) - 2) at)`,
		"devices.status_list": fmt.Sprintf(`%s / %d`, place, perStatusList),
		"devices.status_idx":  fmt.Sprintf(`(%s %% %d) * 1000003 %% 1048576`, place, perStatusList), // each once: the factor is odd
		"directory.kind":      `t.kind`,
	}
	var tables, inserts []string
	w.rowsOf(&tables, `SELECT 'users' UNION ALL SELECT relname::text FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = 'user_id'`)
	for _, table := range tables {
		rows, err := w.db.Query(`SELECT attname, atttypid::regtype::text, attnum = ANY (coalesce((SELECT array_agg(k) FROM pg_index, unnest(indkey) k
				WHERE indrelid = attrelid AND indisunique), '{}'))
			FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''`, table)
		if err != nil {
			w.b.Fatal(err)
		}
		var columns, values []string
		for rows.Next() {
			var column, kind, value string
			var unique bool
			if err := rows.Scan(&column, &kind, &unique); err != nil {
				w.b.Fatal(err)
			}
			quoted := pq.QuoteIdentifier(column)
			switch value = own[table+"."+column]; {
			case value != "":
			case column == "user_id":
				value = `c.id`
			case unique && kind == "uuid":
				value = `md5(t.` + quoted + `::text || c.k)::uuid`
			case unique && kind == "bytea":
				value = `sha256(t.` + quoted + ` || int4send(c.k))`
			case unique && kind == "text":
				value = `md5(t.` + quoted + ` || ':' || c.k)`
			default:
				value = `t.` + quoted
			}
			columns, values = append(columns, quoted), append(values, value)
		}
		if err := rows.Err(); err != nil {
			w.b.Fatal(err)
		}
		key := "user_id"
		if table == "users" {
			key = "id"
		}
		inserts = append(inserts, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) SELECT `+strings.Join(values, ", ")+
			` FROM (SELECT *, row_number() OVER (PARTITION BY `+key+` ORDER BY ctid) - 1 AS nth FROM `+table+`) t JOIN copies c ON c.template = t.`+key)
	}
	restore := w.dropIndexes(exec)
	for _, insert := range inserts {
		exec(insert)
	}
	// One in 200 is withdrawn.
	exec(`INSERT INTO status_entries (list, idx, status) SELECT list, idx, CASE WHEN idx % 200 = 7 THEN 1 ELSE 0 END
		FROM (SELECT status_list, status_idx FROM devices EXCEPT SELECT list, idx FROM status_entries) d (list, idx)`)
	restore()
	exec(`VACUUM ANALYZE`)
	exec(`CHECKPOINT`)
}

// dropIndexes drops all indexes, because they are faster to make than to fill. restore makes them again.
func (w *world) dropIndexes(exec func(string, ...any)) (restore func()) {
	w.b.Helper()
	var indexes, constraints, drops []string
	w.rowsOf(&indexes, `SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
		WHERE t.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)`)
	const (
		from  = ` FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f') ORDER BY contype `
		alter = `SELECT format('ALTER TABLE %s `
	)
	w.rowsOf(&drops, alter+`DROP CONSTRAINT %I', conrelid::regclass, conname)`+from) // foreign keys first
	w.rowsOf(&constraints, alter+`ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))`+from+`DESC`)
	for _, index := range indexes {
		name := strings.Fields(index[strings.Index(index, "INDEX"):])[1]
		drops = append(drops, `DROP INDEX `+name)
	}
	for _, statement := range drops {
		exec(statement)
	}
	return func() {
		for _, statement := range append(constraints, indexes...) {
			exec(statement)
		}
	}
}

// rowsOf reads a query's only column.
func (w *world) rowsOf(into *[]string, query string) {
	w.b.Helper()
	rows, err := w.db.Query(query)
	if err != nil {
		w.b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			w.b.Fatal(err)
		}
		*into = append(*into, value)
	}
	if err := rows.Err(); err != nil {
		w.b.Fatal(err)
	}
}
