//! What stands in the database, so that a call that is refused can be seen to leave it as it was: also where nothing tells of it
//! in the audit log.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use sitewatch_tests::world::World;

/// Tables that belong to organizations, though they do not name them.
const OWNED: &[&str] = &["module_type_metrics", "organizations", "readings", "rollups"];
/// Refusals are told there.
const TELLS_OF_REFUSALS: &str = "audit_events";
/// Traces of a key, which every call leaves.
const TRACES: &[&str] = &["last_used_at", "last_used_ip"];

/// The rows of all organizations.
pub struct Rows {
    database: DatabaseConnection,
    /// One statement for all tables: the name of each, and what its rows come to.
    sql: String,
}

impl Rows {
    pub async fn of(world: &World) -> Self {
        let mut options = ConnectOptions::new(world.database_url());
        options.max_connections(1).sqlx_logging(false);
        let database = Database::connect(options).await.expect("a connection");
        let tables = tables(&database).await;
        for table in ["jobs", "memberships", "modules", "readings", "series", "sites"] {
            assert!(tables.contains_key(table), "{table} is looked at");
        }
        let of_tables: Vec<String> = tables
            .iter()
            .map(|(table, columns)| digest(database.get_database_backend(), table, columns))
            .collect();
        Self { database, sql: of_tables.join(" UNION ALL ") }
    }

    /// What the rows of each table come to at this moment.
    pub async fn now(&self) -> BTreeMap<String, Option<String>> {
        pairs(&self.database, &self.sql).await.into_iter().collect()
    }

    /// The tables whose rows are not what they were.
    pub async fn changed_since(&self, before: &BTreeMap<String, Option<String>>) -> BTreeSet<String> {
        let now = self.now().await;
        now.into_iter().filter(|(table, rows)| before[table] != *rows).map(|(table, _)| table).collect()
    }
}

/// Every table of organizations, as the database knows them, with its columns.
async fn tables(database: &DatabaseConnection) -> BTreeMap<String, Vec<String>> {
    let sql = match database.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'"
        }
        _ => {
            "SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'"
        }
    };
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in pairs(database, sql).await {
        tables.entry(table).or_default().push(column.expect("a name"));
    }
    tables.retain(|table, columns| {
        let is_owned =
            OWNED.contains(&table.as_str()) || columns.iter().any(|name| name == "organization_id");
        columns.retain(|name| !TRACES.contains(&name.as_str()));
        is_owned && table != TELLS_OF_REFUSALS
    });
    tables
}

/// What the rows of a table come to. `PostgreSQL` moves rows when they change, so their order must not count there.
fn digest(backend: DbBackend, table: &str, columns: &[String]) -> String {
    let quoted = columns.iter().map(|name| format!("\"{name}\""));
    let rows = if backend == DbBackend::Postgres {
        let row = quoted.collect::<Vec<_>>().join(", ");
        format!("count(*) || ' ' || coalesce(sum(hashtextextended(ROW({row})::text, 0)), 0)")
    } else {
        let row = quoted.map(|name| format!("quote({name})")).collect::<Vec<_>>().join(" || ',' || ");
        format!("group_concat({row}, ';')")
    };
    format!("SELECT '{table}', (SELECT {rows} FROM {table})")
}

async fn pairs(database: &DatabaseConnection, sql: &str) -> Vec<(String, Option<String>)> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter()
        .map(|row| (row.try_get_by_index(0).expect("a name"), row.try_get_by_index(1).expect("a text")))
        .collect()
}
