//! The jobs of reports, for the list of all kinds; and how long their files are kept.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use sea_orm::Value;
use serde_json::json;
use sitewatch_domain::{
    housekeeping::ForgetReports,
    ids::ReportId,
    jobs::{Claim, Job as _, When},
    reports::{BuildReport, StartReport},
};
use sitewatch_jobs::{Tools, registry};
use sitewatch_tests::{
    postgres::SharedPostgres,
    world::{Backend, World},
};

use crate::{
    housekeeping::{connect, count, entry, execute, work, write},
    kinds::Entry,
    plant::{Kind, system},
};

async fn report(world: &World) -> ReportId {
    let org = world.organization("A").await;
    let me = world.root.get("/api/v1/auth/me").await.expect(200).id();
    let body = json!({ "user_id": me, "role": "admin" });
    world.root.post(&format!("/api/v1/organizations/{org}/users"), body).await.expect(201);
    let body = json!({
        "organization_id": org, "name": "R", "period": "day", "format": "csv", "recipients": [me],
    });
    world.root.post("/api/v1/reports", body).await.expect(201).id().parse().expect("an id")
}

async fn ask(world: &World) {
    let report = report(world).await;
    world.root.act(&format!("/api/v1/reports/{report}/run")).await.expect(202);
}

/// One run, however often it is started.
pub fn start() -> Entry {
    entry::<StartReport>(
        |world| {
            Box::pin(async {
                let job = StartReport { report: report(world).await, slot: None };
                world.platform.jobs().enqueue(&system(), &job, When::Now).await.expect("written");
            })
        },
        |world| Box::pin(async { count(world, "SELECT count(*) FROM report_runs").await }),
    )
}

/// One file of a run and one mail, however often it is made.
pub fn build() -> Entry {
    entry::<BuildReport>(
        |world| Box::pin(ask(world)),
        |world| {
            Box::pin(async {
                let mails = count(world, "SELECT count(*) FROM deliveries").await;
                let files = count(world, "SELECT count(*) FROM report_runs WHERE file_id IS NOT NULL").await;
                assert_eq!(mails, files, "a file and its mail are one");
                files
            })
        },
    )
}

/// What is past its time is forgotten once.
pub fn forget() -> Entry {
    entry::<ForgetReports>(
        |world| {
            Box::pin(async {
                ask(world).await;
                execute(&connect(world).await, "UPDATE report_runs SET created_at = 1", Vec::new()).await;
                write::<ForgetReports>(world).await;
            })
        },
        |world| Box::pin(async { 1 - count(world, "SELECT count(*) FROM report_runs").await }),
    )
}

/// Has a run made; the folder of its file.
async fn made(world: &World) -> PathBuf {
    ask(world).await;
    let claim = Claim {
        lane: BuildReport::LANE,
        kinds: &[BuildReport::KIND],
        limit: 1,
        together: 1,
        lease: Duration::from_mins(1),
        worker: "a test",
    };
    let claimed = world.platform.jobs().claim(&system(), &claim).await.expect("an answer").remove(0);
    let tools = Arc::new(Tools { platform: world.platform.clone(), post: world.post.clone() });
    registry().call(tools, claimed).await.expect("made");
    world.folder().join("reports")
}

fn files(folder: &PathBuf) -> usize {
    fs::read_dir(folder).expect("the folder").count()
}

pub async fn files_go_with_their_runs_and_strays_go_alone(kind: Arc<Kind>) {
    let backend = match *kind {
        Kind::Sqlite => Backend::Sqlite,
        _ => Backend::Postgres(SharedPostgres::default()),
    };
    let settings = [("SITEWATCH_REPORTS_RETENTION_DAYS", "2")];
    let world = World::with(&Arc::new(backend), &settings).await;
    let folder = made(&world).await;
    assert_eq!(count(&world, "SELECT count(*) FROM report_files").await, 0, "its run has it");
    let stray = async |number: u128, age: Duration| {
        let id = uuid::Uuid::from_u128(number);
        let noted = world.platform.now().minus(age).as_micros();
        let sql = "INSERT INTO report_files (id, noted_at) VALUES ($1, $2)";
        execute(&connect(&world).await, sql, vec![id.into(), noted.into()]).await;
        File::create(folder.join(id.to_string())).expect("a file");
    };
    stray(1, Duration::from_mins(50)).await;
    stray(2, Duration::from_mins(70)).await;
    File::create(folder.join(uuid::Uuid::from_u128(3).to_string())).expect("somebody else's file");
    // What cannot be removed holds up no other, though it comes first.
    fs::create_dir_all(folder.join(uuid::Uuid::from_u128(0).to_string())).expect("a folder");
    let sql = "INSERT INTO report_files (id, noted_at) VALUES ($1, 0)";
    execute(&connect(&world).await, sql, vec![uuid::Uuid::from_u128(0).into()]).await;
    assert_eq!(files(&folder), 5);
    let registry = registry();
    assert_eq!(work::<ForgetReports>(&world, &registry).await, json!({ "forgotten": 0, "stray_files": 1 }));
    assert_eq!(files(&folder), 4, "a young stray may be a file that is just being written");
    let now = world.platform.now();
    for (age, forgotten) in [(47, 0), (49, 1)] {
        let created = Value::from(now.minus(Duration::from_hours(age)).as_micros());
        execute(&connect(&world).await, "UPDATE report_runs SET created_at = $1", vec![created]).await;
        assert_eq!(work::<ForgetReports>(&world, &registry).await["forgotten"], forgotten, "{age} hours");
    }
    assert_eq!(files(&folder), 3, "the young stray, what was never noted, and what cannot be removed");
    assert_eq!(count(&world, "SELECT count(*) FROM report_files").await, 2);
}
