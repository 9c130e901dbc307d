//! A body for each operation that changes something, with which it succeeds.

use serde_json::{Value, json};

use super::{
    stage::Objects,
    table::{Place, Row},
};

/// The body, if the operation has one. The number makes names that nothing has yet.
pub fn body_of(row: &Row, objects: &Objects, number: usize) -> Option<Value> {
    let name = format!("made {number}");
    let id = |key: &str| objects[key].clone();
    let reading = json!({ "metric": id("metric"), "at": "2026-01-01T00:00:00Z", "value": 1 });
    Some(match row.operation {
        "patchMe" | "updateUser" | "patchUser" => json!({ "locale": "fr" }),
        "createUser" => json!({ "email": format!("made.{number}@example.org"), "full_name": name }),
        "updateOrganization" | "patchOrganization" | "updateSite" | "patchSite" => {
            json!({ "timezone": "Europe/Paris" })
        }
        "createMember" => {
            let user = objects.get("newcomer_id").unwrap_or(&objects["user_id"]);
            json!({ "user_id": user, "role": "member" })
        }
        "updateMember" | "patchMember" => json!({ "role": "member" }),
        "createAssignment" => {
            json!({ "user_id": id("user_id"), "site_id": id("site_id"), "access": "viewer" })
        }
        "createInvitation" => json!({ "email": format!("invited.{number}@example.org"), "role": "member" }),
        "updateAssignment" | "patchAssignment" => json!({ "access": "operator" }),
        "createSite" => json!({ "organization_id": id("organization_id"), "name": name }),
        "createSitesInBulk" => {
            json!({ "sites": [{ "organization_id": id("organization_id"), "name": name }] })
        }
        "createOrganization" | "createOrganizationSite" => json!({ "name": name }),
        "createModuleType" => {
            json!({ "organization_id": id("organization_id"), "name": name, "metrics": [id("metric")] })
        }
        "createMetric" => {
            json!({ "organization_id": id("organization_id"), "key": format!("made.{number}"), "name": name })
        }
        "updateModuleType" | "patchModuleType" => json!({ "offline_after_s": 900 }),
        "updateMetric" | "patchMetric" => json!({ "unit": "MW" }),
        "createModule" => {
            json!({ "site_id": id("site_id"), "name": name, "module_type_id": id("module_type_id") })
        }
        "createModulesInBulk" => {
            let row_of =
                json!({ "site_id": id("site_id"), "name": name, "module_type_id": id("module_type_id") });
            json!({ "modules": [row_of] })
        }
        "createSiteModule" => json!({ "name": name, "module_type_id": id("module_type_id") }),
        "updateModule" | "patchModule" => json!({ "description": name }),
        "moveModule" => json!({ "site_id": id("second_site_id") }),
        "sendHeartbeat"
        | "logout"
        | "createModuleCredential"
        | "rotateModuleCredential"
        | "createSiteCredential"
        | "rotateSiteCredential" => json!({}),
        "changePassword" => json!({ "current_password": "x", "new_password": "short" }),
        "createReport" => json!({
            "organization_id": id("organization_id"), "name": name, "period": "day", "format": "csv",
        }),
        "updateReport" | "patchReport" => json!({ "format": "html" }),
        "runReport" => json!({ "period": day(number) }),
        "createApiKey" | "createOrganizationApiKey" => json!({ "name": name, "scopes": ["users:read"] }),
        "updateApiKey" | "patchApiKey" | "updateOrganizationApiKey" | "patchOrganizationApiKey" => {
            json!({ "name": name })
        }
        "createReadings" => json!({ "readings": [reading] }),
        "ingestReadings" => {
            let row_of = json!({ "module": id("module_id"), "metric": id("metric"), "at": "2026-01-01T00:00:00Z", "value": 1 });
            match row.place {
                Place::OrganizationInBody => {
                    json!({ "organization_id": id("organization_id"), "readings": [row_of] })
                }
                _ => json!({ "readings": [row_of] }),
            }
        }
        "queryTelemetry" => json!({
            "modules": [id("module_id")], "metrics": [id("metric")],
            "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
        }),
        _ => return None,
    })
}

/// A day of its own for each number, long past: of a run that waits already no second one is made.
fn day(number: usize) -> String {
    format!("{}-{:02}-{:02}", 2001 + number / 336 % 24, 1 + number / 28 % 12, 1 + number % 28)
}
