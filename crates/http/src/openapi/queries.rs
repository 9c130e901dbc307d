//! What parameters of queries may say that are taken from lists: keys to sort by, what to include, states.

use serde_json::Value;
use sitewatch_domain::{
    audit::Action,
    jobs::{JobState, Lane},
};
use utoipa::openapi::{
    RefOr,
    path::{Operation, ParameterIn},
    schema::{Object, Schema, SchemaType, Type},
};

use crate::{
    query::MAX_SORT_KEYS,
    v1::{
        api_keys, assignments, invitations, jobs, members, metrics, module_types, modules, organizations,
        report_runs, reports, sessions, sites, users,
    },
};

/// Says which values the parameters of an operation have.
pub(super) fn close(operation: &mut Operation) {
    let name = operation.operation_id.clone().unwrap_or_default();
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.parameter_in != ParameterIn::Query {
            continue;
        }
        let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { continue };
        match (parameter.name.as_str(), name.as_str()) {
            ("sort", operation) => {
                let keys = sort_keys(operation).join("|");
                schema.pattern = Some(format!("^-?({keys})(,-?({keys})){{0,{}}}$", MAX_SORT_KEYS - 1));
            }
            ("include", operation) => {
                let names = includes(operation).join("|");
                schema.pattern = Some(format!("^({names})(,({names}))*$"));
            }
            ("state", "listJobs") => choose(schema, JobState::ALL.iter().map(|state| state.name())),
            ("lane", "listJobs") => choose(schema, Lane::ALL.iter().map(|lane| lane.name())),
            ("action", "listAuditEvents" | "listOrganizationAuditEvents") => {
                choose(schema, Action::ALL.iter().map(|action| action.name()));
            }
            // A search for white space alone finds nothing, so it is refused.
            ("q", _) => schema.pattern = Some(r"^[^\u0000]*[^\s\u0000][^\u0000]*$".to_owned()),
            _ if is_plain_text(schema) => schema.pattern = Some(r"^[^\u0000]*$".to_owned()),
            _ => {}
        }
    }
}

fn is_plain_text(schema: &Object) -> bool {
    schema.schema_type == SchemaType::Type(Type::String)
        && schema.format.is_none()
        && schema.pattern.is_none()
        && schema.enum_values.is_none()
}

fn choose<'a>(schema: &mut Object, names: impl Iterator<Item = &'a str>) {
    schema.enum_values = Some(names.map(Value::from).collect());
}

fn names<K>(keys: &'static [(&'static str, K)]) -> Vec<&'static str> {
    keys.iter().map(|(name, _)| *name).collect()
}

fn sort_keys(operation: &str) -> Vec<&'static str> {
    match operation {
        "listApiKeys" | "listOrganizationApiKeys" => names(api_keys::SORT_KEYS),
        "listAssignments" => names(assignments::SORT_KEYS),
        "listInvitations" => names(invitations::SORT_KEYS),
        "listJobs" => names(jobs::SORT_KEYS),
        "listMembers" => names(members::SORT_KEYS),
        "listMetrics" => names(metrics::SORT_KEYS),
        "listModuleTypes" => names(module_types::SORT_KEYS),
        "listModules" | "listOrganizationModules" | "listSiteModules" => names(modules::SORT_KEYS),
        "listOrganizations" => names(organizations::SORT_KEYS),
        "listReportRuns" => names(report_runs::SORT_KEYS),
        "listReports" => names(reports::SORT_KEYS),
        "listMySessions" | "listUserSessions" => names(sessions::SORT_KEYS),
        "listOrganizationSites" | "listSites" => names(sites::SORT_KEYS),
        "listUsers" => names(users::SORT_KEYS),
        _ => Vec::new(),
    }
}

fn includes(operation: &str) -> &'static [&'static str] {
    if operation.contains("Site") && !operation.contains("Module") {
        sites::INCLUDES
    } else {
        modules::INCLUDES
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::openapi::text;

    #[test]
    fn every_list_names_its_keys() {
        let document: Value = serde_json::from_str(text()).expect("JSON");
        let operations = document["paths"].as_object().expect("paths").values();
        let mut patterns = Vec::new();
        for operation in operations.flat_map(|item| item.as_object().expect("an item").values()) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|one| one["name"] == "sort" || one["name"] == "include") {
                let pattern = parameter["schema"]["pattern"].as_str().unwrap_or_default().to_owned();
                assert!(!pattern.is_empty() && !pattern.contains("()"), "{}", operation["operationId"]);
                patterns.push(pattern);
            }
        }
        assert!(patterns.len() > 20, "{patterns:?}");
    }
}
