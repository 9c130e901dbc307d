//! Edges that a careless or curious client finds: what must not leak, and what must not fail.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::world::{Backend, World};

const NOWHERE: &str = "018f0000-0000-7000-8000-000000000000";

pub async fn users_of_another_organization_are_not_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let (_, admin) = world.member(&a, "ada", "admin").await;
    let (both, _) = world.member(&a, "bob", "member").await;
    let body = json!({ "user_id": both, "role": "member" });
    world.root.post(&format!("/api/v1/organizations/{b}/users"), body).await.expect(201);
    for org in [b.as_str(), NOWHERE] {
        admin.get(&format!("/api/v1/users?organization_id={org}")).await.expect(403);
    }
    let own = admin.get(&format!("/api/v1/users?organization_id={a}")).await.expect(200);
    assert_eq!(own.json()["meta"]["total"], 2);
    let seen = world.root.get(&format!("/api/v1/users?organization_id={b}")).await.expect(200);
    assert_eq!(seen.json()["meta"]["total"], 1);
    world.root.get(&format!("/api/v1/users?organization_id={NOWHERE}")).await.expect(404);
}

pub async fn members_cannot_search_addresses_that_they_do_not_see(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let (_, member) = world.member(&org, "bob", "member").await;
    let total = async |client: &sitewatch_tests::client::Client, text: &str| {
        let path = format!("/api/v1/organizations/{org}/users?q={text}");
        client.get(&path).await.expect(200).json()["meta"]["total"].clone()
    };
    assert_eq!(total(&admin, "ada%40example").await, 1);
    assert_eq!(total(&member, "ada%40example").await, 0);
    assert_eq!(total(&member, "ada").await, 1);
}

pub async fn members_are_sorted_by_the_first_key_first(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    for (name, role) in [("a", "member"), ("b", "admin"), ("c", "member"), ("d", "admin")] {
        world.member(&org, name, role).await;
    }
    let names = async |sort: &str| {
        let path = format!("/api/v1/organizations/{org}/users?sort={sort}");
        let data = world.root.get(&path).await.expect(200).data();
        let names = data.as_array().unwrap().iter().map(|member| member["user"]["full_name"].to_string());
        names.collect::<String>().replace('"', "")
    };
    assert_eq!(names("role,full_name").await, "bdac");
    assert_eq!(names("role,-full_name").await, "dbca");
    assert_eq!(names("-full_name").await, "dcba");
}

pub async fn keys_that_no_metric_can_have_are_refused(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    for key in ["a\u{0}", "", "a b", &"k".repeat(101)] {
        let body = json!({ "organization_id": org, "name": "U", "metrics": [key] });
        assert_eq!(world.root.post("/api/v1/module-types", body).await.expect(422).faults(), ["metrics"]);
        let path = format!("/api/v1/module-types/{kind}");
        let changed = world.root.patch(&path, json!({ "metrics": [key] })).await;
        assert_eq!(changed.expect(422).faults(), ["metrics"]);
    }
}

pub async fn no_value_spoils_the_figures_of_its_series(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let row = |second: u32, value: Value| json!({ "metric": "power", "at": format!("2026-01-01T00:00:{second:02}Z"), "value": value });
    let rows = json!({ "readings": [row(0, json!(1.7e308)), row(1, json!(1e290)), row(2, json!(1e290)), row(3, json!(-1.7e308))] });
    let verdict =
        world.root.post(&format!("/api/v1/modules/{module}/readings"), rows).await.expect(200).data();
    assert_eq!(verdict["accepted"], 2);
    assert_eq!(verdict["rejects"][0], json!({ "index": 0, "field": "value", "reason": "too_large" }));
    let question = json!({ "modules": [module], "metrics": ["power"], "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-02T00:00:00Z", "interval": "P1D", "aggregates": ["sum", "max"] });
    let answer = world.root.post("/api/v1/telemetry/query", question).await.expect(200).data();
    assert_eq!(answer["series"][0]["sum"], json!([2e290, null]));
}

