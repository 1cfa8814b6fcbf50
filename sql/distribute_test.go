package sql_test

import (
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// TestHotStatementsNeedOneShard runs what users do often, and a revoke, on Citus, which here refuses each statement that would
// go to more than one shard.
func TestHotStatementsNeedOneShard(t *testing.T) {
	t.Parallel()
	owner, runtime := sqltest.Distributed(t)
	everywhere := benchOn(t, owner, runtime)
	b := *everywhere // with the same keys
	var err error
	if b.db, err = sql.Open(t.Context(), runtime+"&citus.multi_task_query_log_level=error"); err != nil {
		t.Fatal(err)
	}
	defer b.db.Close()
	if b.store, err = sql.NewEntitlements(t.Context(), b.db); err != nil {
		t.Fatal(err)
	}
	b.Service = b.replica(t)
	if err := b.db.Get(new(int), `SELECT count(*) FROM users`); err == nil {
		t.Fatal("a statement over all shards was not refused")
	}
	w := worldOn(t, b.db)
	done := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	a, in := w.register("Ada")
	for range 7 { // PostgreSQL changes to a plan without the arguments after the fifth time
		in = w.mustSignIn(a)
		_, err := w.Session(t.Context(), in.Token)
		done("session", err)
	}
	_, err = w.Sessions(t.Context(), in.Session.User.ID)
	done("sessions", err)
	_, err = w.Passkeys(t.Context(), in.Session.User.ID)
	done("passkeys", err)

	user := entitlements.UserID(in.Session.User.ID)
	everywhere.subscribe(t, user, "sub", 30*24*time.Hour)
	linked := everywhere.link(t, user) // two keys of the directory: two shards
	for range 7 {
		b.refresh(t, linked)
		_, err = b.Entitlements(t.Context(), user)
		done("entitlements", err)
	}
	_, err = b.Devices(t.Context(), user)
	done("devices", err)
	_, _, err = b.store.DeviceByKey(t.Context(), linked.jkt)
	done("device by key", err)
	_, err = b.Revocation(t.Context(), "sub")
	done("what a revoke would do", err)
	for range 7 {
		_, err = b.Revoke(t.Context(), "operator", "sub", "fraud")
		done("revoke", err)
		_, _, err = b.Reinstate(t.Context(), "operator", "sub", "sorry")
		done("reinstate", err)
	}
	done("unlink", b.Unlink(t.Context(), "user", user, linked.id))
	done("sign out", w.SignOut(t.Context(), in.Session))
}
