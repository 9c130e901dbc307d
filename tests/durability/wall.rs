//! The second wall: what the serving role meets with statements that have no filter at all.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use serde_json::json;
use sitewatch_tests::{client::Answer, processes::Process};

use crate::{
    Kind,
    commands::create_superuser,
    load::{Load, plant},
    start::{Installation, PATIENCE, told, with},
};

const WALL: &str = "SITEWATCH_DATABASE_ROW_LEVEL_SECURITY";

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";
/// Somebody who belongs to A.
const USER: &str = "00000000-0000-7000-8000-0000000000aa";

/// A table with the organization that its rows are of, and how to add one.
struct Table {
    name: String,
    org: String,
    columns: String,
    values: String,
}

impl Table {
    fn insert(&self, org: &str) -> String {
        let Self { name, columns, values, .. } = self;
        format!("INSERT INTO {name} ({columns}) VALUES ({})", values.replace("{org}", org))
    }

    fn count(&self, org: &str) -> String {
        format!("SELECT count(*) AS rows FROM {} WHERE {} = '{org}'", self.name, self.org)
    }
}

/// One session, whose settings stay.
async fn session(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("a session")
}

async fn run(session: &DatabaseConnection, sql: &str) -> Result<u64, String> {
    let done = session.execute_unprepared(sql).await;
    done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
}

async fn rows(session: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let row = session.query_one_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    row.expect("a count").try_get("", "rows").expect("a number")
}

/// Every table with an `organization_id`, as the database knows them, so that none is forgotten; and the two that name it otherwise.
async fn tables(admin: &DatabaseConnection) -> Vec<Table> {
    let sql = "SELECT c.table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns, \
               string_agg(CASE \
                   WHEN column_name = 'organization_id' OR (c.table_name, column_name) IN (('organizations', 'id'), ('audit_heads', 'chain')) \
                       THEN '''{org}''' \
                   WHEN udt_name = 'uuid' THEN 'gen_random_uuid()' WHEN udt_name = 'text' THEN 'gen_random_uuid()::text' \
                   WHEN udt_name = 'bool' THEN 'true' WHEN udt_name = 'jsonb' THEN '''{}''' WHEN udt_name = 'bytea' THEN 'gen_random_uuid()::text::bytea' \
                   ELSE '1' END, ', ' ORDER BY ordinal_position) AS row_values, \
               bool_or(column_name = 'organization_id') AS has_org \
               FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) \
               WHERE table_schema = 'public' AND table_type = 'BASE TABLE' \
               AND (c.column_name = 'organization_id' OR (is_nullable = 'NO' AND is_identity = 'NO')) \
               GROUP BY c.table_name \
               HAVING bool_or(column_name = 'organization_id') OR c.table_name IN ('organizations', 'audit_heads')";
    let found = admin.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.expect("tables");
    let table = |row: &sea_orm::QueryResult| {
        let text = |column: &str| row.try_get::<String>("", column).expect("a text");
        let name = text("table_name");
        let org = match name.as_str() {
            "organizations" => "id",
            "audit_heads" => "chain",
            _ => "organization_id",
        };
        Table { org: org.to_owned(), columns: text("columns"), values: text("row_values"), name }
    };
    found.iter().map(table).collect()
}

/// An installation that a role with few rights serves, and that role's URL.
async fn with_app_role(kind: &Kind) -> (Installation, DatabaseConnection, String) {
    let mut installation = Installation::new(kind).await;
    let admin = session(&installation.database()).await;
    for statement in [
        "CREATE ROLE sitewatch_app LOGIN",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sitewatch_app",
        "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO sitewatch_app",
    ] {
        run(&admin, statement).await.expect("a role");
    }
    let app = installation.database_as("sitewatch_app");
    installation.set("SITEWATCH_DATABASE_ADMIN_URL", &installation.database());
    installation.set("SITEWATCH_DATABASE_URL", &app);
    installation.set("SITEWATCH_MIGRATE", "off");
    (installation, admin, app)
}

