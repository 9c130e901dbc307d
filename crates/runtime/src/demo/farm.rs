//! What the farm consists of, and making it through the API.

use serde_json::{Value, json};

use crate::client::{ApiClient, ClientError};

/// The organization of the demonstration.
pub(crate) const ORGANIZATION: &str = "La Haute Borne (demo)";
/// Its time zone.
pub(crate) const TIMEZONE: &str = "Europe/Paris";
/// Who administers it.
pub(crate) const ADMIN_EMAIL: &str = "demo@sitewatch.example";
/// His name.
pub(crate) const ADMIN_NAME: &str = "Demo";

/// A metric of the turbines; its key is the column of the file.
pub(super) struct FarmMetric {
    pub(super) key: &'static str,
    name: &'static str,
    unit: &'static str,
}

const fn metric(key: &'static str, name: &'static str, unit: &'static str) -> FarmMetric {
    FarmMetric { key, name, unit }
}

/// The seven columns of the file.
pub(super) const METRICS: [FarmMetric; 7] = [
    metric("P_avg", "Active power", "kW"),
    metric("Ws_avg", "Wind speed", "m/s"),
    metric("Ot_avg", "Outdoor temperature", "Cel"),
    metric("Ba_avg", "Pitch angle", "deg"),
    metric("Va_avg", "Vane position", "deg"),
    metric("Ya_avg", "Nacelle angle", "deg"),
    metric("Wa_avg", "Absolute wind direction", "deg"),
];

/// Makes what is not there yet; the ids of the turbines, in the order of their names.
pub(super) async fn build(client: &ApiClient, organization: &str) -> Result<Vec<String>, ClientError> {
    for metric in &METRICS {
        let body = json!({
            "organization_id": organization, "key": metric.key, "name": metric.name, "unit": metric.unit, "kind": "gauge",
        });
        let found = format!("/api/v1/metrics?organization_id={organization}&key={}", metric.key);
        find_or_make(client, &found, "/api/v1/metrics", &body).await?;
    }
    let body = json!({
        "organization_id": organization, "name": "MM82", "manufacturer": "Senvion", "model": "MM82",
        "expected_interval_s": 600, "offline_after_s": 1800, "metrics": METRICS.map(|metric| metric.key),
    });
    let found = format!("/api/v1/module-types?organization_id={organization}&name=MM82");
    let module_type = find_or_make(client, &found, "/api/v1/module-types", &body).await?;
    let body = json!({
        "name": "La Haute Borne", "timezone": TIMEZONE, "latitude": 48.4503, "longitude": 5.5878,
        "description": "Four turbines of 2,050 kW. ENGIE, La Haute Borne wind farm open data.",
        "address": "Vaudeville-le-Haut, Meuse, France", "tags": ["wind", "demo"],
    });
    let sites = format!("/api/v1/organizations/{organization}/sites");
    let site = find_or_make(client, &format!("{sites}?name=La%20Haute%20Borne"), &sites, &body).await?;
    let mut modules = Vec::new();
    for line in super::turbines_csv().lines().skip(1) {
        let Some((name, _)) = line.split_once(',') else { continue };
        let body = json!({
            "name": name, "serial_number": name, "module_type_id": module_type, "tags": ["turbine"],
            "description": "Rated power 2,050 kW, hub height 80 m, rotor diameter 82 m",
        });
        let path = format!("/api/v1/sites/{site}/modules");
        modules.push(find_or_make(client, &format!("{path}?name={name}"), &path, &body).await?);
    }
    Ok(modules)
}

async fn find_or_make(
    client: &ApiClient,
    found: &str,
    path: &str,
    body: &Value,
) -> Result<String, ClientError> {
    let list = client.get(found).await?;
    let object = match list.get(0) {
        Some(object) => object.clone(),
        None => client.post(path, body).await?,
    };
    let id = object.get("id").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| ClientError::Unintelligible { request: path.to_owned() })
}
