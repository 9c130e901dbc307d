"""A server of its own for checks from outside: an SQLite file in a temporary folder, a free port, and something of everything."""
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EMAIL, PASSWORD = "root@example.org", "correct horse battery"
NUMBERS = itertools.count(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Absent(Exception):
    """A tool that is missing and cannot be installed."""


def virtual_environment(place: pathlib.Path, requirements: pathlib.Path) -> pathlib.Path:
    """The programs of a virtual environment with exactly these packages; it is made when they change."""
    installed = place / "requirements.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        for command in [[sys.executable, "-m", "venv", "--clear", place],
                        [place / "bin" / "pip", "install", "--quiet", "--no-deps", "--requirement", requirements]]:
            ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if ended.returncode:
                raise Absent(f"{requirements.name} cannot be installed: {(ended.stdout.strip() or 'no venv').splitlines()[-1]}")
        installed.write_bytes(requirements.read_bytes())
    return place / "bin"


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, method: str, path: str, status: int, text: str):
        super().__init__(f"{method} {path}: {status} {text}")
        self.status = status


class Client:
    """Calls operations with a token, as JSON."""

    def __init__(self, base: str, token: str = ""):
        self.base, self.token = base, token

    def call(self, method: str, path: str, body=None):
        request = urllib.request.Request(self.base + "/api/v1" + path, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        data = json.dumps(body).encode() if body is not None else None
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Refused(method, path, error.code, error.read().decode(errors="replace")) from None

    def get(self, path: str):
        return self.call("GET", path)

    def post(self, path: str, body=None):
        return self.call("POST", path, body if body is not None else {})

    def delete(self, path: str):
        return self.call("DELETE", path)

    def signed_in(self, email: str, password: str = PASSWORD) -> "Client":
        return Client(self.base, self.post("/auth/login", {"email": email, "password": password})["access_token"])


class Installation:
    """A running server; everything of it goes with the `with` block."""

    def __init__(self, **settings: str):
        self.program = pathlib.Path(os.environ.get("SITEWATCH_TEST_SERVER", TARGET / "debug" / "sitewatch-api"))
        if not self.program.exists():
            sys.exit(f"{self.program} is missing: cargo build --workspace --all-targets")
        self.settings = settings

    def __enter__(self) -> "Installation":
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.base = f"http://127.0.0.1:{(port := free_port())}"
        # What is unknown there ends the start, and the shell may have settings of another server.
        outside = {name: value for name, value in os.environ.items() if not name.startswith("SITEWATCH_")}
        env = {**outside, "SITEWATCH_BIND": f"127.0.0.1:{port}", "SITEWATCH_DATA_DIR": str(self.folder / "data"),
               "SITEWATCH_MANAGEMENT_BIND": "", "SITEWATCH_LOG": "warn", "SITEWATCH_BCRYPT_COST": "4", "SITEWATCH_RATE_LIMITS": "off",
               "SITEWATCH_ADMIN_EMAIL": EMAIL, "SITEWATCH_ADMIN_PASSWORD": PASSWORD, **self.settings}
        self.process = subprocess.Popen([self.program, "serve"], env=env, cwd=self.folder, stdout=subprocess.DEVNULL,
                                        stderr=(self.folder / "log").open("wb"))
        for _ in range(600):
            try:
                urllib.request.urlopen(self.base + "/health/ready", timeout=5).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        text = self.log()
        self.__exit__()
        sys.exit("the server does not start:\n" + text)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def panics(self) -> list[str]:
        return [line for line in self.log().splitlines() if "panic" in line]

    def root(self) -> Client:
        return Client(self.base).signed_in(EMAIL)


class Plant:
    """An organization with one of everything, and fresh ones of what a call uses up."""

    def __init__(self, root: Client):
        self.root = root
        self.ids: dict[str, str] = {}
        self.organization = self.ids["organization_id"] = self.fresh("organization")
        for kind in ["metric", "module_type", "site", "module", "member", "assignment", "invitation", "report", "api_key",
                     "module_credential", "site_credential", "run"]:
            self.ids[f"{kind}_id"] = self.fresh(kind)
        self.ids["second_site_id"] = self.fresh("site")
        self.ids["user_id"] = self.ids["member_id"]
        self.ids["job_id"] = self.fresh("job")
        module = self.ids["module_id"]
        root.post(f"/modules/{module}/readings",
                  {"readings": [{"metric": "power", "at": f"2026-01-01T{hour:02}:00:00Z", "value": hour} for hour in range(24)]})

    def fresh(self, kind: str) -> str:
        """The id of a new object of a kind."""
        number = next(NUMBERS)
        name, organization = f"planted {number}", self.ids.get("organization_id")
        post = self.root.post
        match kind:
            case "organization":
                return post("/organizations", {"name": name})["id"]
            case "metric":
                key = "power" if "metric_id" not in self.ids else f"planted.{number}"
                return post("/metrics", {"organization_id": organization, "key": key, "name": name, "unit": "kW"})["id"]
            case "module_type":
                return post("/module-types", {"organization_id": organization, "name": name, "metrics": ["power"]})["id"]
            case "site":
                return post(f"/organizations/{organization}/sites", {"name": name, "timezone": "Europe/Paris"})["id"]
            case "module":
                body = {"name": name, "serial_number": name, "module_type_id": self.ids["module_type_id"]}
                return post(f"/sites/{self.ids['site_id']}/modules", body)["id"]
            case "user":
                return post("/users", {"email": f"planted.{number}@example.org", "full_name": name, "password": PASSWORD})["id"]
            case "member":
                user = self.fresh("user")
                post(f"/organizations/{organization}/users", {"user_id": user, "role": "member"})
                return user
            case "assignment":
                body = {"user_id": self.ids["member_id"], "site_id": self.fresh("site"), "access": "viewer"}
                return post(f"/organizations/{organization}/assignments", body)["id"]
            case "invitation":
                body = {"email": f"invited.{number}@example.org", "role": "member"}
                return post(f"/organizations/{organization}/invitations", body)["id"]
            case "report":
                body = {"organization_id": organization, "name": name, "period": "day", "format": "csv"}
                return post("/reports", body)["id"]
            case "run":
                post(f"/reports/{self.ids['report_id']}/run", {"period": f"{2001 + number // 336 % 24}-{1 + number // 28 % 12:02}-{1 + number % 28:02}"})
                return self.root.get(f"/reports/{self.ids['report_id']}/runs")[0]["id"]
            case "job":
                self.fresh("run")
                return self.root.get("/jobs?sort=-created_at")[0]["id"]
            case "api_key":
                return post(f"/organizations/{organization}/api-keys", {"name": name, "scopes": ["sites:read"]})["id"]
            case "module_credential":
                return post(f"/modules/{self.ids['module_id']}/credentials")["id"]
            case "site_credential":
                return post(f"/sites/{self.ids['site_id']}/credentials")["id"]
            case "session":
                user = self.ids["user_id"] = self.fresh("member")
                email = self.root.get(f"/users/{user}")["email"]
                client = self.root.signed_in(email)
                return client.get("/auth/me/sessions")[0]["id"]
        raise ValueError(kind)

    def secret_of_a_device(self) -> str:
        return self.root.post(f"/modules/{self.ids['module_id']}/credentials")["secret"]

    def person(self, role: str) -> str:
        """The address of a new member."""
        user = self.fresh("user")
        self.root.post(f"/organizations/{self.organization}/users", {"user_id": user, "role": role})
        return self.root.get(f"/users/{user}")["email"]
