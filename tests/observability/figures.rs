//! The figures, and the documents that use them.

use std::{collections::BTreeSet, fs, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};
use sitewatch_tests::{client::Client, processes::sitewatch_api};

use crate::{
    Kind,
    installation::Installation,
    promtool::{check_metrics, check_rules, names_in},
};

/// Figures of a part that only some installations have.
const OF_REDIS: [&str; 3] = ["redis_up", "rate_limit_redis_up", "cache_redis_up"];
/// What Prometheus itself knows of whoever it asks.
const OF_PROMETHEUS: &str = "up";

fn document(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/observability").join(name)
}

/// Does what is counted, each at least once.
async fn use_it(installation: &Installation) {
    let [organization, _site, module] = installation.plant().await;
    let root = &installation.root;
    let readings = json!({ "readings": [
        { "metric": "power", "at": "2026-03-29T12:00:00Z", "value": 1.0 },
        { "metric": "weight", "at": "2026-03-29T12:00:00Z", "value": 1.0 },
    ] });
    let path = format!("/api/v1/modules/{module}/readings");
    root.post(&path, readings.clone()).await.expect(200);
    // Sent again there is nothing new, and nothing late.
    root.post(&path, readings).await.expect(200);
    root.get("/api/v1/users/me").await.expect(200);
    root.get(&format!("/api/v1/sites/{organization}")).await.expect(404);
    root.get("/nothing/here").await.expect(404);
    Client::anonymous(&installation.base).get("/api/v1/sites").await.expect(401);
    // A user without a password is sent a mail.
    let user = json!({ "email": "ada@example.org", "full_name": "Ada" });
    root.post("/api/v1/users", user).await.expect(201);
    root.get("/api/v1/sites").await.expect(200);
    installation.execute("ALTER TABLE reports RENAME TO reports_away").await;
    root.get("/api/v1/reports").await.expect(503);
    installation.execute("ALTER TABLE reports_away RENAME TO reports").await;
    for guess in 0..40 {
        let guess = json!({ "email": format!("nobody{guess}@example.org"), "password": "a wrong password" });
        if root.post("/api/v1/auth/login", guess).await.status == 429 {
            return;
        }
    }
    panic!("forty guesses are not too many");
}

/// The names that are told, those of histograms without their endings.
fn told(figures: &str) -> BTreeSet<String> {
    let types = figures.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split_once(' ')).map(|(name, _)| name.to_owned()).collect()
}

/// The value of a series that counts, over all processes; none if nobody tells it.
fn value_of(figures: &str, series: &str) -> Option<u64> {
    let lines = figures.lines().filter_map(|line| line.strip_prefix(series));
    lines.filter_map(|rest| rest.trim().parse::<u64>().ok()).reduce(|one, other| one + other)
}

