"""What schemathesis cannot know: who is signed in, which ids exist, and which calls use up what they name.

Read by schemathesis (`SCHEMATHESIS_HOOKS`); `fuzz.py` starts the server, plants the objects and names both in `FUZZED`.
"""
import json
import os

import schemathesis
from installation import NUMBERS, PASSWORD, Client, Plant, Refused
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

SETTING = json.loads(os.environ["FUZZED"])
BASE = SETTING["base"]

# What a call uses up, by operation: the parameter, the kind of object, whether it has to be archived before.
USES_UP = {
    "archiveMetric": ("metric_id", "metric"), "archiveModuleType": ("module_type_id", "module_type"), "archiveSite": ("site_id", "site"),
    "archiveModule": ("module_id", "module"), "archiveOrganization": ("organization_id", "organization"), "archiveUser": ("user_id", "user"),
    "archiveMember": ("user_id", "member"), "archiveAssignment": ("assignment_id", "assignment"), "archiveReport": ("report_id", "report"),
    "revokeInvitation": ("invitation_id", "invitation"), "revokeOrganizationApiKey": ("api_key_id", "api_key"),
    "revokeModuleCredential": ("credential_id", "module_credential"), "rotateModuleCredential": ("credential_id", "module_credential"),
    "revokeSiteCredential": ("credential_id", "site_credential"), "rotateSiteCredential": ("credential_id", "site_credential"),
    "endUserSession": ("session_id", "session"), "cancelJob": ("job_id", "job"), "retryJob": ("job_id", "job"),
    "createModuleCredential": ("module_id", "module"), "createSiteCredential": ("site_id", "site"),
    "revokeApiKey": ("api_key_id", "own_api_key"), "endMySession": ("session_id", "own_session"),
}
RESTORES = {
    "restoreMetric": ("metric_id", "metric", "/metrics"), "restoreModuleType": ("module_type_id", "module_type", "/module-types"),
    "restoreSite": ("site_id", "site", "/sites"), "restoreModule": ("module_id", "module", "/modules"),
    "restoreOrganization": ("organization_id", "organization", "/organizations"), "restoreUser": ("user_id", "user", "/users"),
    "restoreReport": ("report_id", "report", "/reports"),
}
# These end the session that calls them, so it is one of a person of their own.
ENDS_SESSION = {"logout", "logoutAll", "changePassword"}


class Stage:
    """Whom the calls come from and what they are about."""

    def __init__(self):
        self.plant = Plant(Client(BASE).signed_in(SETTING["root"]))
        self.ids = self.plant.ids
        self.role = SETTING["role"]
        self.email = SETTING["root"] if self.role == "superuser" else self.plant.person("admin")
        if self.role == "device":
            self.client = Client(BASE, self.plant.secret_of_a_device())
        else:
            self.sign_in()
            self.ids["own_api_key_id"] = self.fresh("own_api_key")
            self.own_id = self.client.get("/auth/me")["id"]

    def sign_in(self):
        self.client = Client(BASE).signed_in(self.email)

    def fresh(self, kind: str) -> str:
        if kind == "own_api_key":
            return self.client.post("/auth/me/api-keys", {"name": "key", "scopes": ["sites:read"]})["id"]
        if kind == "own_session":
            other = Client(BASE).signed_in(self.email)
            return next(session["id"] for session in other.get("/auth/me/sessions") if session["is_current"])
        if kind in ("module_credential", "site_credential"):
            # Two are the most that one of them has.
            place = kind.split("_")[0]
            self.ids[f"{place}_id"] = self.plant.fresh(place)
            # The other one stays for those who only look.
            self.ids[f"{kind}_id"] = self.plant.fresh(kind)
        return self.plant.fresh(kind)

    def archived(self, kind: str, path: str) -> str:
        made = self.plant.fresh(kind)
        self.plant.root.delete(f"{path}/{made}")
        return made

    def somebody(self) -> Client:
        """A session that may be ended."""
        return Client(BASE).signed_in(self.plant.person("admin"))

    def refresh_token(self) -> str:
        return Client(BASE).post("/auth/login", {"email": self.email, "password": PASSWORD})["refresh_token"]

    def is_signed_in(self) -> bool:
        try:
            self.client.get("/meta/permissions")
        except Refused as refused:
            return refused.status != 401
        return True


STAGE = Stage()


@schemathesis.auth(refresh_interval=None)
class Caller:
    def get(self, case, context):
        return STAGE.client.token

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def is_meant_well(case, location) -> bool:
    """Whether this part of the call was made to be accepted."""
    component = case.meta.components.get(location) if case.meta else None
    return component is None or component.mode == GenerationMode.POSITIVE


def known(name: str, operation: str) -> str | None:
    """The id that a parameter or a field of this name is given."""
    if name == "credential_id":
        name = "site_credential_id" if "Site" in operation else "module_credential_id"
    if name == "api_key_id" and "Organization" not in operation:
        name = "own_api_key_id"
    return STAGE.ids.get(name)


def name_in_path(case, operation: str):
    for name in case.path_parameters or {}:
        if (value := known(name, operation)) is not None:
            case.path_parameters[name] = value
    if operation in USES_UP:
        name, kind = USES_UP[operation]
        fresh = STAGE.fresh(kind)
        for other in case.path_parameters:
            case.path_parameters[other] = known(other, operation) or case.path_parameters[other]
        case.path_parameters[name] = fresh
        if operation == "retryJob":
            STAGE.plant.root.post(f"/jobs/{fresh}/cancel")
    elif operation in RESTORES:
        name, *what = RESTORES[operation]
        case.path_parameters[name] = STAGE.archived(*what)