async fn migrate(installation: &Installation, wall: &str) {
    let mut command = with(installation.command(), WALL, wall);
    command.args(["migrate", "up"]);
    let (text, code) = told(command).await;
    assert_eq!(code, Some(0), "{text}");
}

/// An installation behind the wall with a row of A and one of B in every table; the rows make no sense otherwise, and nothing checks
/// them.
async fn planted(kind: &Kind) -> (Installation, DatabaseConnection, Vec<Table>) {
    let (installation, admin, _) = with_app_role(kind).await;
    migrate(&installation, "on").await;
    // Only the policies are looked at here: neither references nor checks nor the triggers and rights of the log.
    let freed = "SET session_replication_role = replica; \
                 ALTER TABLE audit_events DISABLE TRIGGER USER; ALTER TABLE audit_heads DISABLE TRIGGER USER; \
                 DO $$ DECLARE rule record; BEGIN \
                     FOR rule IN SELECT conrelid::regclass AS place, conname FROM pg_constraint \
                         WHERE contype = 'c' AND connamespace = 'public'::regnamespace \
                     LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', rule.place, rule.conname); END LOOP; \
                 END $$; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sitewatch_app";
    run(&admin, freed).await.expect("freed of rules");
    let tables = tables(&admin).await;
    assert!(tables.len() >= 20, "{} tables", tables.len());
    for table in &tables {
        for org in [A, B] {
            run(&admin, &table.insert(org)).await.unwrap_or_else(|error| panic!("{}: {error}", table.name));
            assert_eq!(rows(&admin, &table.count(org)).await, 1, "{}", table.name);
        }
    }
    (installation, admin, tables)
}

/// A session that works for A, and for somebody there.
async fn session_of_a(installation: &Installation) -> DatabaseConnection {
    let app = session(&installation.database_as("sitewatch_app")).await;
    let told =
        format!("SET sitewatch.wall = 'on'; SET sitewatch.orgs = '{A}'; SET sitewatch.user_id = '{USER}'");
    run(&app, &told).await.expect("settings");
    app
}

/// Tables whose rows are of no organization, or tell it by a number alone; `docs/decisions/0020-row-level-security.md` says why each is here.
const WITHOUT_A_WALL: [&str; 13] = [
    "attempts",
    "idempotency_keys",
    "installation",
    "job_probes",
    "mail_suppressions",
    "module_type_metrics",
    "password_resets",
    "readings",
    "report_files",
    "rollups",
    "seaql_migrations",
    "sessions",
    "users",
];

/// A new table has a policy, or a reason to have none.
pub async fn every_table_is_behind_the_wall_or_named(kind: Arc<Kind>) {
    let (installation, admin, _) = with_app_role(&kind).await;
    migrate(&installation, "on").await;
    let sql = "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
               AND NOT relispartition AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1";
    let found = admin.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.expect("tables");
    let found = found.iter().map(|row| row.try_get::<String>("", "name").expect("a name"));
    assert_eq!(found.collect::<Vec<_>>(), WITHOUT_A_WALL);
}

/// Whoever works for A finds nothing of B in any table, whatever the statement forgets, and can change nothing of B's.
pub async fn nothing_of_others_is_behind_the_wall(kind: Arc<Kind>) {
    let (installation, admin, tables) = planted(&kind).await;
    let app = session_of_a(&installation).await;
    for table in &tables {
        let Table { name, org, .. } = table;
        let all = format!(
            "SELECT count(*) AS rows FROM {name} WHERE {org} IS DISTINCT FROM '{A}' AND {org} IS NOT NULL"
        );
        assert_eq!(rows(&app, &all).await, 0, "{name} shows rows of others");
        assert_eq!(rows(&app, &table.count(A)).await, 1, "{name} hides the caller's own rows");
        let refused = run(&app, &table.insert(B)).await.expect_err(name);
        assert!(refused.contains("row-level security"), "{name}: {refused}");
        for change in [format!("UPDATE {name} SET {org} = {org}"), format!("DELETE FROM {name}")] {
            assert_eq!(run(&app, &format!("{change} WHERE {org} = '{B}'")).await.expect(name), 0, "{name}");
        }
        let given = run(&app, &format!("UPDATE {name} SET {org} = '{B}' WHERE {org} = '{A}'")).await;
        let refused = given.expect_err(name);
        // What may be built in has a rule of its own, which comes first.
        assert!(
            ["row-level security", "stays so"].iter().any(|rule| refused.contains(rule)),
            "{name}: {refused}"
        );
    }
    for table in &tables {
        assert_eq!(rows(&admin, &table.count(B)).await, 1, "{}", table.name);
    }
}

