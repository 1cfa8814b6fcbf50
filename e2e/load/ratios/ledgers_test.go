package ratios

import (
	"context"
	"fmt"

	"holdfast/e2e/support"
)

const (
	batchEntries = 100
	batchLimit   = 5 // goal: CPU of a batch, to that of a reconcile without one

	fewEntries, manyEntries = 1_000, 1_000_000 // stored, of all accounts together
)

// ledgers prints what a reconcile with a batch of new acts costs, to one without: while few acts are stored, and many.
func (w *world) ledgers(clients int, all []account) {
	w.b.Helper()
	accounts := all[:8*clients]
	held := make([]support.Document, len(accounts))
	for i := range accounts {
		reconciled, err := accounts[i].device.Reconcile(w.b.Context(), accounts[i].client)
		if err != nil {
			w.b.Fatal(err)
		}
		held[i] = reconciled.Document
	}
	share := len(accounts) / clients
	prepared := func(entries int) *preparation {
		return &preparation{func(i, n int) (err error) {
			at := i*share + n%share
			a := &accounts[at]
			for range entries {
				if err := a.device.Record("notes", held[at]); err != nil {
					return err
				}
			}
			a.attempt, err = a.device.Prepare(a.client)
			return err
		}, share}
	}
	send := func(entries int) work {
		return timed(func(ctx context.Context, i, n int) error {
			a := of(accounts, clients, i, n)
			reconciled, err := a.device.Send(ctx, a.client, a.attempt)
			if err == nil && len(reconciled.Verdicts) != entries {
				err = fmt.Errorf("%d verdicts on %d acts", len(reconciled.Verdicts), entries)
			}
			if err == nil {
				a.device.Forget()
			}
			return err
		})
	}
	for _, stored := range []int{fewEntries, manyEntries} {
		w.store(accounts, stored)
		var empty, batch cost
		for range rounds {
			empty.add(w.measure(w.holdfast.PID(), clients, send(0), prepared(0)))
			batch.add(w.measure(w.holdfast.PID(), clients, send(batchEntries), prepared(batchEntries)))
			for _, a := range accounts { // what was prepared when the turn was over
				if _, err := a.device.Reconcile(w.b.Context(), a.client); err != nil {
					w.b.Fatal(err)
				}
				a.device.Forget()
			}
		}
		if w.b.Failed() {
			return
		}
		n := int64(len(batch.times))
		fmt.Printf("Acts, %d stored: a reconcile with %d new ones costs %d µs of CPU (server %d, PostgreSQL %d), %.1f times one without; the goal is %d. %.0f acts a second, p99 %.1f ms\n",
			stored, batchEntries, batch.each().Microseconds(), batch.server.Microseconds()/n, batch.sql.Microseconds()/n,
			ratio(batch.each(), empty.each()), batchLimit, batchEntries*batch.rate(), milliseconds(batch.percentile(99)))
	}
}

// store gives accounts a share of acts each that were accepted long ago.
func (w *world) store(accounts []account, total int) {
	w.b.Helper()
	for _, a := range accounts {
		_, err := w.db.Exec(`
			WITH own AS (SELECT user_id FROM devices WHERE id = $1), first AS (SELECT u.actions FROM users u JOIN own ON own.user_id = u.id),
			entries AS (
				INSERT INTO ledger_entries (user_id, device_id, seq, hash, entry, verdict, position, received_at)
				SELECT own.user_id, md5(own.user_id || '-' || first.actions)::uuid, n, sha256(convert_to(n || '-' || own.user_id || first.actions, 'UTF8')),
					convert_to('{"seq":' || n || ',"prev":"' || repeat('A', 43) || '","at":1,"feature":"notes","document":"AAAA","action":"save","payload":null}', 'UTF8'),
					'accepted', first.actions + n, now() - interval '40 days'
				FROM own, first, generate_series(1, $2) n
			)
			UPDATE users SET actions = actions + $2 WHERE id = (SELECT user_id FROM own)`, a.device.ID, total/len(accounts))
		if err != nil {
			w.b.Fatal(err)
		}
	}
	if _, err := w.db.Exec(`ANALYZE ledger_entries`); err != nil {
		w.b.Fatal(err)
	}
}
