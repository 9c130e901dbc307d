//! An account that does not exist costs what one costs that does, so that the time of an answer tells nothing.

use std::sync::Arc;

use serde_json::json;
use sitewatch_ephemeral::Unlimited;
use sitewatch_tests::world::Backend;

use crate::clocked::Clocked;

pub async fn each_failed_sign_in_checks_one_hash(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    for email in stage.accounts().await {
        for password in ["a guess of some length", "", &"x".repeat(5_000)] {
            let before = stage.hasher.calls();
            let guess = json!({ "email": email, "password": password });
            stage.visitor.post("/api/v1/auth/login", guess).await.expect(401);
            assert_eq!(stage.hasher.calls(), (before.0, before.1 + 1), "{email} {password:.9}");
        }
    }
}

/// The same statements in the same order, as PostgreSQL noted them.
pub async fn each_failed_sign_in_asks_the_same_of_the_database(backend: Arc<Backend>) {
    let database = backend.database().await.expect("a database that notes statements");
    database.note_statements().await;
    let stage = Clocked::on(Some(database), |_| Arc::new(Unlimited)).await;
    let database = stage.database.as_ref().expect("the database");
    let noted = async |email: &str, status: u16| {
        let before = database.noted_statements().len();
        let guess = json!({ "email": email, "password": "a guess of some length" });
        stage.visitor.post("/api/v1/auth/login", guess).await.expect(status);
        // What was given up is rolled back some time after the answer.
        let statements = database.noted_statements().split_off(before);
        statements.into_iter().filter(|statement| statement != "ROLLBACK").collect::<Vec<_>>()
    };
    // Every first look at a table is preceded by the driver's own questions.
    noted("first@example.org", 401).await;
    let emails = stage.accounts().await;
    let mut told = Vec::new();
    for email in emails {
        told.push(noted(email, 401).await);
    }
    assert!(told[0].len() >= 5, "{:?}", told[0]);
    for (email, statements) in emails.iter().zip(&told) {
        assert_eq!(statements, &told[0], "{email}");
    }
    // Refused guesses too. The audit log has no more than ten of them in a minute.
    let mut told = Vec::new();
    for email in emails {
        for _ in 0..4 {
            noted(email, 401).await;
        }
        told.push(noted(email, 429).await);
    }
    for (email, statements) in emails.iter().zip(&told) {
        assert_eq!(statements, &told[0], "{email}");
    }
}
