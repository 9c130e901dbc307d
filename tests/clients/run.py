#!/usr/bin/env python3
"""Generates clients from the OpenAPI document of a running server and lets each make the same ten calls.

Usage: run.py [python] [typescript] [rust]   (called by `make test`; all without a name)

Tools and what they generate live below target/tests. A tool that cannot be installed (no npm, no network) is said, and its client
is left out; a client that cannot be generated or whose calls go wrong is a failure.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "black_box"))
from installation import EMAIL, PASSWORD, TARGET, Absent, Installation, Plant, virtual_environment

PLACE = TARGET / "tests" / "clients"


def do(*command, folder: pathlib.Path, **environment: str):
    ended = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(str(word) for word in command)}:\n{ended.stdout}")
    return ended.stdout


def install(*command, folder: pathlib.Path):
    try:
        do(*command, folder=folder)
    except (RuntimeError, OSError) as error:
        raise Absent(str(error).strip().splitlines()[-1]) from None


def python(base: str, document: pathlib.Path):
    place = PLACE / "python"
    place.mkdir(parents=True, exist_ok=True)
    programs = virtual_environment(place / "venv", HERE / "requirements.txt")
    told = do(programs / "openapi-python-client", "generate", "--path", document, "--meta", "none", "--output-path", "sitewatch_client",
              "--overwrite", folder=place)
    if "Unable to" in told or "ERROR" in told:
        raise RuntimeError(told)
    print(do(programs / "python", HERE / "calls.py", base, EMAIL, PASSWORD, folder=place))


def typescript(base: str, document: pathlib.Path):
    place = PLACE / "typescript"
    place.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "package-lock.json", "tsconfig.json", "calls.ts"]:
        shutil.copy(HERE / "typescript" / name, place / name)
    if shutil.which("npm") is None:
        raise Absent("npm is not installed")
    if not (place / "node_modules" / "openapi-fetch").exists():
        install("npm", "ci", "--no-audit", "--no-fund", folder=place)
    programs = place / "node_modules" / ".bin"
    do(programs / "openapi-typescript", document, "--output", "schema.ts", folder=place)
    do(programs / "tsc", "--project", "tsconfig.json", folder=place)
    print(do("node", "out/calls.js", base, EMAIL, PASSWORD, folder=place))


def rust(base: str, document: pathlib.Path):
    older = document.with_name("openapi-3.0.json")
    with urllib.request.urlopen(base + "/openapi-3.0.json") as answer:
        older.write_bytes(answer.read())
    install("cargo", "fetch", "--locked", folder=HERE / "rust")
    place = PLACE / "rust"
    do("cargo", "build", "--locked", "--quiet", "--target-dir", place, folder=HERE / "rust", SITEWATCH_DOCUMENT=str(older))
    print(do(place / "debug" / "sitewatch-rust-client", base, EMAIL, PASSWORD, folder=HERE / "rust"))


def main():
    clients = {"python": python, "typescript": typescript, "rust": rust}
    chosen = sys.argv[1:] or list(clients)
    failed = []
    PLACE.mkdir(parents=True, exist_ok=True)
    with Installation() as server:
        Plant(server.root())
        document = PLACE / "openapi.json"
        with urllib.request.urlopen(server.base + "/openapi.json") as answer:
            document.write_bytes(answer.read())
        for name in chosen:
            began = time.monotonic()
            try:
                clients[name](server.base, document)
                print(f"{name}: well, in {time.monotonic() - began:.0f} s")
            except Absent as absent:
                print(f"{name}: NOT CHECKED: {absent}")
            except RuntimeError as error:
                print(f"{name}: FAILED\n{error}")
                failed.append(name)
    sys.exit(1 if failed else 0)


main()
