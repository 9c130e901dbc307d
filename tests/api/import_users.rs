//! Users of another platform sign in with the passwords that they have there.

use std::{path::PathBuf, process::Output, sync::Arc};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::json;
use sitewatch_tests::{
    processes::sitewatch_api,
    world::{Backend, World},
};

/// A hash as the other platform made it: of the first 72 bytes of the password itself.
fn hash(password: &str, variant: &str) -> String {
    bcrypt::hash(password, 4).expect("a hash").replacen("$2b$", variant, 1)
}

fn written(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.folder().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

/// Runs the command beside the server of the world; its exit code and what it told.
async fn import(world: &World, name: &str, text: &str, words: &[&str]) -> (Option<i32>, String) {
    let mut command = sitewatch_api();
    command
        .arg("import-users")
        .arg(written(world, name, text))
        .args(words)
        .env("SITEWATCH_DATA_DIR", world.folder())
        .env("SITEWATCH_BCRYPT_COST", "4")
        .env("SITEWATCH_LOG", "error")
        .current_dir(world.folder());
    if let Some(database) = &world.database {
        command.env("SITEWATCH_DATABASE_URL", database.url());
    }
    let output: Output = tokio::process::Command::from(command).output().await.expect("the command runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

async fn scheme(world: &World, email: &str) -> String {
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let sql = format!("SELECT password_scheme FROM users WHERE email = '{email}'");
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("an answer").expect("a user");
    database.close().await.expect("closed");
    row.try_get_by_index(0).expect("a scheme")
}

async fn signs_in(world: &World, email: &str, password: &str) -> bool {
    let body = json!({ "email": email, "password": password });
    let status = world.anonymous().post("/api/v1/auth/login", body).await.status.as_u16();
    assert!([200, 401].contains(&status), "{status}");
    status == 200
}

pub async fn imported_users_sign_in_with_their_old_passwords(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("Wind & Sun").await;
    let long = "x".repeat(80);
    let file = format!(
        "email,full_name,password_hash,is_superuser,locale,timezone,organization,role\n\
         Ada@example.org,Ada,{},f,fr,europe/paris,wind-sun,admin\n\
         bob@example.org,Bob,{},,,,Wind & Sun,\n\
         eve@example.org,Eve,{},true,,,,\n\
         long@example.org,Long,{},,,,{org},member\n\
         none@example.org,None,,,,,,\n",
        hash("old", "$2b$"),
        hash("pässword", "$2y$"),
        hash("short", "$2a$"),
        hash(&long, "$2b$"),
    );
    let (code, told) = import(&world, "users.csv", &file, &[]).await;
    assert_eq!((code, told.trim()), (Some(0), "5 read: 5 made, 0 there already, 0 refused"));
    // A password that is too short for us is still his.
    assert!(!signs_in(&world, "ada@example.org", "Old").await);
    assert_eq!(scheme(&world, "ada@example.org").await, "bcrypt");
    let ada = world.anonymous().login("ada@example.org", "old").await;
    assert_eq!(scheme(&world, "ada@example.org").await, "bcrypt-hmac-sha384", "made anew");
    assert!(
        signs_in(&world, "ada@example.org", "old").await && !signs_in(&world, "ada@example.org", "ol").await
    );
    let me = ada.get("/api/v1/auth/me").await.expect(200).data();
    assert_eq!(
        (&me["locale"], &me["timezone"], &me["is_superuser"], &me["memberships"][0]["role"]),
        (&json!("fr"), &json!("Europe/Paris"), &json!(false), &json!("admin"))
    );
    ada.get(&format!("/api/v1/organizations/{org}/users")).await.expect(200);
    let bob = world.anonymous().login("bob@example.org", "pässword").await.get("/api/v1/auth/me").await;
    assert_eq!(bob.data()["memberships"][0]["role"], "member");
    let eve = world.anonymous().login("eve@example.org", "short").await;
    eve.get("/api/v1/users").await.expect(200);
    // The other platform read 72 bytes; from the first sign-in on all of them count.
    let other_end = format!("{}another end", &long[..72]);
    assert!(!signs_in(&world, "long@example.org", &long[..71]).await);
    assert!(signs_in(&world, "long@example.org", &other_end).await);
    assert!(signs_in(&world, "long@example.org", &other_end).await);
    assert!(!signs_in(&world, "long@example.org", &long).await);
    for password in ["", "None", "none"] {
        assert!(!signs_in(&world, "none@example.org", password).await);
    }
    let made = world.root.get("/api/v1/audit?action=created&resource=user&limit=1").await.expect(200).data();
    assert_eq!((&made[0]["actor"]["kind"], made[0].to_string().contains("$2b$")), (&json!("system"), false));
    let log =
        world.root.get(&format!("/api/v1/organizations/{org}/audit?resource=membership")).await.expect(200);
    assert_eq!(log.data().as_array().map(Vec::len), Some(3));
}

pub async fn an_import_judges_every_line_and_changes_nobody(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let archived = world.organization("Archived").await;
    world.root.delete(&format!("/api/v1/organizations/{archived}")).await.expect(200);
    world.organization("A").await;
    let (gone, _) = world.user("gone").await;
    world.root.delete(&format!("/api/v1/users/{gone}")).await.expect(200);
    let good = hash("a password", "$2b$");
    let row = |fields: serde_json::Value| fields.to_string();
    let lines = [
        row(
            json!({ "email": "ada@example.org", "full_name": "Ada", "password_hash": good, "organization": "A", "role": "admin" }),
        ),
        row(
            json!({ "email": "ROOT@example.org", "full_name": "Not me", "password_hash": good, "is_superuser": false }),
        ),
        row(json!({ "email": "gone@example.org", "full_name": "Back" })),
        row(json!({ "email": "ada@example.org", "full_name": "Twice" })),
        row(json!({ "email": "no address", "full_name": "" })),
        row(
            json!({ "email": "h1@example.org", "full_name": "H", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99" }),
        ),
        row(
            json!({ "email": "h2@example.org", "full_name": "H", "password_hash": good.replacen("$2b$", "$2x$", 1) }),
        ),
        row(json!({ "email": "h3@example.org", "full_name": "H", "password_hash": &good[..59] })),
        row(
            json!({ "email": "h4@example.org", "full_name": "H", "password_hash": good.replacen("$04$", "$31$", 1) }),
        ),
        row(json!({ "email": "h5@example.org", "full_name": "H", "password_hash": "" })),
        row(json!({ "email": "o1@example.org", "full_name": "O", "organization": "Archived" })),
        row(json!({ "email": "o2@example.org", "full_name": "O", "organization": archived })),
        row(json!({ "email": "o3@example.org", "full_name": "O", "organization": "A", "role": "owner" })),
        row(json!({ "email": "o4@example.org", "full_name": "O", "role": "admin" })),
        row(json!({ "email": "z@example.org", "full_name": "Z", "timezone": "Paris", "locale": "french!" })),
        "{".to_owned(),
        row(json!({ "email": "bob@example.org", "full_name": "Bob", "password_hash": good })),
    ];
    let file = lines.join("\n");
    let faults = [
        (5, "email: is not an e-mail address of at most 254 characters; full_name: must not be empty"),
        (6, "password_hash: must be a bcrypt hash"),
        (7, "password_hash: "),
        (8, "password_hash: "),
        (9, "password_hash: "),
        (10, "password_hash: "),
        (11, "organization: is not the id, the slug or the name of an active organization"),
        (12, "organization: "),
        (13, "role: must be one of: admin, member"),
        (14, "organization: is needed for a role"),
        (15, "locale: must be a language tag"),
        (16, "is not a JSON object"),
    ];
    let users = async || {
        world.root.get("/api/v1/users?include_inactive=true").await.expect(200).json()["meta"]["total"]
            .clone()
    };
    let before = users().await;
    for (words, summary) in [
        (&["--dry-run"][..], "17 read: 0 made, 2 good and not made, 3 there already, 12 refused"),
        (&["--atomic"], "17 read: 0 made, 2 good and not made, 3 there already, 12 refused"),
        (&[], "17 read: 2 made, 3 there already, 12 refused"),
        (&[], "17 read: 0 made, 5 there already, 12 refused"),
    ] {
        assert_eq!(users().await, before, "nobody was made yet");
        let (code, told) = import(&world, "users.jsonl", &file, words).await;
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(summary), "{words:?}: {told}");
        for (line, fault) in faults {
            assert!(
                told.lines().any(|text| text.starts_with(&format!("line {line}: {fault}"))),
                "{line}: {told}"
            );
        }
        for (line, email) in [(2, "ROOT@example.org"), (3, "gone@example.org"), (4, "ada@example.org")] {
            assert!(
                told.contains(&format!("line {line}: {email} exists already and stays as it is")),
                "{told}"
            );
        }
        assert!(!told.contains(&good[7..]) && !told.contains("5f4dcc3b"), "{told}");
        if words.is_empty() {
            break;
        }
    }
    let (_, told) = import(&world, "users.jsonl", &file, &[]).await;
    assert!(told.contains("17 read: 0 made, 5 there already, 12 refused"), "{told}");
    assert!(
        signs_in(&world, "ada@example.org", "a password").await
            && signs_in(&world, "bob@example.org", "a password").await
    );
    world.root.get("/api/v1/auth/me").await.expect(200);
    assert!(!signs_in(&world, "root@example.org", "a password").await);
    let (code, told) = import(
        &world,
        "all.jsonl",
        &[&lines[0], &lines[16]].map(|line| line.replace('@', "2@")).join("\n"),
        &["--atomic"],
    )
    .await;
    assert_eq!((code, told.trim()), (Some(0), "2 read: 2 made, 0 there already, 0 refused"));
    let org = world.root.get("/api/v1/organizations?name=A").await.expect(200).data()[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let members = world.root.get(&format!("/api/v1/organizations/{org}/users")).await.expect(200);
    assert_eq!(members.data().as_array().map(Vec::len), Some(2));
    world.root.send(Method::GET, "/api/v1/users", None, &[]).await.expect(200);
}

pub async fn files_that_are_no_lists_of_users_are_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    for (name, text, sentence) in [
        ("users.csv", "email,full_name,hashed_password\n", "the column \"hashed_password\" is not one of"),
        ("users.txt", "email,full_name\n", "--format csv"),
        ("users.csv", "name\n", "is not one of"),
    ] {
        let (code, told) = import(&world, name, text, &[]).await;
        assert!(code == Some(1) && told.contains(sentence) && told.lines().count() == 1, "{code:?} {told}");
    }
    let (code, told) =
        import(&world, "users.txt", "email,full_name\nada@example.org,Ada\n", &["--format", "csv"]).await;
    assert_eq!((code, told.trim()), (Some(0), "1 read: 1 made, 0 there already, 0 refused"));
}
