package e2e

import (
	"os"
	"testing"

	"holdfast/e2e/support"
)

// TestJourneyOnCitus takes the journey on a coordinator with workers, whose empty database HOLDFAST_CITUS_URL names for its
// owner: no package of Debian has Citus. The coordinator must let holdfast_runtime log in, and be let in by the workers.
func TestJourneyOnCitus(t *testing.T) {
	owner := os.Getenv("HOLDFAST_CITUS_URL")
	if owner == "" {
		t.Skip("not run on Citus: HOLDFAST_CITUS_URL names no coordinator")
	}
	command(t, "migrate", "--distribute", "--database-url", owner)
	first := support.NewServer(t, binary)
	first.DatabaseURL = owner
	command(t, "keys", "init", "--data", first.Data, "--origin", first.Origin)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	second := support.NewServer(t, binary)
	second.DatabaseURL, second.Data, second.Origin = owner, first.Data, first.Origin
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	journey(t.Context(), t, first, second)
}
