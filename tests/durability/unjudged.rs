//! Sign-ins with the right password that the database breaks off are no wrong guesses: whoever tries on through an outage is not kept out after it.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait as _, Database, DatabaseTransaction, DbBackend, Statement, TransactionTrait as _,
};
use serde_json::json;
use sitewatch_tests::{
    client::{Answer, Client},
    world::SUPERUSER,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Kind,
    start::{Installation, PATIENCE},
};

/// As many guesses as are looked at without a delay.
const FREE: usize = 5;

async fn sign_in(client: Client) -> Answer {
    let credentials = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    client.post("/api/v1/auth/login", credentials).await
}

/// How many guesses stand in the counters of whoever signs in.
async fn guesses_counted(database: &DatabaseTransaction) -> usize {
    let sql = "SELECT coalesce(sum(failures), 0)::bigint AS counted FROM attempts";
    let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    let counted: i64 = row.expect("read").expect("a row").try_get("", "counted").expect("a number");
    counted as usize
}

/// Ends all sessions that wait for what another one holds.
async fn break_off(database: &DatabaseTransaction) {
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()";
    database.execute_unprepared(waiting).await.expect("ended");
}

#[expect(clippy::disallowed_methods, reason = "a transaction that holds a table of PostgreSQL")]
pub async fn a_sign_in_that_is_broken_off_is_no_wrong_guess(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.set("SITEWATCH_RATE_LIMITS", "off");
    installation.start().await;
    let stranger = Client::anonymous(installation.base());
    let database = Database::connect(installation.database()).await.expect("a connection");
    // Before the password is looked at, and after it was found to be right.
    for table in ["users", "sessions"] {
        let held = database.begin().await.expect("a transaction");
        held.execute_unprepared(&format!("LOCK TABLE {table}")).await.expect("held");
        let mut asking: JoinSet<Answer> = (0..FREE).map(|_| sign_in(stranger.clone())).collect();
        let give_up = Instant::now() + PATIENCE;
        while guesses_counted(&held).await < FREE {
            assert!(Instant::now() < give_up, "{table}: not all are counted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while !asking.is_empty() {
            assert!(Instant::now() < give_up, "{table}: still waiting");
            break_off(&held).await;
            let Ok(Some(answer)) = tokio::time::timeout(Duration::from_millis(50), asking.join_next()).await
            else {
                continue;
            };
            answer.expect("an answer").expect(503);
        }
        held.rollback().await.expect("let go");
        sign_in(stranger.clone()).await.expect(200);
    }
}
