"""Sign-ins, forgotten passwords and invitations of a release build: what an address that has an account costs next to one that has none,
and what a flood of sign-ins costs all others.

The server runs with `SITEWATCH_RATE_LIMITS=off`, which switches the limits of requests off: everything is asked from one address. Guesses at an account
and letters to an address stay counted as ever, so that each address is asked about no more often than is free of delay, and there are many.
"""
import asyncio
import http.client
import json
import multiprocessing
import statistics
import time
import urllib.parse
import urllib.request

PASSWORD, GUESS = "a password for the bench", "a guess of some length"
# Wrong guesses in a row at one account that are looked at without a delay, and letters to one address.
FREE, LETTERS = 5, 3
# Samples that are not counted.
WARM_UP = 10
# Longer than a server takes for the jobs that a forgotten password or an invitation leaves behind. Whoever is asked about while they are done waits for them, whether
# he has an account or not: half of all samples would tell of the address before.
WORKED_OFF_S = 0.06
# An answer is a commit, and disks do not sync alike: medians of fewer differ by more than what is looked for.
MORE_SAMPLES = 4
LOGIN = "/api/v1/auth/login"


class Connection:
    """One connection that is kept."""

    def __init__(self, base: str, token: str = ""):
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc)
        self.headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}

    def call(self, method: str, path: str, body=None) -> tuple[int, float]:
        """The status, and the time of the answer in ms."""
        data = json.dumps(body) if body is not None else None
        started = time.perf_counter()
        self.http.request(method, path, data, self.headers)
        answer = self.http.getresponse()
        answer.read()
        return answer.status, (time.perf_counter() - started) * 1000


def in_turn(samples: int, ask) -> dict[str, float]:
    """Asks about addresses that have accounts and such that have none, in turn: the medians in ms and their ratio. Beside it the ratio of the medians
    of either half of the same answers, which is what chance does."""
    times: dict[str, list[float]] = {"known": [], "other": []}
    # The first ones make connections, plans and files ready.
    for sample in range(-WARM_UP, samples):
        # Each goes first half of the time, and comes after itself as often as after the other.
        for who in ("known", "other") if sample % 2 else ("other", "known"):
            took = ask(who, sample + WARM_UP)
            if sample >= 0:
                times[who].append(took)
    known, unknown = (statistics.median(times[who]) for who in ("known", "other"))
    by_chance = [statistics.median(took[::2]) / statistics.median(took[1::2]) for took in times.values()]
    return {"known_ms": round(known, 3), "unknown_ms": round(unknown, 3), "ratio": round(known / unknown, 4),
            "ratios_by_chance": [round(ratio, 4) for ratio in by_chance], "samples_of_each": samples}


def make_users(admin: Connection, kind: str, count: int, **more) -> None:
    """Accounts of the addresses `address(kind, "known", …)`."""
    for number in range(count):
        body = {"email": address(kind, "known", number), "full_name": "Known", **more}
        status, _ = admin.call("POST", "/api/v1/users", body)
        assert status == 201, status


def address(kind: str, who: str, number: int) -> str:
    return f"{kind}.{who}{number:05}@example.org"


