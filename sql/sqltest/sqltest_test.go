package sqltest_test

import (
	"os"
	"testing"

	"holdfast/sql/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

func TestDatabasesAreIsolated(t *testing.T) {
	t.Parallel()
	insert := "INSERT INTO secrets (name, value) VALUES ('only-one', '')"
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			db := sqltest.New(t)
			var user string
			if err := db.Get(&user, "SELECT current_user"); err != nil {
				t.Fatal(err)
			}
			if user != "holdfast_runtime" {
				t.Errorf("connected as %s", user)
			}
			if _, err := db.Exec(insert); err != nil {
				t.Errorf("a database that another test has written to: %v", err)
			}
		})
	}
}
