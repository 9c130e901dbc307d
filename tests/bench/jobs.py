#!/usr/bin/env python3
"""Measures the job queue of a release build next to Celery on the same machine in the same run.

Usage: jobs.py [--jobs 50000] [--celery-jobs 5000] [--rounds 3] [--poison-jobs 10000] [--backlog 0]    (called by `make bench-jobs`)

Throughput: so many jobs that do nothing are written first, then workers are started; what counts is the time from the first
start to the last end. Ours and Celery's take turns. Latency: single jobs, one after another, from their commit to their start.
Celery runs with Redis as its broker, acks late, once with a prefetch of one and once with its default, two processes each.
`--backlog N` also writes N due jobs and drains them, and watches the worker's memory. Ends with 1 if a target is missed; the targets
that are ratios or times of a whole machine hold on an idle one.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench import ROOT, free_port, postgres

RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
TASKS = '''
import os, time
from celery import Celery
app = Celery("tasks", broker=os.environ["BROKER"])
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=int(os.environ["PREFETCH"]))
import redis
marks = redis.Redis.from_url(os.environ["BROKER"])

@app.task
def nothing():
    pipe = marks.pipeline(transaction=False)
    pipe.setnx("first", time.time())
    pipe.set("last", time.time())
    pipe.incr("done")
    pipe.execute()
'''


def query(port: int, sql: str) -> str:
    command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", "sitewatch", "-Atc", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Ours:
    def __init__(self, folder: pathlib.Path, port: int, redis_port: int):
        self.port = port
        self.env = {**os.environ, "SITEWATCH_DATABASE_URL": f"postgres://postgres@127.0.0.1:{port}/sitewatch",
                    "SITEWATCH_DATA_DIR": str(folder / "data"), "SITEWATCH_LOG": "warn", "SITEWATCH_WORKER_MANAGEMENT_BIND": "",
                    "SITEWATCH_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0" if redis_port else ""}
        self.call("sitewatch-api", "migrate", "up")

    def call(self, program: str, *arguments: str) -> str:
        done = subprocess.run([RELEASE / program, *arguments], env=self.env, check=True, capture_output=True, text=True)
        return done.stdout

    def worker(self) -> subprocess.Popen:
        return subprocess.Popen([RELEASE / "sitewatch-worker", "run"], env=self.env, stderr=subprocess.DEVNULL)

    def throughput(self, jobs: int) -> tuple[float, list[float]]:
        """Jobs a second, and the size of the worker's memory in each quarter of the time, in MiB (medians)."""
        query(self.port, "TRUNCATE jobs")
        self.call("sitewatch-worker", "probe", "--jobs", str(jobs), "--act", "nothing", "--no-wait")
        query(self.port, "VACUUM ANALYZE jobs")
        worker = self.worker()
        sizes = []
        # Schedules write jobs of their own meanwhile.
        ours = "FROM jobs WHERE kind = 'jobs.probe.v1'"
        while int(query(self.port, f"SELECT count(*) {ours} AND state IN ('ready', 'running')")):
            sizes.append(memory_mib(worker.pid))
            time.sleep(0.2 if jobs < 200_000 else 2)
        worker.terminate()
        worker.wait()
        span = float(query(self.port, f"SELECT (max(finished_at) - min(started_at)) / 1e6 {ours}"))
        assert query(self.port, f"SELECT count(*) {ours} AND state = 'succeeded'") == str(jobs)
        return jobs / span, [statistics.median(sizes[len(sizes) * part // 4:len(sizes) * (part + 1) // 4] or sizes) for part in range(4)]

    def latency(self, jobs: int) -> tuple[float, float]:
        """Median and 99th percentile of the time from being due to the start, in ms; jobs come one after another."""
        query(self.port, "TRUNCATE jobs; TRUNCATE job_probes")
        worker = self.worker()
        time.sleep(1.5)
        report = self.call("sitewatch-worker", "probe", "--jobs", str(jobs), "--act", "count", "--pace-ms", "20")
        worker.terminate()
        worker.wait()
        values = dict(line.split() for line in report.splitlines() if line.count(" ") == 1)
        assert values["distinct"] == values["effects"] == str(jobs), report
        return float(values["median_ms"]), float(values["p99_ms"])


    def poisoned(self, jobs: int) -> dict[str, float]:
        """Median and 99th percentile of the time from being due to the start, in ms, of good jobs among some that panic, abort
        the process or never end; two workers, each started again when it ends, as a supervisor would."""
        query(self.port, "TRUNCATE jobs; TRUNCATE job_probes")
        workers = [self.worker(), self.worker()]
        time.sleep(1.5)
        good = subprocess.Popen([RELEASE / "sitewatch-worker", "probe", "--jobs", str(jobs), "--act", "count", "--pace-ms", "2"],
                                env=self.env, stdout=subprocess.PIPE, text=True)
        poison = [("panic", 4), ("unreadable", 2), ("abort", 1), ("spin", 1), ("panic", 4), ("unreadable", 2), ("abort", 1)]
        began = starts = 0
        while good.poll() is None:
            if poison and began < time.time():
                act, number = poison.pop(0)
                if act == "unreadable":
                    self.write_unreadable(number)
                else:
                    self.call("sitewatch-worker", "probe", "--jobs", str(number), "--act", act, "--no-wait")
                began = time.time() + 3
            for index, worker in enumerate(workers):
                if worker.poll() is not None:
                    workers[index] = self.worker()
                    starts += 1
            time.sleep(0.05)
        for worker in workers:
            worker.terminate()
            worker.wait()
        values = dict(line.split() for line in good.stdout.read().splitlines() if line.count(" ") == 1)
        assert values["distinct"] == values["effects"] == str(jobs), values
        dead = query(self.port, "SELECT count(*) FROM jobs WHERE state = 'dead' AND error = 'the payload cannot be read'")
        assert dead == "4", f"{dead} unreadable jobs are dead"
        assert not poison, "the good jobs were done before all of the poison was written: take more of them"
        return {"jobs": jobs, "median": float(values["median_ms"]), "p99": float(values["p99_ms"]), "workers_lost": starts}

    def write_unreadable(self, jobs: int) -> None:
        """Jobs whose payload no worker can read."""
        query(self.port, f"""INSERT INTO jobs (id, kind, payload, dedupe_until_started, lane, priority, state, run_at, max_attempts, created_at)
                              SELECT gen_random_uuid(), 'jobs.probe.v1', '{{"probe": "from another version"}}', false, 'default', 10, 'ready',
                                     (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 3, 0 FROM generate_series(1, {jobs})""")


def memory_mib(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def celery(venv: pathlib.Path, folder: pathlib.Path, broker: str, prefetch: int, jobs: int) -> float:
    (folder / "tasks.py").write_text(TASKS)
    env = {**os.environ, "BROKER": broker, "PREFETCH": str(prefetch)}
    python = venv / "bin" / "python"
    subprocess.run([python, "-c", "from tasks import marks; marks.flushall()"], env=env, cwd=folder, check=True)
    subprocess.run([python, "-c", f"from tasks import nothing\nfor _ in range({jobs}): nothing.delay()"], env=env, cwd=folder, check=True)
    worker = subprocess.Popen([venv / "bin" / "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "ERROR",
                               "--without-gossip", "--without-mingle"], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Asked in a way that costs the workers nothing.
    while int(redis_get(broker, "done") or 0) < jobs:
        time.sleep(0.2)
    worker.terminate()
    worker.wait()
    return jobs / (float(redis_get(broker, "last")) - float(redis_get(broker, "first")))


def redis_get(broker: str, key: str) -> str:
    return subprocess.run(["redis-cli", "-u", broker, "get", key], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--celery-jobs", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backlog", type=int, default=0)
    parser.add_argument("--poison-jobs", type=int, default=10_000)
    args = parser.parse_args()
    for program in ("redis-server", "psql"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing (Debian and Ubuntu: apt-get install redis-server postgresql)")
    venv = ROOT / "target" / "celery-venv"
    if not (venv / "bin" / "celery").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "-q", "celery==5.5.3", "redis"], check=True)
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        database, port = postgres(folder / "postgres")
        redis_port = free_port()
        redis = subprocess.Popen(["redis-server", "--port", str(redis_port), "--save", "", "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            with_redis, without = Ours(folder, port, redis_port), Ours(folder, port, 0)
            broker = f"redis://127.0.0.1:{redis_port}/1"
            rates: dict[str, list[float]] = {"ours": [], "celery_prefetch_1": [], "celery_default": []}
            for _ in range(args.rounds):
                rates["ours"].append(with_redis.throughput(args.jobs)[0])
                rates["celery_prefetch_1"].append(celery(venv, folder, broker, 1, args.celery_jobs))
                rates["celery_default"].append(celery(venv, folder, broker, 4, args.celery_jobs))
            report["jobs_per_s"] = {name: round(statistics.median(values)) for name, values in rates.items()}
            for rival in ("celery_prefetch_1", "celery_default"):
                pairs = zip(rates["ours"], rates[rival])
                report[f"ratio_to_{rival}"] = round(statistics.median(ours / theirs for ours, theirs in pairs), 1)
            report["latency_with_redis_ms"] = dict(zip(("median", "p99"), with_redis.latency(500)))
            report["latency_without_redis_ms"] = dict(zip(("median", "p99"), without.latency(500)))
            report["among_poison_ms"] = with_redis.poisoned(args.poison_jobs)
            if args.backlog:
                rate, sizes = with_redis.throughput(args.backlog)
                report["backlog"] = {"jobs": args.backlog, "per_s": round(rate), "memory_mib_by_quarter": [round(size, 1) for size in sizes]}
        finally:
            for process in (redis, database):
                process.terminate()
                process.wait()
    report["missed"] = missed(report)
    print(json.dumps(report, indent=2))
    if report["missed"]:
        sys.exit(1)


def missed(report: dict) -> list[str]:
    """The targets that were not met, in words."""
    targets = {
        "10 times Celery with a prefetch of one": report["ratio_to_celery_prefetch_1"] >= 10,
        "10 times Celery with its default": report["ratio_to_celery_default"] >= 10,
        "p99 to start under 100 ms with Redis": report["latency_with_redis_ms"]["p99"] < 100,
        "p99 to start under 6 s without": report["latency_without_redis_ms"]["p99"] < 6_000,
        "p99 among poison under 1 s": report["among_poison_ms"]["p99"] < 1_000,
    }
    if "backlog" in report:
        second, last = report["backlog"]["memory_mib_by_quarter"][1::2]
        targets["flat memory: the last quarter of the backlog takes no tenth more than the second"] = last < second * 1.1
    return [target for target, is_met in targets.items() if not is_met]


if __name__ == "__main__":
    main()