# Texts that JSON Schema cannot describe: names from lists of the world's or of this installation's, and moments in order.
TEXTS = {"timezone": "Europe/Paris", "locale": "fr", "metric": "power", "schedule": "30 6 1 * *", "from": "2026-01-01T00:00:00Z",
         "to": "2026-01-02T00:00:00Z", "interval": "PT1H", "password": "plum tandem gravel", "current_password": PASSWORD,
         "new_password": "gravel plum tandem", "at": "2026-01-01T00:00:00Z",
         "expires_at": "2099-01-01T00:00:00Z", "value": 1.5, "min": -5, "max": 5_000}
LISTS = {"metrics": ["power"], "scopes": ["sites:read"], "aggregates": ["avg", "max"], "recipients": []}
# Only the server makes these, or what exists is in their way.
LEFT_OUT = ["parent_module_id", "cursor", "resource", "slug"]
# Rows of a list that pages reach.
MAX_REACH = 10_000


# What the document asks for in words, since the path may say it instead.
REQUIRED = {
    "createSite": {"organization_id": lambda: STAGE.ids["organization_id"]},
    "createModule": {"site_id": lambda: STAGE.ids["site_id"]},
    "login": {"email": lambda: STAGE.email, "password": lambda: PASSWORD},
    "createToken": {"grant_type": lambda: "password", "username": lambda: STAGE.email, "password": lambda: PASSWORD},
    "refresh": {"refresh_token": lambda: STAGE.refresh_token()},
    "queryTelemetry": {"interval": lambda: "PT1H"},
}


def name_in_rows(operation: str) -> dict:
    """A row of a bulk request that no other row and no object is in the way of."""
    name = f"row {next(NUMBERS)}"
    if operation == "createSitesInBulk":
        return {"organization_id": STAGE.ids["organization_id"], "name": name, "external_id": name, "code": name, "timezone": None}
    return {"site_id": STAGE.ids["site_id"], "module_type_id": STAGE.ids["module_type_id"], "name": name, "external_id": name,
            "serial_number": name, "parent_module_id": None}


def name_in_values(values: dict, operation: str):
    """Puts what exists into a body or a query; what is null stays so."""
    for name in LEFT_OUT:
        if values.get(name) is not None:
            del values[name]
    # Numbers of queries are texts in some phases.
    if (page := str(values.get("page"))).isdigit():
        values["page"] = min(int(page), MAX_REACH // int(values.get("per_page", 20)))
    if values.get("module_id") is not None and "site_id" in values:
        del values["site_id"]
    # Exactly one of two, or one at most: of an assignment and of a report, also together with what it had before.
    if operation in ("createAssignment", "createInvitation") and "access" in values:
        values["site_id"], values["module_id"] = STAGE.ids["site_id"], None
    if "Report" in operation and values.get("module_id") is not None:
        del values["module_id"]
    # Of the kind that the report is of.
    if operation == "runReport" and values.get("period") is not None:
        values["period"] = "2026-01-01"
    required = REQUIRED.get(operation, {})
    for name, field in required.items():
        values[name] = field()
    for name, value in list(values.items()):
        if value is None or name in required:
            continue
        if name in TEXTS:
            values[name] = TEXTS[name]
        elif name in LISTS:
            values[name] = LISTS[name]
        elif name == "module":
            values[name] = STAGE.ids["module_id"]
        elif name == "modules" and all(isinstance(row, str) for row in value):
            values[name] = [STAGE.ids["module_id"]]
        elif isinstance(value, str) and (known_id := known(name, operation)):
            values[name] = known_id
        elif name in ("sites", "modules"):
            values[name] = [{**row, **name_in_rows(operation)} for row in value[:1]]
        elif isinstance(value, list):
            for row in value:
                if isinstance(row, dict):
                    name_in_values(row, operation)


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw["operationId"]
    # Chains of calls take the ids of their paths from one another, unless a body names what belongs to the same organization.
    is_chained = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    if is_meant_well(case, ParameterLocation.PATH) and case.path_parameters and not is_chained:
        name_in_path(case, operation)
    if is_meant_well(case, ParameterLocation.PATH) and case.path_parameters and is_chained and isinstance(case.body, dict):
        for name in case.path_parameters:
            if operation.startswith("create") and (value := known(name, operation)) is not None:
                case.path_parameters[name] = value
    # Whom a chain has found may be the caller himself, who has to keep his account and his rights.
    if STAGE.role != "device" and case.method != "GET" and (case.path_parameters or {}).get("user_id") == STAGE.own_id:
        case.path_parameters["user_id"] = STAGE.ids["user_id"]
    if is_meant_well(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        name_in_values(case.body, operation)
        # Nor does he give them up, or another address himself, while he signs in with this one.
        if case.operation.path.endswith("/me"):
            case.body.pop("is_superuser", None)
            case.body.pop("email", None)
    if is_meant_well(case, ParameterLocation.BODY) and case.media_type == "text/csv" and operation.endswith("InBulk"):
        row = {name: value for name, value in name_in_rows(operation).items() if value is not None}
        case.body = f"{','.join(row)}\n{','.join(row.values())}\n"
    if is_meant_well(case, ParameterLocation.QUERY) and case.query:
        name_in_values(case.query, operation)
    # A key that comes again with another body is refused.
    if is_meant_well(case, ParameterLocation.HEADER) and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"key {next(NUMBERS)}"
    # What is sent to be refused stays as it is.
    if operation in ENDS_SESSION and case.headers and case.headers.get("Authorization") == f"Bearer {STAGE.client.token}":
        case.headers["Authorization"] = f"Bearer {STAGE.somebody().token}"


@schemathesis.hook
def after_call(context, case, response):
    # A chain may have ended the very session.
    if response.status_code == 401 and STAGE.role != "device" and not STAGE.is_signed_in():
        STAGE.sign_in()