/// What is about somebody himself, and lies in an organization that he is not in: he sees it, and changes neither it nor what is beside it.
pub async fn what_one_sees_of_oneself_is_not_ones_own(kind: Arc<Kind>) {
    let (installation, admin, _) = planted(&kind).await;
    let app = session_of_a(&installation).await;
    for (table, user) in [("memberships", "user_id"), ("assignments", "user_id"), ("jobs", "created_by")] {
        run(&admin, &format!("UPDATE {table} SET {user} = '{USER}' WHERE organization_id = '{B}'"))
            .await
            .expect(table);
        let seen = format!("SELECT count(*) AS rows FROM {table} WHERE organization_id = '{B}'");
        assert_eq!(rows(&app, &seen).await, 1, "{table}");
        for change in [
            format!("UPDATE {table} SET {user} = {user} WHERE organization_id <> '{A}'"),
            // Into his own organization, where he could then do with it what he likes.
            format!("UPDATE {table} SET organization_id = '{A}' WHERE {user} = '{USER}'"),
            format!("DELETE FROM {table} WHERE organization_id <> '{A}'"),
        ] {
            assert_eq!(run(&app, &change).await.expect(&change), 0, "{change}");
        }
        assert_eq!(rows(&admin, &seen).await, 1, "{table}");
    }
    // His own keys are of no organization, and those of others are neither seen nor changed.
    let keys = format!(
        "UPDATE api_keys SET organization_id = NULL, user_id = CASE organization_id WHEN '{A}' THEN '{USER}'::uuid ELSE '{B}' END"
    );
    assert_eq!(run(&admin, &keys).await.expect("keys"), 2);
    assert_eq!(run(&app, "UPDATE api_keys SET name = 'mine'").await.expect("his own"), 1);
    let given = run(&app, &format!("UPDATE api_keys SET user_id = '{B}'")).await.expect_err("another's");
    assert!(given.contains("row-level security"), "{given}");
    assert_eq!(run(&app, "DELETE FROM api_keys").await.expect("his own"), 1);
    assert_eq!(rows(&admin, "SELECT count(*) AS rows FROM api_keys").await, 1);
}

/// What is built in can be seen and held by everybody, and is changed by nobody behind the wall.
pub async fn what_is_built_in_stays_as_it_is(kind: Arc<Kind>) {
    let (installation, admin, _) = planted(&kind).await;
    let app = session_of_a(&installation).await;
    for table in ["metrics", "module_types"] {
        let gone = format!(
            "ALTER TABLE {table} DISABLE TRIGGER USER; \
                            UPDATE {table} SET organization_id = NULL WHERE organization_id = '{B}'; ALTER TABLE {table} ENABLE TRIGGER USER"
        );
        run(&admin, &gone).await.expect("built in");
        let held = format!(
            "SELECT count(*) AS rows FROM (SELECT id FROM {table} WHERE organization_id IS NULL FOR SHARE) held"
        );
        assert_eq!(rows(&app, &held).await, 1, "{table}");
        let changed = run(&app, &format!("UPDATE {table} SET name = 'x'")).await.expect_err("a change");
        assert!(changed.contains("row-level security"), "{table}: {changed}");
        let taken = format!("UPDATE {table} SET organization_id = '{A}' WHERE organization_id IS NULL");
        let taken = run(&app, &taken).await.expect_err("taken");
        assert!(taken.contains("stays so"), "{table}: {taken}");
        assert_eq!(
            run(&app, &format!("DELETE FROM {table} WHERE organization_id IS NULL")).await.expect("none"),
            0
        );
        assert_eq!(rows(&admin, &held).await, 1, "{table}");
    }
}

