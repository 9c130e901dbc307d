"""The ten calls through the package that openapi-python-client makes of the document."""
import sys
from datetime import datetime, timezone
from http import HTTPStatus

sys.path.insert(0, ".")
from sitewatch_client import AuthenticatedClient, Client
from sitewatch_client.api.auth import login
from sitewatch_client.api.modules import list_modules
from sitewatch_client.api.organizations import create_organization, list_organizations
from sitewatch_client.api.readings import ingest_readings, query_telemetry
from sitewatch_client.api.sites import archive_site, create_site, get_site, update_site
from sitewatch_client.models import CreateOrganizationBody, CreateSiteBody, IngestBody, IngestRow, LoginBody, QueryBody, UpdateSiteBody

base, email, password = sys.argv[1:]

# 1: sign in
signed_in = login.sync(client=Client(base_url=base), body=LoginBody(email=email, password=password))
client = AuthenticatedClient(base_url=base, token=signed_in.data.access_token)

# 2: list
organizations = list_organizations.sync(client=client, per_page=5, sort="-created_at")
organization = organizations.data[0]
assert organizations.meta.total >= 1 and organizations.links.next_ is None

# 3: create
name = "Made by Python"
made = create_site.sync_detailed(client=client, body=CreateSiteBody(name=name, organization_id=organization.id, timezone="Europe/Paris"))
assert made.status_code == HTTPStatus.CREATED, made
site = made.parsed.data

# 4: get
got = get_site.sync_detailed(site.id, client=client)
assert got.parsed.data.name == name

# 5: update with If-Match
change = {"client": client, "body": UpdateSiteBody(description="changed"), "if_match": got.headers["ETag"]}
assert update_site.sync(site.id, **change).data.description == "changed"
assert update_site.sync_detailed(site.id, **change).status_code == HTTPStatus.PRECONDITION_FAILED

# 6: the body of a 422
refused = create_organization.sync(client=client, body=CreateOrganizationBody(name=""))
assert refused.status_code == 422 and refused.field_errors[0].field == "name", refused

# 7: ingest
module = list_modules.sync(client=client, organization_id=organization.id).data[0]
rows = [IngestRow(module=str(module.id), metric="power", at=datetime(2026, 2, 1, hour, tzinfo=timezone.utc), value=hour) for hour in range(3)]
assert ingest_readings.sync(client=client, body=IngestBody(readings=rows)).data.accepted == 3

# 8: query
question = QueryBody(modules=[module.id], metrics=["power"], from_=datetime(2026, 2, 1, tzinfo=timezone.utc),
                     to=datetime(2026, 2, 2, tzinfo=timezone.utc), interval="P1D", timezone="UTC")
assert len(query_telemetry.sync(client=client, body=question).data.series) == 1

# 9: archive
assert archive_site.sync(site.id, client=client).data.is_active is False

# 10: 404
gone = get_site.sync_detailed(site.id, client=client)
assert gone.status_code == HTTPStatus.NOT_FOUND and gone.parsed.type_ == "not_found", gone
print("Python: ten calls")
