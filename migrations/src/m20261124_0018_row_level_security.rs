//! PostgreSQL can keep the rows of organizations apart by itself, for transactions that ask for it: the policies. Whether they are in
//! force follows a setting, and the step after the migrations sees to it.
//!
//! A transaction that does not set `sitewatch.wall` meets every row: migrations, older nodes, and nodes whose setting is off. One that sets
//! it to anything but `off` meets nothing until it says whom it works for: `sitewatch.orgs` (ids with commas between) and
//! `sitewatch.user_id`.
//!
//! Readings and rollups have no policy. Their rows name a number of `series`, which is behind the wall, and a look at it for each row would
//! cost more than the statement. `docs/decisions/0020-row-level-security.md` names all tables without one.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Asked once for a statement, since each stands in a query of its own: looking up a setting takes no time, but for each row it would.
const SEES_ALL: &str = "(SELECT coalesce(current_setting('sitewatch.wall', true), '') IN ('', 'off'))";
const ORGS: &str = "(SELECT string_to_array(current_setting('sitewatch.orgs', true), ',')::uuid[])::uuid[]";
const USER: &str = "(SELECT nullif(current_setting('sitewatch.user_id', true), '')::uuid)";

/// What is visible of a table beside the rows of one's organizations. Only those can be changed.
#[derive(Clone, Copy)]
enum Also {
    Nothing,
    /// What is built in, which has no organization. It can be held, so that something may hang on it.
    BuiltIn,
    /// What is about a user himself, by this column, wherever it is.
    Seen(&'static str),
    /// What belongs to a user and no organization, by this column; that can be changed too.
    Owned(&'static str),
}

/// The tables behind the wall, the column with the organization of their rows, and what else is visible.
const TABLES: [(&str, &str, Also); 20] = [
    ("organizations", "id", Also::Nothing),
    ("memberships", "organization_id", Also::Seen("user_id")),
    ("assignments", "organization_id", Also::Seen("user_id")),
    ("invitations", "organization_id", Also::Nothing),
    ("sites", "organization_id", Also::Nothing),
    ("modules", "organization_id", Also::Nothing),
    ("module_types", "organization_id", Also::BuiltIn),
    ("metrics", "organization_id", Also::BuiltIn),
    ("series", "organization_id", Also::Nothing),
    ("rejected_readings", "organization_id", Also::Nothing),
    ("rollup_marks", "organization_id", Also::Nothing),
    ("reports", "organization_id", Also::Nothing),
    ("report_runs", "organization_id", Also::Nothing),
    ("schedules", "organization_id", Also::Nothing),
    ("jobs", "organization_id", Also::Seen("created_by")),
    ("deliveries", "organization_id", Also::Nothing),
    ("api_keys", "organization_id", Also::Owned("user_id")),
    ("device_credentials", "organization_id", Also::Nothing),
    ("audit_events", "organization_id", Also::Nothing),
    // The ends of the chains of the log: the organization, or the nil id.
    ("audit_heads", "chain", Also::Nothing),
];

/// The policies of a table. What one of them lets through, the others do not stop.
fn policies((table, org, also): (&str, &str, Also)) -> Vec<String> {
    let within = format!("{SEES_ALL} OR {org} = ANY ({ORGS})");
    let mine = match also {
        Also::Owned(user) => format!("{within} OR ({org} IS NULL AND {user} = {USER})"),
        Also::Nothing | Also::BuiltIn | Also::Seen(_) => within,
    };
    let mut policies = vec![format!("CREATE POLICY organizations_apart ON {table} USING ({mine})")];
    match also {
        Also::Nothing | Also::Owned(_) => {}
        Also::Seen(user) => {
            policies.push(format!(
                "CREATE POLICY one_sees_oneself ON {table} FOR SELECT USING ({user} = {USER})"
            ));
        }
        Also::BuiltIn => {
            policies
                .push(format!("CREATE POLICY built_in_is_seen ON {table} FOR SELECT USING ({org} IS NULL)"));
            // Holding a row wants the right to change it, and no change comes through.
            policies.push(format!(
                "CREATE POLICY built_in_is_held ON {table} FOR UPDATE USING ({org} IS NULL) WITH CHECK (false)"
            ));
            // It would come through if it made the row one's own.
            policies.push(format!(
                "CREATE TRIGGER {table}_stay_with_their_owner BEFORE UPDATE OF {org} ON {table} FOR EACH ROW \
                 WHEN (OLD.{org} IS DISTINCT FROM NEW.{org}) EXECUTE FUNCTION sitewatch_owner_stays()"
            ));
        }
    }
    policies
}

const OWNER_STAYS: &str = "CREATE FUNCTION sitewatch_owner_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what belongs to an organization, or is built in, stays so';
    END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        ddl::run(manager, &[OWNER_STAYS]).await?;
        for table in TABLES {
            for policy in policies(table) {
                ddl::run(manager, &[&policy]).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        for (table, _, also) in TABLES {
            let off = format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY");
            let gone = |policy: &str| format!("DROP POLICY {policy} ON {table}");
            let mut statements = vec![off, gone("organizations_apart")];
            match also {
                Also::Nothing | Also::Owned(_) => {}
                Also::Seen(_) => statements.push(gone("one_sees_oneself")),
                Also::BuiltIn => {
                    statements.extend([gone("built_in_is_seen"), gone("built_in_is_held")]);
                    statements.push(format!("DROP TRIGGER {table}_stay_with_their_owner ON {table}"));
                }
            }
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            ddl::run(manager, &statements).await?;
        }
        ddl::run(manager, &["DROP FUNCTION sitewatch_owner_stays"]).await
    }
}
