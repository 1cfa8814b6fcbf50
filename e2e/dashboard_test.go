package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// TestDashboardShowsData has Prometheus scrape two busy replicas, and checks that each query of the dashboard returns data.
func TestDashboardShowsData(t *testing.T) {
	t.Parallel()
	if !full {
		t.Skip("part of make verify, which installs Prometheus")
	}
	ctx := t.Context()
	first, second := startTwo(t)
	journey(ctx, t, first, second)
	journey(ctx, t, second, first)

	dir := support.Folder(t)
	config := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf(`{global: {scrape_interval: 200ms}, scrape_configs: [{job_name: holdfast, static_configs: [{targets: ["%s", "%s"]}]}]}`,
		first.OpsAddress(), second.OpsAddress())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := support.FreeAddress(t)
	prometheus := exec.CommandContext(ctx, "prometheus", "--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address)
	if err := prometheus.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = prometheus.Process.Kill()
		_ = prometheus.Wait()
	}()

	// Without these, no billing system and no receiver is set up: the panels stay empty.
	unused := []string{"holdfast_billing_events_total", "holdfast_webhook_attempts_total"}
	dashboard, err := os.ReadFile("../cmd/holdfast/deploy/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var panels struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(dashboard, &panels); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, panel := range panels.Panels {
		for _, target := range panel.Targets {
			query := strings.NewReplacer("$instance", ".+", "$__rate_interval", "1m").Replace(target.Expr)
			if strings.Contains(query, unused[0]) || strings.Contains(query, unused[1]) {
				continue
			}
			queries++
			deadline, found := time.Now().Add(30*time.Second), false
			for !found && time.Now().Before(deadline) {
				found = hasData(address, query)
				time.Sleep(100 * time.Millisecond)
			}
			if !found {
				t.Errorf("%s: no data for %s", panel.Title, query)
			}
		}
	}
	if queries == 0 {
		t.Error("the dashboard has no queries")
	}
}

// hasData reports whether Prometheus answers a query with at least one sample.
func hasData(address, query string) bool {
	response, err := http.Get((&url.URL{Scheme: "http", Host: address, Path: "/api/v1/query", RawQuery: url.Values{"query": {query}}.Encode()}).String())
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var answer struct {
		Data struct{ Result []any }
	}
	return json.NewDecoder(response.Body).Decode(&answer) == nil && len(answer.Data.Result) > 0
}
