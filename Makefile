# Two commands do all the set-up: `make up` runs Wharfinger, `make test` tests it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TARGET := target/x86_64-unknown-linux-gnu
PHASE := scripts/phase

# Of `make up`: NAME, PORT_BASE, DATA_DIR, DOCKER_HOST, ADVERTISE.
UP_FLAGS := $(if $(NAME),--name $(NAME)) $(if $(PORT_BASE),--port-base $(PORT_BASE)) \
  $(if $(DATA_DIR),--data-dir $(DATA_DIR)) $(if $(DOCKER_HOST),--docker-host $(DOCKER_HOST)) \
  $(if $(ADVERTISE),--advertise $(ADVERTISE))

.PHONY: help up down build release admin-ui test test-quick test-docker test-browser properties chaos testbed testbed-down scenarios check audit bench

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## build, start an engine if none runs, and bring the platform up (again: repair)
	@$(PHASE) "tools" scripts/deps build engine
	@$(MAKE) release
	@dist/wharf up $(UP_FLAGS)
	@echo "put it on the PATH: sudo install dist/wharf /usr/local/bin/wharf"

down: ## stop and remove what `make up` made; PURGE=1 removes the data too
	@dist/wharf down $(UP_FLAGS) $(if $(PURGE),--purge)

admin-ui: ## the files of the admin UI, which the binary has inside
	@$(PHASE) "tools of the admin UI" scripts/deps ui
	@$(PHASE) "admin UI" scripts/admin-ui

release: admin-ui ## the static binary, at dist/wharf
	@$(PHASE) "release build" cargo build --release --locked -p wharf
	@mkdir -p dist && cp -f $(TARGET)/release/wharf dist/wharf.new && mv -f dist/wharf.new dist/wharf
	@ls -l dist/wharf | awk '{printf "dist/wharf: %.1f MB\n", $$5 / 1e6}'

build: admin-ui ## everything in the dev profile, tests included
	@$(PHASE) "tools to build" scripts/deps build
	@$(PHASE) "dev build" cargo build --locked --workspace --all-targets

test: build ## every test, Docker's and the browser's included
	@$(PHASE) "tools to test" scripts/deps test browser
	@$(PHASE) "quick tests" scripts/test quick
	@$(PHASE) "docker tests" scripts/test docker
	@$(PHASE) "browser tests" scripts/test browser

test-quick: ## the tests that need no Docker
	@$(PHASE) "tools to build" scripts/deps build client
	@$(PHASE) "quick tests" scripts/test quick

test-docker: build ## the tests that need Docker
	@$(PHASE) "tools to test" scripts/deps test
	@$(PHASE) "docker tests" scripts/test docker

test-browser: build ## the admin UI driven by a browser
	@$(PHASE) "tools to test" scripts/deps test browser
	@$(PHASE) "browser tests" scripts/test browser

properties: ## the property tests with random seeds; TIMES=10 as many cases, PACKAGE=name, SEED=N replays
	@$(PHASE) "tools to build" scripts/deps build client
	@$(if $(SEED),PROPTEST_RNG_SEED=$(SEED)) $(PHASE) "property tests" scripts/properties $(or $(TIMES),10) $(PACKAGE)

chaos: build ## kill, freeze, fill and cut at random moments; EVENTS=200, SEED=N replays
	@$(PHASE) "tools to test" scripts/deps test
	@WHARF_CHAOS_EVENTS=$(or $(EVENTS),200) $(if $(SEED),WHARF_SEED=$(SEED)) $(PHASE) "chaos" \
	  cargo test --locked -p wharf-tests --test docker_chaos -- --nocapture

testbed: ## many hosts on this machine with the platform on them, to play with; HOSTS=6, DIRECTORS=3
	@$(PHASE) "tools to test" scripts/deps test
	@$(PHASE) "testbed" scripts/testbed up $(or $(HOSTS),6) $(DIRECTORS)

testbed-down: ## end what `make testbed` brought up
	@scripts/testbed down

scenarios: build ## hosts, zones, leaders, links, engines lost under load; SCENARIO=name
	@$(PHASE) "tools to test" scripts/deps test
	@scripts/testbed-sweep
	@trap scripts/testbed-sweep EXIT; \
	  $(PHASE) "scenarios" cargo run --locked --quiet -p wharf-tests --bin scenarios -- $(SCENARIO)

check: ## format, lints, licences and bans, breaking contract changes, the admin UI
	@$(PHASE) "tools to build" scripts/deps build
	@$(PHASE) "format" cargo fmt --all --check
	@$(PHASE) "tools to check" scripts/deps check
	@$(PHASE) "contracts" scripts/check-contracts
	@$(PHASE) "licences and bans" scripts/check-deps
	@$(PHASE) "tools of the admin UI" scripts/deps ui
	@$(PHASE) "admin UI" scripts/check-ui
	@$(PHASE) "lints" cargo clippy --locked --workspace --all-targets -- -D warnings

audit: ## known vulnerabilities (needs the advisory databases)
	@scripts/deps build check
	@scripts/check-deps advisories

bench: ## ratios against real OpenSearch and Docker's own figures
	@scripts/bench
