#!/usr/bin/env bash
# Runs the test suites one after another; ends with the time that each took and the names of those that failed.
#
#   run-tests.sh all      everything: lints, documentation, dependencies, every suite on every database
#   run-tests.sh quick    what needs no service: unit tests, architecture, the other suites on SQLite alone
#
# Suites are the [[test]] targets of tests/Cargo.toml, so that a new one takes part without being named here.
set -euo pipefail
cd "$(dirname "$0")/../.."

mode=${1:?"usage: run-tests.sh all|quick"}
report=""
failed=""

finish() {
    printf '\n%-22s %9s\n%s%-22s %7d s\n' suite time "$report" total "$SECONDS"
    [ -z "$failed" ] || printf '\nFAILED:%s\n' "$failed"
}
trap finish EXIT

# A step: its name, then the command. A failure is remembered, and the other steps still run.
step() {
    local name=$1 began=$SECONDS verdict=""
    shift
    printf '\n==> %s\n' "$name"
    if ! "$@"; then
        failed+=" $name"
        verdict="  FAILED"
    fi
    report+=$(printf '%-22s %7d s%s' "$name" $((SECONDS - began)) "$verdict")$'\n'
}

test_workspace() {
    if [ "$mode" = quick ]; then
        # Cases are named after their database, and so is the module that starts PostgreSQL.
        cargo test --locked --workspace "$@" -- --skip postgres::
    else
        cargo test --locked --workspace "$@"
    fi
}

suites() {
    sed -n '/^\[\[test\]\]/,/^path/s/^name = "\(.*\)"$/\1/p' tests/Cargo.toml
}

if [ "$mode" = all ]; then
    step lint make --no-print-directory lint
    step audit make --no-print-directory audit
fi
# Together, so that the suites find the server's binary beside their own, built of the same sources.
step build cargo build --locked --workspace --all-targets
case "$failed" in *build*) exit 1 ;; esac
step unit test_workspace --lib --bins --quiet
step architecture cargo test --locked --workspace --test architecture
for suite in $(suites); do
    if [ "$mode" = all ] || [ "$suite" != browser ]; then
        step "$suite" test_workspace --test "$suite"
    fi
done
fuzz_cases=5000
[ -z "${SITEWATCH_TEST_LONG:-}" ] || fuzz_cases=100000
if [ "$mode" = all ]; then
    step clients python3 tests/clients/run.py
    step fuzz python3 tests/black_box/fuzz.py --cases "$fuzz_cases"
fi
examples() {
    cargo test --locked --workspace --doc --quiet || return 1
    # Built with everything else above.
    local example
    for example in validation own_repository permission_check; do
        "${CARGO_TARGET_DIR:-target}/debug/examples/$example" || return 1
    done
}
step examples examples
[ -z "$failed" ]
