//! Entries of the kinds that keep rollups, for the list of all kinds: one reading, in one bucket of each length.

use serde_json::json;
use sitewatch_domain::{
    jobs::When,
    readings::DeleteReadings,
    rollups::{RedoRollups, SweepRollups},
};
use sitewatch_tests::world::World;

use crate::{
    housekeeping::{connect, count, entry, execute},
    kinds::Entry,
    plant::system,
};

/// A module that has sent a reading; the path of its readings.
async fn readings(world: &World) -> String {
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let path = format!("/api/v1/modules/{}/readings", world.module(&site, &kind, "M").await);
    let row = json!({ "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 });
    world.root.post(&path, json!({ "readings": [row] })).await.expect(200);
    path
}

/// The job that the reading has caused waits a moment for more of its kind: not here.
pub fn redo() -> Entry {
    entry::<RedoRollups>(
        |world| {
            Box::pin(async {
                readings(world).await;
                let database = connect(world).await;
                execute(&database, "UPDATE jobs SET run_at = 0 WHERE kind = 'rollups.redo.v1'", vec![]).await;
            })
        },
        |world| {
            let counted = "SELECT CAST(COALESCE(sum(count), 0) AS bigint) FROM rollups WHERE interval = 1440";
            Box::pin(count(world, counted))
        },
    )
}

/// A mark that was left behind has a job again, and one alone.
pub fn sweep() -> Entry {
    entry::<SweepRollups>(
        |world| {
            Box::pin(async {
                readings(world).await;
                let database = connect(world).await;
                execute(&database, "DELETE FROM jobs", vec![]).await;
                execute(&database, "UPDATE rollup_marks SET marked_at = 0", vec![]).await;
                let jobs = world.platform.jobs();
                jobs.enqueue(&system(), &SweepRollups {}, When::Now).await.expect("it is written");
            })
        },
        |world| Box::pin(count(world, "SELECT count(*) FROM jobs WHERE kind = 'rollups.redo.v1'")),
    )
}

/// The readings of a day, and what is kept of them.
pub fn delete_readings() -> Entry {
    entry::<DeleteReadings>(
        |world| {
            Box::pin(async {
                let path = readings(world).await;
                let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
                world.root.delete(&format!("{path}?{day}")).await.expect(202);
            })
        },
        |world| {
            Box::pin(async {
                let left = "SELECT (SELECT count(*) FROM readings) + (SELECT count(*) FROM rollups)";
                1 - count(world, left).await
            })
        },
    )
}
