//! The jobs of reports, for the list of all kinds.

use serde_json::json;
use sitewatch_domain::{
    housekeeping::ForgetReports,
    ids::ReportId,
    jobs::When,
    reports::{BuildReport, StartReport},
};
use sitewatch_tests::world::World;

use crate::{
    housekeeping::{connect, count, entry, execute, write},
    kinds::Entry,
    plant::system,
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
                let job = StartReport { report: report(world).await };
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
