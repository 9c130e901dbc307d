#!/usr/bin/env python3
"""Holds monthly reports over a year of a real wind farm against a plain computation from the same file.

Usage: year.py FILE    (called by `make verify-year DATA=FILE`; FILE is the year's table of La Haute Borne, plain or gzipped)

Starts a release build on a folder of its own, imports the file with `sitewatch-api import`, makes the report of every month as
CSV, XLSX, HTML and PDF, twice each, and compares every figure of every turbine and metric (CSV, XLSX) and the energies (HTML,
PDF) with what the lines below compute. Both makings have to be the same bytes. Needs openpyxl and pdftotext.
"""
import collections
import csv
import datetime
import decimal
import gzip
import io
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zoneinfo

import openpyxl

from bench import SERVER, Server, call

ZONE = zoneinfo.ZoneInfo("Europe/Paris")
METRICS = {"P_avg": "kW", "Ws_avg": "m/s", "Ot_avg": "Cel", "Ba_avg": "deg", "Va_avg": "deg", "Ya_avg": "deg", "Wa_avg": "deg"}
ADDITIVE = {"mean": "Mean", "min": "Min", "max": "Max", "energy_kwh": "Energy kWh"}


def text_of(path: pathlib.Path) -> str:
    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8").read()


def plain(text: str) -> dict:
    """Of each month, turbine and metric: readings, minimum, maximum, mean, and the sum of the means of the hours with readings."""
    values = {}
    for line in csv.DictReader(io.StringIO(text)):
        at = datetime.datetime.fromisoformat(line["Date_time"]).astimezone(datetime.timezone.utc)
        for metric in METRICS:
            if line[metric]:
                values.setdefault((line["Wind_turbine_name"], metric, at), float(line[metric]))
    months = collections.defaultdict(lambda: collections.defaultdict(list))
    for (turbine, metric, at), value in values.items():
        months[at.astimezone(ZONE).strftime("%Y-%m"), turbine, metric][at.replace(minute=0, second=0)].append(value)
    figures = {}
    for key, hours in months.items():
        every = [value for hour in hours.values() for value in hour]
        figures[key] = {"readings": len(every), "min": min(every), "max": max(every), "mean": math.fsum(every) / len(every),
                        "energy_kwh": math.fsum(math.fsum(hour) / len(hour) for hour in hours.values())}
    return figures


def is_rounded(shown, exact: float) -> bool:
    """Whether `shown` is `exact`, as far as it has digits."""
    digits = decimal.Decimal(str(shown))
    unit = decimal.Decimal(1).scaleb(digits.as_tuple().exponent)
    return abs(digits - decimal.Decimal(exact)) <= unit * decimal.Decimal("0.500001")


def plant(base: str, token: str) -> tuple[str, str]:
    make = lambda path, body: call(base, "/api/v1" + path, body, token)["data"]["id"]
    org = make("/organizations", {"name": "La Haute Borne", "timezone": "Europe/Paris"})
    for key, unit in METRICS.items():
        make("/metrics", {"organization_id": org, "key": key, "name": key, "unit": unit})
    kind = make("/module-types", {"organization_id": org, "name": "MM82", "metrics": list(METRICS), "expected_interval_s": 600})
    site = make(f"/organizations/{org}/sites", {"name": "La Haute Borne", "timezone": "Europe/Paris"})
    for turbine in ("R80711", "R80721", "R80736", "R80790"):
        make(f"/sites/{site}/modules", {"name": turbine, "serial_number": turbine, "module_type_id": kind})
    return org, site


