package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/sql"
)

// watchDatabase exports the pool of connections, the housekeeping and the program's version.
func watchDatabase(metrics *api.Metrics, db *sql.Database) {
	gauge := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
	}
	counter := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_build_info", Help: "1, with the program's version, schema and Go version.",
		ConstLabels: prometheus.Labels{"version": version(), "schema": strconv.FormatInt(sql.Version(), 10), "goversion": runtime.Version()},
	})
	build.Set(1)
	metrics.Register(build,
		gauge("holdfast_database_connections_in_use", "Connections of the pool that a request or task uses.",
			func() float64 { return float64(db.Pool().InUse) }),
		gauge("holdfast_database_connections_idle", "Open connections of the pool that are free.",
			func() float64 { return float64(db.Pool().Idle) }),
		gauge("holdfast_database_connections_most", "Connections that the pool may open: --database-pool.",
			func() float64 { return float64(db.Pool().MaxOpenConnections) }),
		counter("holdfast_database_waits_total", "Times that something waited for a connection of the pool.",
			func() float64 { return float64(db.Pool().WaitCount) }),
		counter("holdfast_database_wait_seconds_total", "Time spent waiting for connections of the pool.",
			func() float64 { return db.Pool().WaitDuration.Seconds() }),
		gauge("holdfast_housekeeping_timestamp_seconds", "When expired rows were last deleted, or another replica was at it. Unix time; 0 before.",
			func() float64 { return float64(db.Swept()) }),
	)
}

// exportClock exports the difference between the server's clock and the database's.
func exportClock(metrics *api.Metrics, rights *entitlements.Service) {
	metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_clock_ahead_seconds", Help: "How far this machine's clock is ahead of the database's; negative: behind.",
	}, func() float64 { return rights.ClockAhead().Seconds() }))
}

// watchListening exports whether the server hears the announcements of other replicas. It returns the function to report to.
func watchListening(metrics *api.Metrics) func(bool) {
	listening := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_listening", Help: "1 while the connection that listens for changes of other replicas is open, else 0: changes are then pushed late.",
	})
	metrics.Register(listening)
	return func(yes bool) {
		listening.Set(0)
		if yes {
			listening.Set(1)
		}
	}
}

// startTracing returns where spans go: nowhere, unless OpenTelemetry's environment variables name an endpoint. Its second
// result sends those that are left.
func startTracing(ctx context.Context, log *slog.Logger) (trace.TracerProvider, func(context.Context), error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return noop.NewTracerProvider(), func(context.Context) {}, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if protocol := os.Getenv(name); protocol != "" && protocol != "http/protobuf" {
			return nil, nil, fmt.Errorf("%s=%s: traces are sent by http/protobuf, to port 4318 of most collectors", name, protocol)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "holdfast"), attribute.String("service.version", version())),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces not sent", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	return provider, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience/2)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Warn("traces not sent", "error", err)
		}
	}, nil
}
