#!/bin/bash
# Runs test suites one after another and ends with the time that each took. The first failure ends the run.
#
#   run-tests.sh all      everything: formatting, lints, documentation, dependencies, every suite on every database
#   run-tests.sh quick    what needs no service: unit tests, architecture, the other suites on SQLite alone
#
# Suites are the [[test]] targets of tests/Cargo.toml, so that a new one takes part without being named here.
set -euo pipefail
cd "$(dirname "$0")/../.."

mode=${1:?"usage: run-tests.sh all|quick"}
cargo="cargo --locked"
started=$SECONDS
report=""

finish() {
    status=$?
    printf '\n%-22s %9s\n%s%-22s %6d s\n' suite time "$report" total $((SECONDS - started))
    [ "$status" = 0 ] || printf '\nFAILED in: %s\n' "${current:-the beginning}"
}
trap finish EXIT

# A step: its name, then the command.
step() {
    current=$1
    shift
    local began=$SECONDS
    printf '\n==> %s\n' "$current"
    "$@"
    report+=$(printf '%-22s %6d s' "$current" $((SECONDS - began)))$'\n'
}

suites() {
    sed -n '/^\[\[test\]\]/,/^path/s/^name = "\(.*\)"$/\1/p' tests/Cargo.toml
}

# Those of another backend are left out by their names: `postgres::sites::create`.
only_sqlite=()
if [ "$mode" = all ]; then
    step lint make --no-print-directory lint
    step audit make --no-print-directory audit
else
    only_sqlite=(-- --skip postgres::)
fi
# Together, so that the suites find the server's binary beside their own, built of the same sources.
step build $cargo build --workspace --all-targets
step unit $cargo test --workspace --lib --bins --quiet
step architecture $cargo test --workspace --test architecture
for suite in $(suites); do
    if [ "$mode" = quick ] && [ "$suite" = browser ]; then
        continue
    fi
    step "$suite" $cargo test --workspace --test "$suite" "${only_sqlite[@]}"
done
step examples $cargo test --workspace --doc --quiet
current=""