def worked_off(base: str, token: str) -> None:
    """Waits until no job waits: what users without a password are sent."""
    give_up = time.monotonic() + 300
    while True:
        assert time.monotonic() < give_up, "jobs wait for ever"
        request = urllib.request.Request(f"{base}/api/v1/jobs?state=ready&per_page=1", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            if json.load(answer)["meta"]["total"] == 0:
                return
        time.sleep(0.2)


def sign_ins(base: str, token: str, samples: int) -> dict[str, float]:
    """Wrong passwords."""
    make_users(Connection(base, token), "login", -(-(samples + WARM_UP) // FREE), password=PASSWORD)
    visitor = Connection(base)

    def ask(who: str, number: int) -> float:
        status, took = visitor.call("POST", LOGIN, {"email": address("login", who, number // FREE), "password": GUESS})
        assert status == 401, status
        return took

    return in_turn(samples, ask)


def forgotten(base: str, token: str, samples: int) -> dict[str, float]:
    """Forgotten passwords. The server works off what it writes, as it does anywhere, before it is asked again."""
    samples *= MORE_SAMPLES
    make_users(Connection(base, token), "forgot", -(-(samples + WARM_UP) // LETTERS))
    worked_off(base, token)
    visitor = Connection(base)

    def ask(who: str, number: int) -> float:
        status, took = visitor.call("POST", "/api/v1/auth/password/forgot", {"email": address("forgot", who, number // LETTERS)})
        assert status == 202, status
        time.sleep(WORKED_OFF_S)
        return took

    return in_turn(samples, ask)


def invitations(base: str, token: str, organization: str, samples: int) -> dict[str, float]:
    """Invitations into an organization to which none of the accounts belongs."""
    samples *= MORE_SAMPLES
    admin = Connection(base, token)
    make_users(admin, "invite", samples + WARM_UP)
    worked_off(base, token)

    def ask(who: str, number: int) -> float:
        path = f"/api/v1/organizations/{organization}/invitations"
        status, took = admin.call("POST", path, {"email": address("invite", who, number), "role": "member"})
        assert status == 201, status
        time.sleep(WORKED_OFF_S)
        return took

    return in_turn(samples, ask)


async def visit(host: str, port: int, number: int, statuses: dict[str, int]) -> None:
    body = json.dumps({"email": f"flood{number}@example.org", "password": GUESS})
    head = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write((head + body).encode())
        answer = await reader.read()
        writer.close()
        status = answer[9:12].decode() or "none"
    except OSError:
        status = "none"
    statuses[status] = statuses.get(status, 0) + 1


def flood(base: str, rate: int, seconds: float, told) -> None:
    """Opens so many sign-ins a second, whether or not earlier ones are answered; tells how many ended with which status."""
    place = urllib.parse.urlsplit(base)

    async def run() -> None:
        statuses: dict[str, int] = {}
        began, visits = time.monotonic(), set()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
            visit_now = asyncio.ensure_future(visit(place.hostname, place.port, number, statuses))
            visits.add(visit_now)
            visit_now.add_done_callback(visits.discard)
        await asyncio.gather(*visits)
        told.put(statuses)

    asyncio.run(run())


def beside_a_flood(base: str, token: str, module: str, rate: int, seconds: float) -> dict[str, object]:
    """The times of other routes in ms while sign-ins come in at this rate, and what came of both."""
    told = multiprocessing.Queue()
    visitors = multiprocessing.Process(target=flood, args=(base, rate, seconds, told))
    connection = Connection(base, token)
    times: dict[str, list[float]] = {"me": [], "sites": [], "ingest": []}
    wrong: dict[int, int] = {}
    visitors.start()
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        number += 1
        reading = {"metric": "power", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_600_000_000 + number)), "value": 1}
        for name, method, path, body in (
            ("me", "GET", "/api/v1/auth/me", None),
            ("sites", "GET", "/api/v1/sites?per_page=20", None),
            ("ingest", "POST", f"/api/v1/modules/{module}/readings", {"readings": [reading]}),
        ):
            status, took = connection.call(method, path, body)
            times[name].append(took)
            if status != 200:
                wrong[status] = wrong.get(status, 0) + 1
        time.sleep(0.01)
    statuses = told.get()
    visitors.join()
    figures = {name: {"p50_ms": round(statistics.median(took), 2), "p99_ms": round(statistics.quantiles(took, n=100)[98], 2),
                      "max_ms": round(max(took), 2), "requests": len(took)} for name, took in times.items()}
    return {"sign_ins_a_second": rate, "seconds": seconds, "answers_to_sign_ins": statuses, "others_not_200": wrong, **figures}


def missed(report: dict) -> str | None:
    """What is wanted and was not reached, if anything: the ratios within 1 %, others below 50 ms at the 99th percentile beside a flood and without an error, and nothing but
    answers and the declared 503 for the flood itself."""
    wrong = [f"{name}: {report[name]['ratio']} of an address without an account" for name in ("sign_in", "forgotten_password", "invitation")
             if abs(report[name]["ratio"] - 1) > 0.01]
    flood = report["beside_a_flood_of_sign_ins"]
    wrong += [f"{route}: {flood[route]['p99_ms']} ms at the 99th percentile" for route in ("me", "sites", "ingest") if flood[route]["p99_ms"] > 50]
    wrong += [f"{count} answers of {status} beside the flood" for status, count in flood["others_not_200"].items()]
    wrong += [f"{count} sign-ins of the flood ended with {status}" for status, count in flood["answers_to_sign_ins"].items()
              if status not in ("401", "429", "503")]
    return "missed: " + "; ".join(wrong) if wrong else None