pub async fn the_documented_figures_are_there(kind: Arc<Kind>) {
    let settings = [("SITEWATCH_RATE_LIMITS", "on"), ("SITEWATCH_JOBS_POLL_MS", "50")];
    let installation = Installation::start(*kind, &settings).await;
    use_it(&installation).await;
    let give_up = std::time::Instant::now() + Duration::from_mins(1);
    let mut figures = installation.figures().await;
    while !figures.contains("mails_total") {
        assert!(std::time::Instant::now() < give_up, "no mail went: {figures}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        figures = installation.figures().await;
    }
    for address in installation.management() {
        let figures = reqwest::get(format!("{address}/metrics")).await.expect("an answer");
        check_metrics(&figures.text().await.expect("a text")).expect("what promtool finds right");
    }
    for (series, value) in [
        ("ingest_samples_total{protocol=\"json\",outcome=\"accepted\"}", 1),
        ("ingest_samples_total{protocol=\"json\",outcome=\"duplicate\"}", 1),
        ("ingest_samples_total{protocol=\"json\",outcome=\"rejected\"}", 2),
        ("ingest_lag_seconds_bucket{protocol=\"json\",le=\"604800\"}", 0),
        ("ingest_lag_seconds_count{protocol=\"json\"}", 1),
        ("http_deprecated_requests_total{method=\"GET\",route=\"/api/v1/users/me\",caller=\"user\"}", 1),
        ("ratelimit_rejected_total{policy=\"auth-address\"}", 1),
        ("http_server_active_requests{http_request_method=\"GET\"}", 0),
        ("degraded{part=\"redis\"}", 0),
    ] {
        assert_eq!(value_of(&figures, series), Some(value), "{series} in {figures}");
    }
    let of_requests = "http_server_request_duration_seconds";
    for series in [
        format!(
            "{of_requests}_count{{http_request_method=\"GET\",http_route=\"/api/v1/sites/{{site_id}}\",http_response_status_code=\"404\"}} 1\n"
        ),
        format!(
            "{of_requests}_count{{http_request_method=\"GET\",http_route=\"unknown\",http_response_status_code=\"404\"}} 1\n"
        ),
        format!(
            "{of_requests}_bucket{{http_request_method=\"GET\",http_route=\"/api/v1/sites\",http_response_status_code=\"401\",le=\"0.075\"}}"
        ),
        "http_server_errors_total{error_type=\"unavailable\",fingerprint=\"".to_owned(),
        "db_client_operation_duration_seconds_bucket{db_system_name=\"".to_owned(),
        "db_operation_name=\"SELECT\",le=\"0.005\"}".to_owned(),
        "db_client_connections{db_client_connection_pool_name=\"".to_owned(),
        "build_info{program=\"api\",version=\"".to_owned(),
    ] {
        assert!(figures.contains(&series), "{series} in {figures}");
    }
    nobody_is_named(&figures);
    let told = told(&figures);
    the_documents_use_them(*kind, &told, &installation.folder());
    let operations = fs::read_to_string(document("../operations.md")).expect("the document");
    for name in &told {
        assert!(operations.contains(&format!("`{name}")), "docs/operations.md does not tell of {name}");
    }
}

/// Figures are of classes, never of somebody: an id would be a figure of its own.
fn nobody_is_named(figures: &str) {
    let is_id = |value: &str| value.len() == 36 && value.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    for label in figures.split('"').skip(1).step_by(2) {
        assert!(!is_id(label) && !label.contains('@'), "{label}");
    }
}

/// Every expression of the dashboard and of the alerts can be read, and uses figures that there are.
fn the_documents_use_them(kind: Kind, told: &BTreeSet<String>, folder: &std::path::Path) {
    check_rules(&document("alerts.yml")).expect("rules");
    let dashboard = fs::read(document("dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let expressions: Vec<String> = targets
        .map(|target| target["expr"].as_str().expect("an expression").replace("$__rate_interval", "5m"))
        .collect();
    assert!(expressions.len() >= panels.len() && panels.len() > 10);
    let rules: Vec<Value> = expressions
        .iter()
        .zip(0..)
        .map(|(expression, number)| json!({ "record": format!("panel:{number}"), "expr": expression }))
        .collect();
    // JSON is YAML too.
    let as_rules = folder.join("dashboard.yml");
    let text = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    fs::write(&as_rules, text).expect("a file");
    check_rules(&as_rules).expect("expressions that can be read");

    let alerts = fs::read_to_string(document("alerts.yml")).expect("the alerts");
    let lines = alerts.lines().map(str::trim);
    let of_alerts = lines.filter_map(|line| {
        let is_continued =
            line.starts_with("sum(") || line.starts_with("histogram_quantile(") || line.starts_with("/ ");
        line.strip_prefix("expr: ").or(is_continued.then_some(line))
    });
    let names: BTreeSet<String> =
        expressions.iter().map(String::as_str).chain(of_alerts).flat_map(names_in).collect();
    let is_there = |name: &str| {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|ending| name.strip_suffix(ending));
        told.contains(name) || base.is_some_and(|base| told.contains(base))
    };
    let is_elsewhere =
        |name: &str| name == OF_PROMETHEUS || (kind == Kind::Sqlite && OF_REDIS.contains(&name));
    let missing: Vec<_> = names.iter().filter(|name| !is_there(name) && !is_elsewhere(name)).collect();
    assert!(missing.is_empty(), "{missing:?} are none of {told:?}");
    assert!(names.len() > 15, "{names:?}");
}

pub async fn a_taken_port_is_told(_kind: Arc<Kind>) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let output = sitewatch_api()
        .arg("serve")
        .current_dir(folder.path())
        .env("SITEWATCH_BIND", "127.0.0.1:0")
        .env("SITEWATCH_MANAGEMENT_BIND", &address)
        .output()
        .expect("the server runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{said}");
    assert!(said.contains(&address) && said.contains("SITEWATCH_MANAGEMENT_BIND"), "{said}");
    assert!(!folder.path().join("data").exists(), "nothing is made before the ports are there");
}
