//! What a driver's error means: a broken rule, an absent database, or a fault of ours.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use sitewatch_domain::{Rule, ports::StoreError};

/// The columns that a unique index of each rule covers, as SQLite names them where it does not name the index.
const RULES_BY_COLUMNS: &[(&str, Rule)] = &[
    ("users.email", Rule::UserEmail),
    ("organizations.name", Rule::OrganizationName),
    ("organizations.slug", Rule::OrganizationSlug),
    ("memberships.organization_id, memberships.user_id", Rule::Membership),
    ("assignments.user_id, assignments.site_id", Rule::Assignment),
    ("assignments.user_id, assignments.module_id", Rule::Assignment),
    ("sites.organization_id, sites.name", Rule::SiteName),
    ("sites.organization_id, sites.external_id", Rule::SiteExternalId),
    ("module_types.organization_id, module_types.name", Rule::ModuleTypeName),
    ("module_types.name", Rule::ModuleTypeName),
    ("metrics.organization_id, metrics.key", Rule::MetricKey),
    ("metrics.key", Rule::MetricKey),
    ("modules.site_id, modules.name", Rule::ModuleName),
    ("modules.organization_id, modules.serial_number", Rule::ModuleSerialNumber),
    ("modules.organization_id, modules.external_id", Rule::ModuleExternalId),
];

/// PostgreSQL's states in which trying again later may work: lost connections, deadlocks, locks, shutdowns, full disks,
/// too many connections, statements that took too long, a server that only reads.
const TRANSIENT_STATES: &[&str] =
    &["40001", "40P01", "55P03", "57014", "25006", "53100", "53200", "53300", "58030"];

/// PostgreSQL's state for a row that somebody else has locked and nobody was to wait for.
const LOCKED_STATE: &str = "55P03";

/// PostgreSQL's states for a table, a column or a function that is not there.
const UNKNOWN_STATES: &[&str] = &["42P01", "42703", "42883"];

/// The meaning of an error.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => {
            return StoreError::Conflict(rule_of(&error, &message));
        }
        Some(_) => return StoreError::Backend(Box::new(error)),
        None => {}
    }
    if lacks_schema(&error) {
        tracing::error!(
            %error,
            "the database lacks what this program needs: run `sitewatch-api migrate up`"
        );
        return StoreError::Unavailable(Box::new(error));
    }
    if is_transient(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Backend(Box::new(error))
    }
}

fn is_transient(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) {
        return true;
    }
    match driver_error(error) {
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed,
        ) => true,
        Some(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            is_busy_sqlite(error.message())
                || code.starts_with("08")
                || code.starts_with("57P")
                || TRANSIENT_STATES.contains(&code.as_ref())
        }
        _ => false,
    }
}

/// Whether a row is locked by somebody else.
pub(crate) fn is_locked(error: &DbErr) -> bool {
    database_error(error).is_some_and(|error| error.code().as_deref() == Some(LOCKED_STATE))
}

/// What the driver said, if it was the driver.
fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error.as_ref()),
        _ => None,
    }
}

/// What the database itself said, if it was the database.
fn database_error(error: &DbErr) -> Option<&dyn sqlx::error::DatabaseError> {
    driver_error(error)?.as_database_error()
}

/// Whether a statement named a table, column or function that is not there: migrations are pending.
fn lacks_schema(error: &DbErr) -> bool {
    database_error(error).is_some_and(|error| {
        let code = error.code().unwrap_or_default();
        let message = error.message();
        UNKNOWN_STATES.contains(&code.as_ref())
            || ["no such table", "no such column", "has no column named"]
                .iter()
                .any(|words| message.contains(words))
    })
}

/// What the database said, if it refused because the role lacks a right.
pub(crate) fn denial(error: &DbErr) -> Option<String> {
    let refused = database_error(error).filter(|error| error.code().as_deref() == Some("42501"))?;
    Some(refused.message().to_owned())
}

/// What SQLite said, if the file is none of its databases or is damaged.
pub(crate) fn damage(error: &DbErr) -> Option<String> {
    let words = ["file is not a database", "database disk image is malformed"];
    let said = database_error(error)?.message();
    words.iter().any(|words| said.contains(words)).then(|| said.to_owned())
}

fn is_busy_sqlite(message: &str) -> bool {
    message.contains("database is locked") || message.contains("database or disk is full")
}

fn rule_of(error: &DbErr, message: &str) -> Rule {
    let constraint = database_error(error).and_then(|error| error.constraint());
    constraint.and_then(rule_of_index).or_else(|| rule_of_message(message)).unwrap_or(Rule::Unique)
}

/// PostgreSQL names the index; one rule may need two of them, whose names begin alike.
fn rule_of_index(index: &str) -> Option<Rule> {
    let base = index.strip_suffix("_built_in").or_else(|| index.strip_suffix("_module")).unwrap_or(index);
    Rule::ALL.iter().copied().find(|rule| rule.name() == base)
}

/// SQLite names the columns.
fn rule_of_message(message: &str) -> Option<Rule> {
    let (_, columns) = message.split_once("UNIQUE constraint failed: ")?;
    RULES_BY_COLUMNS.iter().find(|(known, _)| *known == columns.trim()).map(|(_, rule)| *rule)
}

/// A value in a row that no version of the program writes.
pub(crate) fn corrupt(table: &'static str, column: &'static str, row: impl ToString) -> StoreError {
    StoreError::Corrupt { table, column, row: row.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_name_the_same_rules() {
        assert_eq!(rule_of_index("sites_name"), Some(Rule::SiteName));
        assert_eq!(rule_of_index("metrics_key_built_in"), Some(Rule::MetricKey));
        assert_eq!(rule_of_index("assignments_spot_module"), Some(Rule::Assignment));
        assert_eq!(rule_of_index("sites_pkey"), None);
        let message = "(code: 2067) UNIQUE constraint failed: sites.organization_id, sites.name";
        assert_eq!(rule_of_message(message), Some(Rule::SiteName));
        assert_eq!(rule_of_message("UNIQUE constraint failed: sites.id"), None);
    }
}
