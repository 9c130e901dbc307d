//! Lists: archived rows on request, and filters that name somebody else's objects.

use std::sync::Arc;

use reqwest::Method;
use sitewatch_tests::world::Backend;

use super::{
    cast::{B_CANARY, GONE_CANARY, Role, Who},
    document::operations_of,
    stage::{RANDOM, Stage},
    table::{Place, TABLE, Target},
};

/// `include_inactive=true` on everything that knows it: archived rows of A for its admin and superusers, 403 for whoever
/// manages nothing, and not a word of A's archive for the admin of B. Archived users belong to superusers alone.
pub async fn archived_rows_are_for_admins(backend: Arc<Backend>) {
    let stage = Stage::build(&backend).await;
    let mut checked = 0;
    for operation in operations_of(&stage.world).await {
        if !operation.parameters.contains("include_inactive") {
            continue;
        }
        let row = TABLE.iter().find(|row| row.operation == operation.name).expect("a row");
        let of_users = operation.name == "listUsers" || operation.name == "getUser";
        let is_list = operation.name.starts_with("list");
        let target = if is_list { Target::Own } else { Target::Archived };
        let path = operation.path_to(row, &stage.objects(row, target));
        let path = format!("{path}{}include_inactive=true", if path.contains('?') { '&' } else { '?' });
        for who in Who::ALL {
            let manages = match (row.place, of_users) {
                (_, true) => *who == Who::Superuser,
                // The path names the organization: what he manages elsewhere does not count.
                (Place::Organization, _) if is_list => row.role(*who, target) >= Role::Admin,
                // Nobody has standing in an archived organization.
                (Place::Organization, _) => *who == Who::Superuser,
                _ => who.best_role() >= Role::Admin,
            };
            let is_within_reach = match row.place {
                Place::Nowhere => row.role(*who, target) == Role::Superuser || *who == Who::Admin,
                _ => row.role(*who, target) >= Role::Admin,
            };
            let is_found = is_within_reach || row.place == Place::Nowhere;
            let expected = match (who.is_turned_away(), manages, is_found) {
                (true, ..) => 401,
                (_, false, _) => 403,
                (_, true, true) => 200,
                (_, true, false) => 404,
            };
            let answer = stage.clients[who].send(Method::GET, &path, None, &[]).await;
            assert_eq!(answer.status.as_u16(), expected, "{path} as {who:?}: {}", answer.text);
            // Organizations are listed by membership, and nobody is a member of an archived one.
            let lists_organizations = operation.name == "listOrganizations" && *who != Who::Superuser;
            let shows_archived = expected == 200
                && is_within_reach
                && operation.name != "listSiteModules"
                && !lists_organizations;
            if operation.name != "listSiteModules" {
                assert_eq!(
                    answer.text.contains(GONE_CANARY),
                    shows_archived,
                    "{path} as {who:?}: {}",
                    answer.text
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} calls");
}

/// A filter by an id that the caller cannot see finds what a filter by a random id finds: nothing.
pub async fn filters_by_foreign_ids_find_nothing(backend: Arc<Backend>) {
    let stage = Stage::build(&backend).await;
    let organization = &stage.a["organization_id"];
    let assignments = format!("/api/v1/organizations/{organization}/assignments");
    let audit = format!("/api/v1/organizations/{organization}/audit");
    let filters = [
        ("/api/v1/modules", "site_id", "site_id"),
        ("/api/v1/modules", "module_type_id", "module_type_id"),
        ("/api/v1/modules", "parent_module_id", "module_id"),
        (assignments.as_str(), "user_id", "user_id"),
        (assignments.as_str(), "site_id", "site_id"),
        (assignments.as_str(), "module_id", "module_id"),
        (audit.as_str(), "actor_id", "user_id"),
        (audit.as_str(), "resource_id", "site_id"),
        ("/api/v1/audit", "resource_id", "site_id"),
    ];
    let admin = &stage.clients[&Who::Admin];
    for (path, parameter, key) in filters {
        let ask = async |id: &str| admin.get(&format!("{path}?{parameter}={id}")).await.expect(200);
        let (foreign, random) = (ask(&stage.b[key]).await, ask(RANDOM).await);
        assert_eq!(foreign.data(), random.data(), "{path}?{parameter}");
        assert_eq!(foreign.json()["meta"], random.json()["meta"], "{path}?{parameter}");
        assert_eq!(foreign.data(), serde_json::json!([]), "{path}?{parameter}");
    }
    for path in
        ["/api/v1/users", "/api/v1/organizations", "/api/v1/sites", "/api/v1/modules", "/api/v1/metrics"]
    {
        for query in [format!("q={B_CANARY}"), format!("name={B_CANARY}"), format!("q={}", &B_CANARY[..5])] {
            let found = admin.get(&format!("{path}?{query}")).await;
            // Not every list knows every parameter.
            let is_empty = found.status.as_u16() == 422 || found.json()["meta"]["total"] == 0;
            assert!(is_empty, "{path}?{query}: {}", found.text);
        }
    }
}