pub async fn many_months_are_counted_like_few(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let months: Vec<(i32, u32)> =
        (2001..2011).flat_map(|year| (1..=12).map(move |month| (year, month))).collect();
    let rows: Vec<Value> = months
        .iter()
        .enumerate()
        // The first and the last hour of each month in Paris: a boundary that is off by an hour moves one of them.
        .flat_map(|(index, (year, month))| {
            let value = index as f64;
            [
                json!({ "metric": "power", "at": format!("{year}-{month:02}-01T00:30:00+01:00"), "value": value }),
                json!({ "metric": "power", "at": format!("{year}-{month:02}-15T12:00:00+01:00"), "value": value + 2.0 }),
            ]
        })
        .collect();
    let body = json!({ "readings": rows });
    world.root.post(&format!("/api/v1/modules/{module}/readings"), body).await.expect(200);
    let question = json!({ "modules": [module], "metrics": ["power"], "from": "2001-01-01T00:00:00+01:00",
        "to": "2011-01-01T00:00:00+01:00", "interval": "P1M", "timezone": "Europe/Paris",
        "aggregates": ["avg", "count", "first", "last"] });
    let answer = world.root.post("/api/v1/telemetry/query", question).await.expect(200).data();
    let series = &answer["series"][0];
    let expected: Vec<f64> = (0..120).map(f64::from).collect();
    assert_eq!(series["first"], json!(expected));
    assert_eq!(series["last"], json!(expected.iter().map(|value| value + 2.0).collect::<Vec<_>>()));
    assert_eq!(series["avg"], json!(expected.iter().map(|value| value + 1.0).collect::<Vec<_>>()));
    assert_eq!(series["count"], json!(vec![2; 120]));
}

pub async fn a_write_is_told_whatever_the_client_has(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let path = format!("/api/v1/organizations/{org}");
    let any = [("if-none-match", "*")];
    for (method, body) in
        [(Method::PUT, Some(json!({ "name": "B" }))), (Method::PATCH, Some(json!({ "name": "C" })))]
    {
        world.root.send(method, &path, body, &any).await.expect(200);
    }
    world.root.send(Method::GET, &path, None, &any).await.expect(304);
    world.root.send(Method::DELETE, &path, None, &any).await.expect(200);
}

pub async fn a_search_finds_letters_beyond_ascii(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    world.site(&org, "École du Soleil").await;
    for text in ["%C3%89cole", "%C3%89COLE", "soleil"] {
        let found = world.root.get(&format!("/api/v1/sites?q={text}")).await.expect(200);
        assert_eq!(found.json()["meta"]["total"], 1, "{text}");
    }
}

pub async fn a_strangers_body_is_not_looked_at(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let site = world.site(&a, "S").await;
    let (_, other) = world.member(&b, "bob", "admin").await;
    let (_, member) = world.member(&a, "ada", "member").await;
    let path = format!("/api/v1/sites/{site}");
    let text = [("content-type", "text/plain")];
    let gzip = [("content-type", "application/json"), ("content-encoding", "gzip")];
    for headers in [&text[..], &gzip] {
        other.raw(Method::PATCH, &path, b"x".to_vec(), headers).await.expect(404);
        let inside = format!("/api/v1/organizations/{a}/sites");
        member.raw(Method::POST, &inside, b"x".to_vec(), headers).await.expect(403);
        world.root.raw(Method::PATCH, &path, b"x".to_vec(), headers).await.expect(415);
    }
}

pub async fn the_documentation_knows_its_methods(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let nobody = world.anonymous();
    for path in ["/docs/", "/docs/swagger-ui.css", "/docs/swagger-initializer.js"] {
        let page = nobody.get(path).await.expect(200);
        let head = nobody.send(Method::HEAD, path, None, &[]).await.expect(200);
        assert_eq!(head.header("content-type"), page.header("content-type"));
        assert_eq!(nobody.send(Method::POST, path, None, &[]).await.expect(405).header("allow"), "GET, HEAD");
    }
    nobody.get("/docs/nothing.js").await.expect(404).error_type();
}

