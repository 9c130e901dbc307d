#!/usr/bin/env python3
"""Lets schemathesis call every operation of a server of its own: as superuser, as admin of an organization, as device.

Usage: fuzz.py [--cases 5000] [--seed N] [--role superuser|admin|device]   (called by `make test` and `make fuzz-api CASES=…`)

schemathesis is installed below target/tests; where it cannot be, that is said. Any failed check, any warning about data or
authentication that is missing, and any panic in the server's log is a failure; so is a run of fewer cases than were asked for.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from installation import EMAIL, TARGET, Absent, Installation, virtual_environment

HERE = pathlib.Path(__file__).resolve().parent
DEVICES = ["getModule", "listModules", "listLatest", "sendHeartbeat", "createReadings", "ingestReadings", "listModuleTypes",
           "getModuleType", "listMetrics", "getMetric"]
ROLES = ["superuser", "admin", "device"]
# What a short run leaves to the other of the two; a long one leaves nothing.
SHORT = {"superuser": ["--phases", "examples,coverage"], "admin": ["--phases", "examples,fuzzing,stateful"], "device": []}
LONG_FROM = 20_000


def superusers_alone() -> list[str]:
    """The operations that an admin may never do, from the table of the suite that shows who may do what."""
    table = (HERE.parent / "api" / "access_coverage" / "table.rs").read_text()
    rows = re.findall(r'row\("(\w+)", \w+, Role::(\w+)', table)
    return sorted({name for name, _ in rows} - {name for name, role in rows if role != "Superuser"})


def run(program: pathlib.Path, role: str, seed: int, examples: int, words: list[str]) -> tuple[int, bool]:
    """How many cases there were, and whether all was well."""
    with Installation() as server:
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE),
                       "FUZZED": json.dumps({"base": server.base, "root": EMAIL, "role": role})}
        chosen = [word for name in DEVICES for word in ("--include-operation-id", name)] if role == "device" else []
        if role == "admin":
            chosen = [word for name in superusers_alone() for word in ("--exclude-operation-id", name)]
        command = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{server.base}/openapi.json", "--seed", str(seed),
                   "--max-examples", str(examples), *chosen, *words]
        began = time.monotonic()
        print(f"==> {role}, seed {seed}, {examples} examples an operation", flush=True)
        ended = subprocess.run(command, env=environment, cwd=server.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = re.search(r"([\d,]+) generated", ended.stdout)
        cases = int(found[1].replace(",", "")) if found else 0
        panics = server.panics()
        is_well = ended.returncode == 0 and not panics
        if not is_well:
            print(ended.stdout, *panics, sep="\n")
        print(f"{role}: {cases} cases in {time.monotonic() - began:.0f} s, {'no finding' if is_well else 'FINDINGS'}", flush=True)
        return cases, is_well


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=20_261_129)
    parser.add_argument("--role", choices=ROLES)
    given, words = parser.parse_known_args()
    try:
        programs = virtual_environment(TARGET / "tests" / "schemathesis", HERE / "requirements.txt")
    except Absent as absent:
        sys.exit(f"schemathesis cannot be installed: {absent}")
    total, wells, seed = 0, [], given.seed
    while total < given.cases:
        before = total
        short = {} if given.cases >= LONG_FROM else SHORT
        for role in [given.role] if given.role else ROLES:
            cases, is_well = run(programs / "st", role, seed, min(100, max(1, (given.cases - before) // 600)), [*short.get(role, []), *words])
            total += cases
            wells.append(is_well)
        seed += 1
        if total == before or not all(wells):
            break
    print(f"{total} cases")
    sys.exit(0 if all(wells) and total >= given.cases else 1)


main()
