package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestTraces checks that requests and what they do in the database are traced when an endpoint is named, under a trusted
// proxy's traceparent, and that no span contains what a client chose.
func TestTraces(t *testing.T) {
	spans := make(chan *collector.ExportTraceServiceRequest, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var batch collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &batch) != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		spans <- &batch
	}))
	defer receiver.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	server := serve(t, configure(t, "--data", filepath.Join(folder(t), "data"), "--admin-token", bootstrapToken, "--trusted-proxies", "127.0.0.0/8", "--trusted-proxies", "::1/128"))
	request, err := http.NewRequestWithContext(t.Context(), "GET", server.origin+"/admin/v1/users?q=tell-tale", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	request.Header.Set("Authorization", "Bearer "+bootstrapToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	server.stop(t) // which sends what is left

	names := map[string]int{}
	close(spans)
	for batch := range spans {
		if strings.Contains(batch.String(), "tell") || strings.Contains(batch.String(), "127.0.0.1") {
			t.Errorf("a span has what only the client or the network knows: %s", batch)
		}
		for _, of := range batch.GetResourceSpans() {
			for _, scope := range of.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					if string(span.GetTraceId()) == "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" {
						names[span.GetName()]++
					}
				}
			}
		}
	}
	if names["GET /admin/v1/users"] != 1 || names["PostgreSQL exchange"] == 0 {
		t.Errorf("spans of the proxy's trace: %v", names)
	}
	if !strings.Contains(server.log.String(), `"trace":"0af7651916cd43dd8448eb211c80319c"`) {
		t.Error("the log does not name the trace")
	}
}