pub async fn links_never_name_a_host(backend: Arc<Backend>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let world = World::start(&backend).await;
    let authority = world.base.trim_start_matches("http://");
    let mut connection = tokio::net::TcpStream::connect(authority).await.unwrap();
    // A request line in absolute form, as clients of proxies send it (RFC 9112, 3.2.2).
    let request = format!(
        "GET http://elsewhere.example/api/v1/sites?page=1 HTTP/1.1\r\nhost: elsewhere.example\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        world.root.token()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""self":"/api/v1/sites?page=1""#), "{answer}");
    assert!(!answer.contains("elsewhere.example"), "{answer}");
}

pub async fn names_in_any_script_are_names(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let mut slugs = std::collections::BTreeSet::new();
    for name in ["日本", "中国", "Ö", "---", "Org a", "Org-a", "Müller & Söhne"] {
        let made = world.root.post("/api/v1/organizations", json!({ "name": name })).await.expect(201).data();
        assert!(slugs.insert(made["slug"].to_string()), "{made}");
    }
    let asked = json!({ "name": "Other", "slug": "org-a" });
    world.root.post("/api/v1/organizations", asked).await.expect(409);
}

pub async fn a_body_agrees_with_its_path(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (org, other) = (world.organization("A").await, world.organization("B").await);
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (site, elsewhere) = (world.site(&org, "S").await, world.site(&org, "E").await);
    let sites = format!("/api/v1/organizations/{org}/sites");
    let body = |owner: &str| json!({ "name": "N", "organization_id": owner });
    assert_eq!(world.root.post(&sites, body(&other)).await.expect(422).faults(), ["organization_id"]);
    assert_eq!(world.root.post(&sites, body("x")).await.expect(422).faults(), ["organization_id"]);
    world.root.post(&sites, body(&org)).await.expect(201);
    let modules = format!("/api/v1/sites/{site}/modules");
    let body = |site: &str| json!({ "name": "N", "module_type_id": kind, "site_id": site });
    assert_eq!(world.root.post(&modules, body(&elsewhere)).await.expect(422).faults(), ["site_id"]);
    world.root.post(&modules, body(&site)).await.expect(201);
}

pub async fn the_last_moments_of_the_year_9999_are_asked_for(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let path = format!("/api/v1/modules/{module}/readings");
    let at = "2026-01-01T00:00:00.000000000001Z";
    let rows = json!({ "readings": [{ "metric": "power", "at": at, "value": 1 }] });
    world.root.post(&path, rows).await.expect(200);
    let range = "from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999999999999Z";
    let found = world.root.get(&format!("{path}?{range}")).await.expect(200).data();
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let last = json!({ "readings": [{ "metric": "power", "at": "9999-12-31T23:59:59Z", "value": 1 }] });
    let refused = world.root.post(&path, last).await.expect(422);
    assert!(refused.text.contains("in_the_future"), "{}", refused.text);
}

pub async fn the_bare_address_leads_to_the_documentation(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let answer = world.root.get("/").await;
    assert_eq!(answer.status.as_u16(), 200, "a redirect is followed");
    assert!(answer.text.contains("swagger-ui"), "{}", answer.text);
}

pub async fn zones_are_spelled_as_their_database_does(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let sites = format!("/api/v1/organizations/{org}/sites");
    let mut modules = Vec::new();
    for (name, zone) in [("One", "europe/PARIS"), ("Two", "Europe/Paris")] {
        let site =
            world.root.post(&sites, json!({ "name": name, "timezone": zone })).await.expect(201).data();
        assert_eq!(site["timezone"], "Europe/Paris");
        modules.push(world.module(site["id"].as_str().expect("an id"), &kind, name).await);
    }
    let question = json!({ "modules": modules, "metrics": ["power"], "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-02T00:00:00Z", "interval": "P1D", "aggregates": ["count"] });
    world.root.post("/api/v1/telemetry/query", question).await.expect(200);
    let odd = world.root.post(&sites, json!({ "name": "Three", "timezone": "Factory" })).await.expect(422);
    assert_eq!(odd.faults(), ["timezone"]);
}

pub async fn a_rule_over_two_fields_names_one(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let body = json!({ "organization_id": org, "key": "k", "name": "K", "unit": "kW", "min": 5, "max": 1 });
    assert_eq!(world.root.post("/api/v1/metrics", body).await.expect(422).faults(), ["min"]);
}

pub async fn what_announces_too_much_is_refused_before_anything_else(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let body = vec![b' '; 3 * 1024 * 1024];
    let kind = [("content-type", "application/json")];
    let answer = world
        .anonymous()
        .raw(reqwest::Method::POST, "/api/v1/ingest/readings", body, &kind)
        .await
        .expect(413);
    assert_eq!(answer.error_type(), "too_large");
}
