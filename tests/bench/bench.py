#!/usr/bin/env python3
"""Measures a release build: start, memory, telemetry, and ratios to the yardstick in the same run.

Usage: bench.py [--seconds 5] [--rounds 3] [--sign-ins 500] [--flood-seconds 30] [--sign-ins-alone] [--server PATH] [--only NAME ...]
(called by `make bench`)

Starts its own PostgreSQL in a temporary folder, installs the yardstick (FastAPI, SQLAlchemy, asyncpg: see `yardstick/`) into
a virtual environment under target/, drives both servers in turn with `compare.py`, and prints what `docs/performance.md` reports.
`--only wall` measures nothing but what row level security costs. Needs wrk, redis-server and PostgreSQL's programs.
"""
import argparse
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import physical
import sign_in

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SERVER = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "sitewatch-api"
EMAIL, PASSWORD = "bench@example.org", "a password for the bench"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(base: str, path: str, body=None, token: str = ""):
    request = urllib.request.Request(base + path, method="POST" if body is not None else "GET")
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(request, data) as answer:
        return json.load(answer)


class Server:
    """A running sitewatch-api on a folder of its own or on PostgreSQL."""

    program = SERVER

    def __init__(self, folder: pathlib.Path, database: str = "", **settings: str):
        self.base = f"http://127.0.0.1:{(port := free_port())}"
        env = {**os.environ, "SITEWATCH_BIND": f"127.0.0.1:{port}", "SITEWATCH_DATA_DIR": str(folder), "SITEWATCH_LOG": "warn",
               "SITEWATCH_ADMIN_EMAIL": EMAIL, "SITEWATCH_ADMIN_PASSWORD": PASSWORD, "SITEWATCH_RATE_LIMITS": "off",
               "SITEWATCH_MANAGEMENT_BIND": ""}
        if database:
            env |= {"SITEWATCH_DATABASE_URL": database, "SITEWATCH_MIGRATE": "on", **settings}
        started = time.monotonic()
        self.process = subprocess.Popen([self.program, "serve"], env=env, stderr=subprocess.DEVNULL, cwd=folder.parent)
        while True:
            try:
                call(self.base, "/health/ready")
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("the server has ended")
                time.sleep(0.005)
        self.start_s = time.monotonic() - started

    def login(self, email: str = EMAIL) -> str:
        return call(self.base, "/api/v1/auth/login", {"email": email, "password": PASSWORD})["data"]["access_token"]

    def memory_mib(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def plant(base: str, token: str, sites: int) -> dict[str, str]:
    make = lambda path, body: call(base, "/api/v1" + path, body, token)["data"]["id"]
    org = make("/organizations", {"name": "Bench"})
    make("/metrics", {"organization_id": org, "key": "power", "name": "Power", "unit": "kW"})
    kind = make("/module-types", {"organization_id": org, "name": "T", "metrics": ["power"]})
    made = [make(f"/organizations/{org}/sites", {"name": f"Site {n}", "address": "1 Main Street", "latitude": 48.1, "longitude": 11.5})
            for n in range(sites)]
    modules = [make(f"/sites/{made[0]}/modules", {"name": f"M{n}", "serial_number": f"M{n}", "module_type_id": kind}) for n in range(4)]
    return {"ORGANIZATION": org, "SITE": made[0], "KIND": kind, "MODULE": modules[0], "MODULES": ",".join(modules)}


def telemetry(base: str, token: str, modules: list[str]) -> float:
    """Four modules, one metric, a year of ten-minute readings, as daily averages: the median of seven answers, in ms."""
    start = 1_388_530_800  # 2014-01-01 in Paris
    for module in modules:
        rows = [{"metric": "power", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + n * 600)), "value": n % 977 + 0.5}
                for n in range(52_560)]
        for first in range(0, len(rows), 10_000):
            call(base, f"/api/v1/modules/{module}/readings", {"readings": rows[first:first + 10_000]}, token)
    question = {"modules": modules, "metrics": ["power"], "from": "2014-01-01T00:00:00+01:00", "to": "2015-01-01T00:00:00+01:00",
                "interval": "P1D", "timezone": "Europe/Paris", "aggregates": ["avg"]}
    times = []
    for _ in range(7):
        started = time.monotonic()
        answer = call(base, "/api/v1/telemetry/query", question, token)
        times.append((time.monotonic() - started) * 1000)
    assert len(answer["data"]["series"]) == 4 and len(answer["data"]["series"][0]["avg"]) == 365
    return sorted(times)[3]


