#!/bin/sh
# Checks the dependencies with cargo-deny, and says plainly what could not be checked.
set -eu
cd "$(dirname "$0")/../.."

if ! command -v cargo-deny >/dev/null 2>&1; then
    echo "licences, bans, sources: not checked (cargo-deny is not installed: cargo install --locked cargo-deny)"
    echo "advisories: not checked (the same)"
    exit 0
fi
cargo deny --locked check licenses bans sources
# The database of advisories lives on the network; to have no network is no fault of the dependencies.
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --locked check advisories
else
    echo "advisories: not checked (their database cannot be had)"
fi