def made(base: str, token: str, report: str, month: str) -> bytes:
    """The file of a new run."""
    job = call(base, f"/api/v1/reports/{report}/run", {"period": month}, token)["data"]["id"]
    while (state := call(base, f"/api/v1/jobs/{job}", token=token)["data"]["state"]) in ("ready", "running"):
        time.sleep(0.02)
    if state != "succeeded":
        sys.exit(f"the report of {month} is {state}")
    run = call(base, f"/api/v1/reports/{report}/runs?sort=-created_at&per_page=1", token=token)["data"][0]
    request = urllib.request.Request(base + run["file"]["href"], headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def twice(base: str, token: str, report: str, month: str) -> bytes:
    """A file that is made twice with the same bytes. It tells the minute of its making: a turn of it is the one excuse."""
    for _ in range(2):
        file = made(base, token, report, month)
        if file == made(base, token, report, month):
            return file
    sys.exit(f"{month}: the second making has other bytes")


def rows_of(kind: str, file: bytes) -> dict:
    """The totals of a table: its figures by turbine and metric."""
    if kind == "csv":
        rows = [row for row in csv.DictReader(io.StringIO(file.decode())) if row["row"] == "total"]
        return {(row["module"], row["metric"]): row for row in rows}
    head, *rows = openpyxl.load_workbook(io.BytesIO(file))["Totals"].values
    named = [dict(zip(head, row)) for row in rows]
    translated = {"readings": "Readings", **ADDITIVE}
    return {(row["Module"], row["Metric"]): {ours: row.get(theirs) for ours, theirs in translated.items()} for row in named}


def words_of(kind: str, file: bytes) -> str:
    """What a reader sees, without the blanks between thousands."""
    if kind == "pdf":
        file = subprocess.run(["pdftotext", "-layout", "-", "-"], input=file, capture_output=True, check=True).stdout
    return re.sub(r"\s", "", file.decode())


def compare(kind: str, file: bytes, month: str, expected: dict) -> int:
    """The number of figures that were compared; ends the program at the first that differs."""
    compared = 0
    tables = rows_of(kind, file) if kind in ("csv", "xlsx") else None
    words = words_of(kind, file) if tables is None else ""
    for (of, turbine, metric), figures in expected.items():
        if of != month:
            continue
        for name, exact in figures.items():
            if name == "energy_kwh" and metric != "P_avg":
                continue
            if tables is None:
                # Five digits that count.
                shown = f"{exact:.2f}" if exact < 10_000 else f"{exact:.1f}"
                right = name != "energy_kwh" or shown in words
            else:
                shown = tables[turbine, metric][name]
                right = is_rounded(shown, exact)
            if not right:
                sys.exit(f"{month} {kind}: {turbine} {metric} {name} is {exact}, shown {shown}")
            compared += tables is not None or name == "energy_kwh"
    return compared


def main() -> None:
    path = pathlib.Path(sys.argv[1]).resolve()
    text = text_of(path)
    expected = plain(text)
    months = sorted({month for month, _, _ in expected})
    with tempfile.TemporaryDirectory(prefix="sitewatch-year-") as folder:
        folder = pathlib.Path(folder)
        (folder / "year.csv").write_text(text)
        server = Server(folder / "data")
        try:
            token = server.login()
            org, site = plant(server.base, token)
            began = time.monotonic()
            told = subprocess.run([SERVER, "import", folder / "year.csv", "--url", server.base, "--module-column", "Wind_turbine_name",
                                   "--time-column", "Date_time", "--organization", org],
                                  env={**os.environ, "SITEWATCH_TOKEN": token}, capture_output=True, text=True)
            if told.returncode:
                sys.exit(told.stderr + told.stdout)
            print(told.stdout.strip(), f"\nimported in {time.monotonic() - began:.1f} s")
            for kind in ("csv", "xlsx", "html", "pdf"):
                report = call(server.base, "/api/v1/reports", {"organization_id": org, "site_id": site, "name": "Month", "period": "month",
                                                               "format": kind}, token)["data"]["id"]
                compared, began, size = 0, time.monotonic(), 0
                for month in months:
                    file = twice(server.base, token, report, month)
                    compared += compare(kind, file, month, expected)
                    size += len(file)
                print(f"{kind:5} {len(months)} months, {compared} figures equal, each file twice the same bytes, "
                      f"{size / len(months) / 1024:.0f} KiB and {(time.monotonic() - began) / len(months) / 2 * 1000:.0f} ms a file")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
