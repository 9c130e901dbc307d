"""Sign-ins of a release build: what an account that exists costs next to one that does not, and what a flood costs all others."""
import asyncio
import http.client
import json
import multiprocessing
import statistics
import time
import urllib.parse

PASSWORD, GUESS = "a password for the bench", "a guess of some length"
# Wrong guesses in a row at one account that are looked at without a delay.
FREE = 5
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


def known_and_unknown(base: str, token: str, samples: int) -> dict[str, float]:
    """Wrong passwords for accounts that exist and for addresses that are nobody's, in turn: the medians in ms, and their ratio."""
    admin, visitor = Connection(base, token), Connection(base)
    for number in range((samples + FREE - 1) // FREE):
        body = {"email": f"known{number:04}@example.org", "full_name": "Known", "password": PASSWORD}
        status, _ = admin.call("POST", "/api/v1/users", body)
        assert status == 201, status
    times: dict[str, list[float]] = {"known": [], "other": []}
    for sample in range(samples):
        # Each goes first half of the time.
        for who in ("known", "other") if sample % 2 else ("other", "known"):
            status, took = visitor.call("POST", LOGIN, {"email": f"{who}{sample // FREE:04}@example.org", "password": GUESS})
            assert status == 401, status
            times[who].append(took)
    known, unknown = (statistics.median(times[who]) for who in ("known", "other"))
    return {"known_ms": round(known, 3), "unknown_ms": round(unknown, 3), "ratio": round(known / unknown, 4), "samples_of_each": samples}


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