def crowded(base: str, token: str, module: str) -> float:
    """A month of days of a module with readings in each of 312 months, beside all that is there: the median of seven, in ms."""
    rows = [{"metric": "power", "at": f"{year}-{month:02}-{day:02}T00:00:00Z", "value": day}
            for year in range(2000, 2026) for month in range(1, 13) for day in range(1, 29)]
    call(base, f"/api/v1/modules/{module}/readings", {"readings": rows}, token)
    question = {"modules": [module], "metrics": ["power"], "from": "2014-01-01T00:00:00Z", "to": "2014-02-01T00:00:00Z",
                "interval": "P1D", "timezone": "Europe/Paris", "aggregates": ["avg", "first", "last"]}
    times = []
    for _ in range(7):
        started = time.monotonic()
        call(base, "/api/v1/telemetry/query", question, token)
        times.append((time.monotonic() - started) * 1000)
    return sorted(times)[3]


def programs() -> pathlib.Path:
    """Those of the newest PostgreSQL."""
    return max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))


def postgres(folder: pathlib.Path) -> tuple[subprocess.Popen, int]:
    user = pwd.getpwnam("postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody")
    drop = {"user": user.pw_uid, "group": user.pw_gid} if os.getuid() == 0 else {}
    folder.mkdir()
    if drop:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, port = folder / "data", free_port()
    subprocess.run([programs() / "initdb", "-D", data, "-U", "postgres", "-A", "trust"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **drop)
    server = subprocess.Popen([programs() / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **drop)
    for name in ("yardstick", "sitewatch"):
        while not psql(port, "postgres", f"CREATE DATABASE {name}"):
            time.sleep(0.1)
    return server, port


def psql(port: int, database: str, *statements: str) -> bool:
    words = [word for statement in statements for word in ("-c", statement)]
    done = subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", *words],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def compare(ours: pathlib.Path, theirs: pathlib.Path, args: argparse.Namespace, only: list[str]):
    compared = subprocess.run([sys.executable, HERE / "compare.py", "--ours", ours, "--theirs", theirs, "--seconds", str(args.seconds),
                               "--rounds", str(args.rounds), "--json", "--only", *only], stdout=subprocess.PIPE, text=True)
    return json.loads(compared.stdout) if compared.stdout else "stopped: see above"


def wall(folder: pathlib.Path, port: int, args: argparse.Namespace):
    """What an organization's admin meets with row level security on (ours) and off (theirs): two servers alike on one PostgreSQL, in turn."""
    psql(port, "postgres", "CREATE ROLE serving LOGIN")
    servers, sides = [], []
    try:
        for setting in ("on", "off"):
            name = f"wall_{setting}"
            psql(port, "postgres", f"CREATE DATABASE {name}")
            psql(port, name, "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO serving",
                 "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO serving")
            url = f"127.0.0.1:{port}/{name}"
            server = Server(folder / name, f"postgres://serving@{url}", SITEWATCH_DATABASE_ADMIN_URL=f"postgres://postgres@{url}",
                            SITEWATCH_DATABASE_ROW_LEVEL_SECURITY=setting)
            servers.append(server)
            root = server.login()
            ids = plant(server.base, root, 1000)
            admin = {"email": "admin@example.org", "full_name": "Admin", "password": PASSWORD}
            user = call(server.base, "/api/v1/users", admin, root)["data"]["id"]
            call(server.base, f"/api/v1/organizations/{ids['ORGANIZATION']}/users", {"user_id": user, "role": "admin"}, root)
            sides.append(folder / f"{name}.env")
            known = {**ids, "BASE": server.base, "TOKEN": server.login("admin@example.org")}
            sides[-1].write_text("".join(f"{key}={value}\n" for key, value in known.items()))
        return compare(*sides, args, ["get", "list", "ingest1"])
    finally:
        for server in servers:
            server.stop()


def growth(folder: pathlib.Path, port: int, args: argparse.Namespace):
    """What an organization's admin meets among a thousand modules and among a million."""
    psql(port, "postgres", "CREATE DATABASE grown")
    ours = Server(folder / "grown-data", f"postgres://postgres@127.0.0.1:{port}/grown")
    try:
        ids = plant(ours.base, ours.login(), 1000)
        return physical.growth(psql, port, "grown", ids, ours.base, ours.login(), args.seconds)
    finally:
        ours.stop()


def redis(folder: pathlib.Path) -> tuple[subprocess.Popen, str]:
    port = free_port()
    return (subprocess.Popen(["redis-server", "--port", str(port), "--save", "", "--dir", folder], stdout=subprocess.DEVNULL),
            f"redis://127.0.0.1:{port}")


def yardstick(port: int, redis_url: str, folder: pathlib.Path) -> subprocess.Popen:
    venv = ROOT / "target" / "yardstick-venv"
    if not (venv / "bin" / "uvicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "-q", "-r", HERE / "yardstick" / "requirements.txt"], check=True)
    env = {**os.environ, "DATABASE_URL": f"postgresql+asyncpg://postgres@127.0.0.1:{port}/yardstick",
           "REDIS_URL": f"{redis_url}/0"}
    seeded = subprocess.run([venv / "bin" / "python", "app.py"], env=env, cwd=HERE / "yardstick", check=True, capture_output=True, text=True)
    own = free_port()
    (folder / "theirs.env").write_text(seeded.stdout + f"\nBASE=http://127.0.0.1:{own}\n")
    server = subprocess.Popen([venv / "bin" / "uvicorn", "app:app", "--port", str(own), "--workers", "2", "--no-access-log", "--log-level",
                               "warning"], env=env, cwd=HERE / "yardstick")
    while True:
        try:
            call(f"http://127.0.0.1:{own}", "/health")
            return server
        except OSError:
            time.sleep(0.1)


def of_sign_ins(ours: Server, ids: dict[str, str], args: argparse.Namespace) -> dict[str, object]:
    """What addresses with and without accounts cost, and what a flood costs others. Each with a token that has its whole time."""
    return {
        "sign_in": sign_in.sign_ins(ours.base, ours.login(), args.sign_ins),
        "forgotten_password": sign_in.forgotten(ours.base, ours.login(), args.sign_ins),
        "invitation": sign_in.invitations(ours.base, ours.login(), ids["ORGANIZATION"], args.sign_ins),
        "beside_a_flood_of_sign_ins": sign_in.beside_a_flood(ours.base, ours.login(), ids["MODULE"], 200, args.flood_seconds),
    }


def of_sign_ins_alone(folder: pathlib.Path, args: argparse.Namespace) -> dict[str, object]:
    database, port = postgres(folder / "postgres")
    ours = None
    try:
        ours = Server(folder / "pg-data", f"postgres://postgres@127.0.0.1:{port}/sitewatch")
        return of_sign_ins(ours, plant(ours.base, ours.login(), 1), args)
    finally:
        if ours:
            ours.stop()
        database.terminate()
        database.wait()


def measure(folder: pathlib.Path, port: int, args: argparse.Namespace, scenarios: list[str], report: dict[str, object]) -> None:
    embedded = Server(folder / "data")
    report["first_start_s"] = round(embedded.start_s, 3)
    time.sleep(1)
    report["idle_memory_mib"] = round(embedded.memory_mib(), 1)
    embedded.stop()
    embedded = Server(folder / "data")
    report["later_start_s"] = round(embedded.start_s, 3)
    token = embedded.login()
    ids = plant(embedded.base, token, 1)
    report["year_of_days_sqlite_ms"] = round(telemetry(embedded.base, token, ids["MODULES"].split(",")), 1)
    embedded.stop()
    rivals: list[subprocess.Popen] = []
    ours = None
    try:
        shared, redis_url = redis(folder)
        rivals.append(shared)
        ours = Server(folder / "pg-data", f"postgres://postgres@127.0.0.1:{port}/sitewatch", SITEWATCH_CACHE_REDIS_URL=f"{redis_url}/1")
        token = ours.login()
        ids = plant(ours.base, token, 1000)
        report["year_of_days_postgresql_ms"] = round(telemetry(ours.base, token, ids["MODULES"].split(",")), 1)
        crowd = call(ours.base, "/api/v1/modules", {"site_id": ids["SITE"], "name": "Old", "serial_number": "OLD", "module_type_id": ids["KIND"]}, token)
        report["month_of_312_postgresql_ms"] = round(crowded(ours.base, token, crowd["data"]["id"]), 1)
        if args.sign_ins:
            report.update(of_sign_ins(ours, ids, args))
        (folder / "ours.env").write_text("".join(f"{key}={value}\n" for key, value in {**ids, "BASE": ours.base, "TOKEN": ours.login()}.items()))
        rivals.append(yardstick(port, redis_url, folder))
        report["at_most"] = {
            "empty_route_per_s": round(physical.empty_route(SERVER.parent / "examples" / "empty_route", free_port(), args.seconds)),
            "single_rows_per_s": round(physical.single_rows(programs(), port, args.seconds)),
        }
        report["against_the_yardstick"] = compared = compare(folder / "ours.env", folder / "theirs.env", args, scenarios)
        report["part_of_what_the_machine_can_do"] = {
            f"{name}_of_{limit.removesuffix('_per_s')}": round(compared[name]["ours_per_s"] / most, 2)
            for name in ("health", "get", "list") if name in compared for limit, most in report["at_most"].items()
            if (name, limit) != ("health", "single_rows_per_s")
        }
    finally:
        for process in [*rivals, *([ours.process] if ours else [])]:
            process.terminate()
        for process in rivals:
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["health", "get", "list", "ingest1", "ingest500", "wall", "growth"])
    parser.add_argument("--sign-ins", type=int, default=500, help="of addresses that have accounts, and as many of others; 0: none")
    parser.add_argument("--flood-seconds", type=int, default=30, help="how long sign-ins flood in")
    parser.add_argument("--sign-ins-alone", action="store_true", help="measure nothing else")
    parser.add_argument("--server", type=pathlib.Path, default=SERVER, help="the server that is measured")
    args = parser.parse_args()
    Server.program = args.server.resolve()
    for program in ("psql",) if args.sign_ins_alone else ("wrk", "redis-server", "psql"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing (Debian and Ubuntu: apt-get install wrk redis-server postgresql)")
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        if args.sign_ins_alone:
            report = of_sign_ins_alone(folder, args)
            print(json.dumps(report, indent=2))
            sys.exit(sign_in.missed(report))
        database, port = postgres(folder / "postgres")
        try:
            scenarios = [name for name in args.only if name not in ("wall", "growth")]
            if scenarios:
                measure(folder, port, args, scenarios, report)
            if "wall" in args.only:
                report["row_level_security_on_against_off"] = wall(folder, port, args)
            if "growth" in args.only:
                report["growth"] = growth(folder, port, args)
        finally:
            database.terminate()
            database.wait()
    print(json.dumps(report, indent=2))
    sys.exit(sign_in.missed(report) if args.sign_ins and "sign_in" in report else None)


if __name__ == "__main__":
    main()
