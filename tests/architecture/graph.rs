//! Who may depend on whom.

use std::collections::BTreeSet;

use cargo_metadata::DependencyKind;

use crate::workspace::{built_into, packages, report, short};

/// The domain's direct dependencies: pure libraries only, and the list is closed.
const DOMAIN_MAY_USE: &[&str] = &[
    "async-trait",
    "base64",
    "croner",
    "hmac",
    "jiff",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
    "tracing",
    "unicode-normalization",
    "uuid",
    "validator",
    "zeroize",
    "zxcvbn",
];

/// What must not be anywhere in the domain's tree, by the beginning of the name.
const NEVER_IN_DOMAIN: &[&str] = &[
    "actix",
    "apalis",
    "deadpool",
    "hyper",
    "mio",
    "redis",
    "reqwest",
    "rusqlite",
    "sea-orm",
    "sea-query",
    "sqlx",
    "tokio",
];

/// Libraries with one home, by the beginning of the name, with the packages that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("actix", &["http"]),
    ("apalis", &["jobs"]),
    ("askama", &["jobs"]),
    ("bcrypt", &["auth"]),
    ("clap", &["runtime"]),
    ("deadpool-redis", &["ephemeral"]),
    ("jsonwebtoken", &["auth"]),
    ("krilla", &["jobs"]),
    ("lettre", &["jobs"]),
    ("metrics-exporter", &["runtime"]),
    ("object_store", &["files"]),
    ("opentelemetry", &["http", "runtime"]),
    ("redis", &["ephemeral", "jobs"]),
    ("rust_xlsxwriter", &["jobs"]),
    ("rustybuzz", &["jobs"]),
    ("sea-orm-migration", &["migrations"]),
    ("sea-orm", &["persistence"]),
    ("sea-query", &["persistence"]),
    ("sqlx", &["persistence"]),
    ("tracing-opentelemetry", &["http", "runtime"]),
    ("tracing-subscriber", &["runtime"]),
    ("utoipa", &["http"]),
];

/// The packages of the workspace that a package may depend on; `None` lifts the rule.
fn may_depend_on(package: &str, folder: &str) -> Option<&'static [&'static str]> {
    match (package, folder) {
        ("tests" | "runtime", _) => None,
        ("domain" | "migrations", _) => Some(&[]),
        ("persistence", _) => Some(&["domain", "migrations"]),
        (_, "bin") => Some(&["runtime"]),
        _ => Some(&["domain"]),
    }
}

#[test]
fn adapters_see_the_domain_and_only_the_runtime_sees_adapters() {
    let own: BTreeSet<&str> = packages().map(|(name, _)| name).collect();
    let mut faults = Vec::new();
    for (name, package) in packages() {
        let folder =
            package.manifest_path.parent().and_then(|path| path.parent()?.file_name()).unwrap_or_default();
        let allowed = may_depend_on(name, folder);
        for dependency in package.dependencies.iter().map(|dependency| short(&dependency.name)) {
            let is_tests = dependency == "tests" || dependency == "architecture";
            let is_allowed = allowed.is_none_or(|allowed| allowed.contains(&dependency)) && !is_tests;
            if own.contains(dependency) && !is_allowed {
                faults.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    report("The crate graph of docs/architecture.md is broken:", &faults);
}

#[test]
fn the_domains_dependencies_are_a_closed_list() {
    let (_, domain) = packages().find(|(name, _)| *name == "domain").expect("the domain");
    let normal =
        domain.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    let used: BTreeSet<&str> = normal.map(|dependency| dependency.name.as_str()).collect();
    let closed: BTreeSet<&str> = DOMAIN_MAY_USE.iter().copied().collect();
    let faults: Vec<String> = used.symmetric_difference(&closed).map(ToString::to_string).collect();
    report(
        "The domain's dependencies differ from the closed list. A new one takes a decision record in docs/decisions \
         (why the rule needs it, and that it does no I/O) and a word in this test:",
        &faults,
    );
}

#[test]
fn the_domains_tree_knows_no_runtime_web_framework_or_database() {
    let tree = built_into("sitewatch-domain");
    let is_banned = |line: &&String| NEVER_IN_DOMAIN.iter().any(|banned| line.starts_with(banned));
    let faults: Vec<String> = tree.iter().filter(is_banned).cloned().collect();
    report(
        "The domain must stay embeddable; find with `cargo tree -p sitewatch-domain -i <name>` who brings:",
        &faults,
    );
}

#[test]
fn each_library_has_one_home() {
    let mut faults = Vec::new();
    for (name, package) in packages().filter(|(name, _)| *name != "tests") {
        for dependency in &package.dependencies {
            // The most exact entry comes first in the list where two begin alike.
            let home = HOMES.iter().find(|(library, _)| dependency.name.starts_with(library));
            if let Some((_, homes)) = home.filter(|(_, homes)| !homes.contains(&name)) {
                faults.push(format!(
                    "{} belongs into {} and is used by {name}",
                    dependency.name,
                    homes.join(", ")
                ));
            }
        }
    }
    report("A library left its home:", &faults);
}

#[test]
fn the_domains_testing_feature_stays_in_tests() {
    let mut faults = Vec::new();
    for (name, package) in packages() {
        for dependency in
            package.dependencies.iter().filter(|dependency| dependency.name == "sitewatch-domain")
        {
            let asks = dependency.features.iter().any(|feature| feature == "testing");
            if asks && dependency.kind != DependencyKind::Development {
                faults.push(format!("{name} asks for it outside of [dev-dependencies]"));
            }
        }
        let is_binary = package.targets.iter().any(cargo_metadata::Target::is_bin);
        if is_binary {
            let tree = built_into(package.name.as_str());
            let domain = tree
                .iter()
                .find(|line| line.starts_with("sitewatch-domain "))
                .expect("the domain in the tree");
            if domain.contains("testing") {
                faults.push(format!("it is built into {name}"));
            }
        }
    }
    report("The feature `testing` opens doors (a clock and actors of the test's choice):", &faults);
}
