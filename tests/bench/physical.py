"""What the machine can do at most, for comparison, and what growth costs."""
import pathlib
import re
import subprocess
import time
import urllib.request

import compare

SMALL, LARGE = 1_000, 1_000_000


def empty_route(program: pathlib.Path, port: int, seconds: int) -> float:
    """Requests a second to a route that does nothing, on the framework that the server is built on, under the load of `compare.py`."""
    server = subprocess.Popen([program, str(port)])
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()
                break
            except OSError:
                time.sleep(0.05)
        return compare.wrk(f"http://127.0.0.1:{port}/", "none", seconds)[0]
    finally:
        server.terminate()
        server.wait()


def single_rows(programs: pathlib.Path, port: int, seconds: int) -> float:
    """Prepared look-ups of one row by its key a second, from as many connections as the load has."""
    common = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    subprocess.run([programs / "createdb", *common, "limit"], check=True)
    subprocess.run([programs / "pgbench", *common, "-i", "-q", "-s", "10", "limit"], check=True, stderr=subprocess.DEVNULL)
    command = [programs / "pgbench", *common, "-n", "-S", "-M", "prepared", "-c", "32", "-j", "1", "-T", str(seconds), "limit"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"tps = ([\d.]+)", told).group(1))


def grow(psql, port: int, database: str, ids: dict[str, str], modules: int) -> None:
    """Gives the organization so many modules more, over its thousand sites, past the server: it would take an hour through it."""
    statement = f"""
        INSERT INTO modules (id, organization_id, site_id, module_type_id, name, serial_number, tags, is_enabled, is_active, revision,
                             created_at, created_by)
        SELECT gen_random_uuid(), s.organization_id, s.id, '{ids["KIND"]}', 'Grown {modules} ' || n, 'G{modules}-' || n || '-' || s.id, '[]', true, true, 1,
               s.created_at + n, s.created_by
        FROM sites s, generate_series(1, {modules // 1000}) n WHERE s.organization_id = '{ids["ORGANIZATION"]}'"""
    assert psql(port, database, statement, "ANALYZE")


def growth(psql, port: int, database: str, ids: dict[str, str], base: str, token: str, seconds: int) -> dict[str, object]:
    """How much longer a module and the first page of modules take among a million than among a thousand; caches of answers have no part in it."""
    paths = {"get": f"/api/v1/modules/{ids['MODULE']}", "list": "/api/v1/modules?page=1&per_page=20"}
    grow(psql, port, database, ids, SMALL)
    small = {name: compare.wrk(base + path, token, seconds)[0] for name, path in paths.items()}
    grow(psql, port, database, ids, LARGE)
    large = {name: compare.wrk(base + path, token, seconds)[0] for name, path in paths.items()}
    return {name: {"of_1000_per_s": round(small[name]), "of_1000000_per_s": round(large[name]),
                   "times_longer": round(small[name] / large[name], 2)} for name in paths}