/// A transaction behind the wall that says no more meets nothing; one that says nothing meets everything, as it must where other nodes
/// have the setting off.
pub async fn the_wall_is_closed_until_something_is_said(kind: Arc<Kind>) {
    let (installation, _admin, tables) = planted(&kind).await;
    let app = session(&installation.database_as("sitewatch_app")).await;
    let seen = async |settings: &str, expected: i64| {
        run(&app, settings).await.expect("settings");
        for table in &tables {
            let both =
                format!("SELECT count(*) AS rows FROM {} WHERE {} IN ('{A}', '{B}')", table.name, table.org);
            assert_eq!(rows(&app, &both).await, expected, "{} after {settings}", table.name);
        }
    };
    seen("SELECT 1", 2).await;
    seen("SET sitewatch.wall = 'on'", 0).await;
    seen("SET sitewatch.wall = 'true'", 0).await;
    seen("SET sitewatch.orgs = ''; SET sitewatch.user_id = ''", 0).await;
    seen(&format!("SET sitewatch.orgs = '{A},{B}'"), 2).await;
    seen("SET sitewatch.orgs = ''; SET sitewatch.wall = 'off'", 2).await;
}

/// A server with the setting does not start where it would change nothing, and says which setting and which command.
pub async fn a_start_without_the_wall_is_refused(kind: Arc<Kind>) {
    let (mut installation, admin, _) = with_app_role(&kind).await;
    migrate(&installation, "off").await;
    let is_refused = |(text, code): (String, Option<i32>), says: &str| {
        let last = text.lines().last().unwrap_or_default();
        assert!(code == Some(27) && last.contains(WALL) && last.contains(says), "{code:?} {text}");
    };
    installation.set(WALL, "on");
    is_refused(told(installation.command()).await, "`sitewatch-api migrate up`");
    is_refused(told(create_superuser(&installation, "second@example.org")).await, "migrate up");
    migrate(&installation, "on").await;
    // One table is enough.
    run(&admin, "ALTER TABLE sites NO FORCE ROW LEVEL SECURITY").await.expect("not forced");
    is_refused(told(installation.command()).await, "`sitewatch-api migrate up`");
    migrate(&installation, "on").await;
    for right in ["BYPASSRLS", "NOBYPASSRLS SUPERUSER"] {
        run(&admin, &format!("ALTER ROLE sitewatch_app {right}")).await.expect("a right");
        is_refused(told(installation.command()).await, "sitewatch_app");
    }
    run(&admin, "ALTER ROLE sitewatch_app NOSUPERUSER").await.expect("a right less");
    let client = installation.start().await;
    plant(&client).await;
}

/// A node that waits for migrations is not ready before it has found the wall.
pub async fn a_waiting_node_without_the_wall_ends(kind: Arc<Kind>) {
    let (installation, _admin, _) = with_app_role(&kind).await;
    let log = installation.path("log");
    let mut waiting = Process::spawn("sitewatch-api", with(installation.command(), WALL, "on"), &log);
    waiting.wait_for_http(&format!("{}/health", installation.base()), PATIENCE).await;
    migrate(&installation, "off").await;
    let status = waiting.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(27), "{}", waiting.log());
    assert!(waiting.log().contains(WALL), "{}", waiting.log());
}

const WALLED: &str = "SELECT count(*) AS rows FROM pg_class WHERE relrowsecurity AND relforcerowsecurity";
const TOUCHED: &str = "SELECT count(*) AS rows FROM pg_class WHERE relrowsecurity OR relforcerowsecurity";

