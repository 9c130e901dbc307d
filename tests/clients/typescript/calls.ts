// The ten calls through openapi-fetch, with the types that openapi-typescript makes of the document.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [base, email, password] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: base });

// 1: sign in
const signedIn = await client.POST("/api/v1/auth/login", { body: { email, password } });
const token = signedIn.data?.data.access_token;
assert.ok(token);
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

// 2: list
const organizations = await client.GET("/api/v1/organizations", { params: { query: { per_page: 5, sort: "-created_at" } } });
const organization = organizations.data?.data[0];
assert.ok(organization && organizations.data && organizations.data.links.next === null);

// 3: create
const name = "Made by TypeScript";
const made = await client.POST("/api/v1/sites", { body: { organization_id: organization.id, name, timezone: "Europe/Paris" } });
assert.equal(made.response.status, 201);
const site_id = made.data!.data.id;

// 4: get
const got = await client.GET("/api/v1/sites/{site_id}", { params: { path: { site_id } } });
assert.equal(got.data?.data.name, name);
const tag = got.response.headers.get("ETag")!;

// 5: update with If-Match
const change = { params: { path: { site_id }, header: { "If-Match": tag } }, body: { description: "changed" } };
const changed = await client.PUT("/api/v1/sites/{site_id}", change);
assert.equal(changed.data?.data.description, "changed");
const stale = await client.PUT("/api/v1/sites/{site_id}", change);
assert.equal(stale.response.status, 412);

// 6: the body of a 422
const refused = await client.POST("/api/v1/organizations", { body: { name: "" } });
assert.equal(refused.error?.status_code, 422);
assert.equal(refused.error?.field_errors[0]?.field, "name");

// 7: ingest
const modules = await client.GET("/api/v1/modules", { params: { query: { organization_id: organization.id } } });
const module = modules.data!.data[0]!;
const rows = [1, 2, 3].map((value) => ({ module: module.id, metric: "power", at: `2026-03-01T0${value}:00:00Z`, value }));
const sent = await client.POST("/api/v1/ingest/readings", { body: { readings: rows } });
assert.equal(sent.data?.data.accepted, 3);

// 8: query
const asked = await client.POST("/api/v1/telemetry/query", {
  body: { modules: [module.id], metrics: ["power"], from: "2026-03-01T00:00:00Z", to: "2026-03-02T00:00:00Z", interval: "P1D", timezone: "UTC" },
});
assert.equal(asked.data?.data.series.length, 1);

// 9: archive
const archived = await client.DELETE("/api/v1/sites/{site_id}", { params: { path: { site_id } } });
assert.equal(archived.data?.data.is_active, false);

// 10: 404
const gone = await client.GET("/api/v1/sites/{site_id}", { params: { path: { site_id } } });
assert.equal(gone.response.status, 404);
assert.equal(gone.error?.type, "not_found");
console.log("TypeScript: ten calls");
