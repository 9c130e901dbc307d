# Every command that a person or CI runs. `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help run run-stack demo quick test browser fmt lint migrate openapi matrix bench bench-jobs verify-long verify-year fuzz-api audit build-tools test-tools stack-tools

# More words for a command: make run ARGS="--bind 127.0.0.1:9000"
ARGS ?=
# The table of a year, for `verify-year`.
DATA ?=
# The package is named, so that nothing that only tests switch on is built into the server.
SERVER := --locked --release --package sitewatch-api --bin sitewatch-api

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build-tools ## Build the server and serve on 127.0.0.1:8080, with everything in ./data (ARGS="…" is handed on)
	@echo "Building the server. The first time takes some minutes, later ones some seconds."
	cargo run $(SERVER) -- serve $(ARGS)

demo: build-tools ## Load a real wind farm, La Haute Borne, into the running server (or one of its own)
	cargo run $(SERVER) -- demo $(ARGS)

quick: build-tools ## The inner loop: unit tests, architecture, all suites on SQLite alone
	@tests/scripts/run-tests.sh quick

test: build-tools test-tools ## Everything that CI runs; installs what is missing (Debian, Ubuntu); under 30 minutes
	@tests/scripts/run-tests.sh all

browser: build-tools test-tools ## The pages in a real Chromium
	cargo build --locked --workspace --all-targets
	cargo test --locked --workspace --test browser -- $(ARGS)

fmt: ## Format all code
	cargo fmt --all

lint: ## Formatting, clippy and the documentation, with warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

run-stack: stack-tools ## PostgreSQL, Redis, two servers, two workers and HAProxy, in ./stack, on this machine
	cargo build --locked --release --package sitewatch-api --package sitewatch-worker
	tests/scripts/run-stack.sh $(or $(ARGS),stack)

migrate: build-tools ## Bring the database up to date (ARGS="status" and others: see `sitewatch-api migrate --help`)
	cargo run $(SERVER) -- migrate $(or $(ARGS),up)

openapi: ## Write docs/openapi.json from the code
	cargo run --locked --bin sitewatch-api -- openapi --output docs/openapi.json

matrix: ## Write docs/access-matrix.txt from the permission table
	UPDATE_DOCS=1 cargo test --locked --workspace --test architecture the_access_matrix_is_current

bench: build-tools test-tools ## Measure speed and memory of a release build, as docs/performance.md reports them
	cargo build $(SERVER)
	cargo build --locked --release --package sitewatch-http --example empty_route
	python3 tests/bench/bench.py $(ARGS)

bench-jobs: build-tools test-tools ## Measure the job queue of a release build next to Celery
	cargo build --locked --release --package sitewatch-api --package sitewatch-worker
	python3 tests/bench/jobs.py $(ARGS)

verify-long: build-tools test-tools ## The suites with many more repetitions, before a release; an hour or more
	SITEWATCH_TEST_LONG=1 tests/scripts/run-tests.sh all

verify-year: build-tools test-tools ## Monthly reports over a year of real readings against a plain computation (DATA=scada-2014.csv.gz)
	cargo build $(SERVER)
	/usr/bin/python3 tests/bench/year.py $(DATA)

fuzz-api: build-tools ## Let schemathesis call every operation in many ways (CASES=100000 SEED=1)
	cargo build --locked --workspace --all-targets
	python3 tests/black_box/fuzz.py --cases $(or $(CASES),5000) $(if $(SEED),--seed $(SEED))

audit: ## Licences, sources and known holes of all dependencies, as far as cargo-deny is installed
	@tests/scripts/audit.sh

build-tools:
	@tests/scripts/install-tools.sh build

stack-tools:
	@tests/scripts/install-tools.sh stack

test-tools:
	@tests/scripts/install-tools.sh test