/// `migrate up` brings the tables to what the setting says, also with nothing to migrate and under load; a node whose setting is off serves
/// on while they have the wall.
pub async fn migrating_switches_the_wall(kind: Arc<Kind>) {
    let (mut installation, admin, _) = with_app_role(&kind).await;
    migrate(&installation, "off").await;
    assert_eq!(rows(&admin, TOUCHED).await, 0, "off costs nothing");
    let client = installation.start().await;
    let load = Load::new(plant(&client).await);
    let senders = load.flow(&client).await;
    for (wall, walled, touched) in
        [("on", 20, 20), ("on", 20, 20), ("off", 0, 0), ("off", 0, 0), ("on", 20, 20)]
    {
        migrate(&installation, wall).await;
        assert_eq!((rows(&admin, WALLED).await, rows(&admin, TOUCHED).await), (walled, touched), "{wall}");
    }
    // A table that somebody uses for a while is waited for, and others are not kept waiting behind.
    let user = session(&installation.database()).await;
    run(&user, "BEGIN; LOCK TABLE sites IN ACCESS SHARE MODE").await.expect("in use");
    let release = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        run(&user, "COMMIT").await.expect("done");
    };
    tokio::join!(migrate(&installation, "off"), release);
    assert_eq!(rows(&admin, TOUCHED).await, 0);
    migrate(&installation, "on").await;
    let acknowledged = load.acknowledged();
    load.flow(&client).await;
    assert!(load.acknowledged() > acknowledged, "a node whose setting is off serves on");
    installation.terminate().await;
    for sender in senders {
        sender.await.expect("a sender");
    }
    // And with the setting it finds what the other wrote.
    installation.set(WALL, "on");
    let client = installation.start().await;
    load.check(&client).await;
}

/// Twice as many at once as there are connections, each with several statements and some that write: all are answered, and hardly anybody is
/// put off for a while, as all would be if a request waited for a second connection while it holds one.
pub async fn many_at_once_are_served_behind_the_wall(kind: Arc<Kind>) {
    let (mut installation, _admin, _) = with_app_role(&kind).await;
    migrate(&installation, "on").await;
    installation.set(WALL, "on");
    let root = installation.start().await;
    plant(&root).await;
    let org = root.get("/api/v1/organizations").await.expect(200).data()[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let person =
        json!({ "email": "a@example.org", "full_name": "A", "password": "a password of some length" });
    let user = root.post("/api/v1/users", person).await.expect(201).id();
    let member = json!({ "user_id": user, "role": "admin" });
    root.post(&format!("/api/v1/organizations/{org}/users"), member).await.expect(201);
    let admin = root.login("a@example.org", "a password of some length").await;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (admin, sites) = (admin.clone(), format!("/api/v1/organizations/{org}/sites"));
        callers.spawn(async move {
            let mut put_off = 0;
            for part in 0..8 {
                let name = json!({ "name": format!("{number}.{part}") });
                let site = served(&mut put_off, 201, || admin.post(&sites, name.clone())).await.id();
                let path = format!("/api/v1/sites/{site}");
                served(&mut put_off, 200, || admin.get(&path)).await;
                let list = "/api/v1/sites?per_page=20&include=organization";
                served(&mut put_off, 200, || admin.get(list)).await;
                served(&mut put_off, 200, || admin.patch(&path, json!({ "description": "x" }))).await;
            }
            put_off
        });
    }
    let put_off = callers.join_all().await.into_iter().sum::<u32>();
    assert!(put_off < 40 * 8 * 4 / 10, "{put_off} of {} requests were put off", 40 * 8 * 4);
}

/// What is answered with this status in the end, and how often the request was put off before: on a machine with much else to do, a
/// connection is not always free in time.
async fn served<F: Future<Output = Answer>>(put_off: &mut u32, status: u16, ask: impl Fn() -> F) -> Answer {
    loop {
        let answer = ask().await;
        if answer.status.as_u16() != 503 {
            return answer.expect(status);
        }
        *put_off += 1;
        assert!(*put_off < 40, "{}", answer.text);
    }
}
