//! Rollups are what their readings come to, in whatever order these arrive, and answers are the same from either.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, Database, DatabaseTransaction, TransactionTrait as _};
use sitewatch_domain::{
    modules::Module,
    page::SliceRequest,
    readings::DeleteReadings,
    rollups::{Grain, RollupScope},
    sites::SiteChanges,
    stamp::Precondition,
    time::Instant,
};
use sitewatch_tests::{harness::is_long_run, world::Backend};

use crate::{
    farm::{A, B, Farm, admin_of, id, superuser},
    rollups_plant::{
        DAY, MINUTE, MODULES, ZONES, listed, org, planted, random, redo_all, row, send, verified,
    },
};

/// Arrivals in any order, late, repeated, deleted; zones that change and modules that move; questions at any moment in between.
pub async fn any_order_comes_to_the_same(backend: Arc<Backend>) {
    let mut random = random();
    let mut plant = planted(&backend).await;
    let rounds = if is_long_run() { 1_500 } else { 120 };
    for _ in 0..rounds {
        match random.below(20) {
            0..=8 => plant.send_some(&mut random).await,
            9..=10 => plant.delete_some(&mut random).await,
            11 if random.below(2) == 0 => plant.turn_the_clock(&mut random).await,
            11..=14 => {
                plant.farm.platform.rollups().redo_some(&superuser(), org()).await.expect("redone");
            }
            _ => plant.ask(&mut random).await,
        }
    }
    redo_all(&plant.farm).await;
    plant.look_at_what_is_kept().await;
    for _ in 0..rounds / 4 {
        plant.ask(&mut random).await;
    }
}

/// Batches, workers and a clock that is changed, all at once: nothing waits for ever, and no mark is lost.
pub async fn batches_and_workers_side_by_side(backend: Arc<Backend>) {
    let mut random = random();
    let mut plant = planted(&backend).await;
    let batches: Vec<Vec<(u128, Instant, f64)>> = (0..60)
        .map(|_| {
            let size = 1 + random.below(30);
            (0..size).map(|_| (*random.one(MODULES), random.moment(), random.value())).collect()
        })
        .collect();
    let left = Mutex::new(batches);
    let farm = &plant.farm;
    let accepted: Mutex<Vec<(u128, Instant)>> = Mutex::default();
    let sender = async || {
        loop {
            let Some(batch) = left.lock().expect("no panic").pop() else { return };
            send(farm, batch.iter().map(|(module, at, value)| row(*module, *at, *value)).collect()).await;
            accepted.lock().expect("no panic").extend(batch.iter().map(|(module, at, _)| (*module, *at)));
        }
    };
    let worker = async || {
        for _ in 0..40 {
            let rollups = farm.platform.rollups();
            rollups.redo_some(&superuser(), org()).await.expect("a worker waits for nobody for ever");
            tokio::task::yield_now().await;
        }
    };
    let clock = async || {
        for zone in ZONES {
            let changes = SiteChanges { timezone: Some((*zone).into()), ..SiteChanges::default() };
            let sites = farm.platform.sites();
            sites.update(&superuser(), id(100), changes, Precondition::None).await.expect("a change");
        }
    };
    tokio::join!(sender(), sender(), sender(), sender(), worker(), worker(), worker(), clock());
    redo_all(&plant.farm).await;
    // Of two values for one moment either may have been the first: what was stored is read back.
    for module in MODULES {
        let request = sitewatch_domain::readings::HistoryRequest {
            slice: SliceRequest::new(1_000, None).expect("a slice"),
            ..Default::default()
        };
        let stored = plant.farm.platform.readings().history(&admin_of(&[A]), id(*module), &request).await;
        let stored = stored.expect("a history");
        assert_eq!(stored.next_cursor, None, "all of it");
        plant.sent.insert(*module, stored.items.iter().map(|reading| (reading.at, reading.value)).collect());
    }
    for (module, at) in accepted.lock().expect("no panic").iter() {
        assert!(plant.sent[module].contains_key(at));
    }
    plant.zones.insert(100, ZONES[ZONES.len() - 1]);
    plant.look_at_what_is_kept().await;
}

/// The day on which the clocks go forward, the one on which they go back, a zone of half hours: expectations by hand.
pub async fn days_have_the_hours_that_they_have(backend: Arc<Backend>) {
    let plant = planted(&backend).await;
    let every_minute = |from: &str, to: &str| {
        let (from, to): (Instant, Instant) = (from.parse().expect("from"), to.parse().expect("to"));
        let minutes = (to.as_micros() - from.as_micros()) / MINUTE;
        (0..minutes)
            .map(move |minute| Instant::from_micros(from.as_micros() + minute * MINUTE))
            .collect::<Vec<_>>()
    };
    // The whole of two local days each, one of them odd; each value is one.
    for (module, from, to) in [
        (200, "2014-03-30T00:00:00+01:00", "2014-04-01T00:00:00+02:00"),
        (200, "2014-10-26T00:00:00+02:00", "2014-10-28T00:00:00+01:00"),
        (202, "2014-05-01T00:00:00+05:45", "2014-05-02T00:00:00+05:45"),
    ] {
        for chunk in every_minute(from, to).chunks(5_000) {
            send(&plant.farm, chunk.iter().map(|at| row(module, *at, 1.0)).collect()).await;
        }
    }
    redo_all(&plant.farm).await;
    let told = async |module, grain| {
        let rollups = listed(&plant.farm, module, grain, 1_000).await;
        rollups.iter().map(|rollup| (rollup.at.to_string(), rollup.figures.count)).collect::<Vec<_>>()
    };
    let days = [
        ("2014-03-29T23:00:00.000Z".to_owned(), 23 * 60),
        ("2014-03-30T22:00:00.000Z".to_owned(), 24 * 60),
        ("2014-10-25T22:00:00.000Z".to_owned(), 25 * 60),
        ("2014-10-26T23:00:00.000Z".to_owned(), 24 * 60),
    ];
    assert_eq!(told(200, Grain::Day).await, days);
    let hours = told(200, Grain::Hour).await;
    assert_eq!(hours.len(), 23 + 24 + 25 + 24);
    assert!(hours.iter().all(|(_, count)| *count == 60));
    assert_eq!(told(202, Grain::Day).await, [("2014-04-30T18:15:00.000Z".to_owned(), 1_440)]);
    let hours = told(202, Grain::Hour).await;
    assert_eq!((hours.len(), hours[0].0.as_str()), (24, "2014-04-30T18:15:00.000Z"));
    assert_eq!(told(202, Grain::FiveMinutes).await.len(), 288);
}

/// What the database itself holds is changed behind everybody's back: verifying names it, rebuilding mends it.
pub async fn a_flipped_sum_is_named_and_mended(backend: Arc<Backend>) {
    let plant = planted(&backend).await;
    let first: Instant = "2014-06-01T00:00:00+02:00".parse().expect("a moment");
    let rows = (0..600).map(|n| row(200, Instant::from_micros(first.as_micros() + n * 10 * MINUTE), 2.5));
    send(&plant.farm, rows.collect()).await;
    redo_all(&plant.farm).await;
    assert_eq!(verified(&plant.farm, RollupScope::default()).await, []);
    let database = Database::connect(&plant.farm.database.url).await.expect("a connection");
    let spoil = async |sql: &str| {
        let changed = database.execute_unprepared(sql).await.expect("changed").rows_affected();
        assert_eq!(changed, 1, "{sql}");
    };
    let second_day = first.as_micros() + DAY;
    spoil(&format!("UPDATE rollups SET sum = -sum WHERE interval = 1440 AND bucket_start = {second_day}"))
        .await;
    spoil(&format!("DELETE FROM rollups WHERE interval = 60 AND bucket_start = {second_day}")).await;
    spoil(&format!("UPDATE rollups SET count = 7, last_at = last_at + 1 WHERE interval = 5 AND bucket_start = {second_day}")).await;
    let expected = |interval: &str, told: &str| {
        let module = id::<Module>(200);
        format!("module {module} metric power interval {interval} at 2014-06-01T22:00:00.000Z: {told}")
    };
    let differences = verified(&plant.farm, RollupScope::default()).await;
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            expected("PT5M", "count is 7, computed 1"),
            expected("PT5M", "last_at is 2014-06-01T22:00:00.000Z, computed 2014-06-01T22:00:00.000Z"),
            expected("PT1H", "bucket is missing, computed of 6 readings"),
            expected("P1D", "sum is -360, computed 360"),
        ]
    );
    let (mine, other) = (
        RollupScope { organization: Some(id(A)), module: Some(id(200)) },
        RollupScope { organization: Some(id(B)), module: None },
    );
    assert_eq!(verified(&plant.farm, mine).await.len(), 4);
    assert_eq!(verified(&plant.farm, other).await, []);
    assert_eq!(plant.farm.platform.rollups().rebuild(&superuser(), other).await.expect("marked"), []);
    assert_eq!(plant.farm.platform.rollups().rebuild(&superuser(), mine).await.expect("marked"), [org()]);
    assert_eq!(verified(&plant.farm, mine).await, [], "what waits to be redone is left out");
    redo_all(&plant.farm).await;
    assert_eq!(verified(&plant.farm, mine).await, []);
    assert_eq!(listed(&plant.farm, 200, Grain::Day, 100).await.len(), 5);
}

/// Readings that were there before rollups were: nothing is kept of them until they are worked off, and answers have them anyway.
pub async fn what_was_there_before_is_worked_off_in_parts(backend: Arc<Backend>) {
    let mut plant = planted(&backend).await;
    let first: Instant = "2012-01-01T00:00:00Z".parse().expect("a moment");
    let values: Vec<(Instant, f64)> =
        (0..1_200).map(|n| (Instant::from_micros(first.as_micros() + n * DAY + 7), n as f64)).collect();
    send(&plant.farm, values.iter().map(|(at, value)| row(200, *at, *value)).collect()).await;
    plant.sent.insert(200, values.into_iter().collect());
    let database = Database::connect(&plant.farm.database.url).await.expect("a connection");
    let as_before = [
        "DELETE FROM rollup_marks",
        "INSERT INTO rollup_marks (organization_id, series, from_at, to_at, marked_at) \
         SELECT organization_id, id, 0, 9223372036854775807, 0 FROM series",
    ];
    for sql in as_before {
        database.execute_unprepared(sql).await.expect("changed");
    }
    let mut random = random();
    let mut transactions = 0;
    while plant.farm.platform.rollups().redo_some(&superuser(), org()).await.expect("redone") {
        transactions += 1;
        plant.ask(&mut random).await;
    }
    assert!((6..=8).contains(&transactions), "{transactions} transactions for 1,200 days");
    plant.look_at_what_is_kept().await;
    // What is left behind without a job is found by sweeping; what is not, is not.
    assert_eq!(plant.farm.platform.rollups().sweep_marks(&superuser()).await.expect("swept"), 0);
    send(&plant.farm, vec![row(200, first, 5.0)]).await;
    assert_eq!(plant.farm.platform.rollups().sweep_marks(&superuser()).await.expect("swept"), 0);
    database.execute_unprepared("UPDATE rollup_marks SET marked_at = 0").await.expect("changed");
    assert_eq!(plant.farm.platform.rollups().sweep_marks(&superuser()).await.expect("swept"), 1);
    // A batch that changes nothing marks nothing.
    redo_all(&plant.farm).await;
    send(&plant.farm, vec![row(200, first, 5.0), row(200, first, 6.0)]).await;
    assert!(!plant.farm.platform.rollups().redo_some(&superuser(), org()).await.expect("nothing to do"));
}

#[expect(clippy::disallowed_methods, reason = "it is the only writer when it begins")]
async fn transaction_of_another(farm: &Farm) -> DatabaseTransaction {
    let database = Database::connect(&farm.database.url).await.expect("a connection");
    database.begin().await.expect("a transaction")
}

/// Of two that delete the same readings neither ends before these are gone, whoever of them deletes which.
pub async fn whoever_deletes_ends_when_all_is_gone(backend: Arc<Backend>) {
    let plant = planted(&backend).await;
    let first: Instant = "2014-06-01T00:00:00Z".parse().expect("a moment");
    // More than goes in one transaction.
    let moments: Vec<Instant> =
        (0..12_000).map(|n| Instant::from_micros(first.as_micros() + n * MINUTE)).collect();
    for chunk in moments.chunks(6_000) {
        send(&plant.farm, chunk.iter().map(|at| row(200, *at, 1.0)).collect()).await;
    }
    let job = DeleteReadings {
        organization_id: org(),
        module_id: id(200),
        metric_id: None,
        from: first.as_micros(),
        to: first.as_micros() + 30 * DAY,
    };
    // Another one has deleted the first part, and commits while this one waits for its rows.
    let other = transaction_of_another(&plant.farm).await;
    let part = format!("DELETE FROM readings WHERE at < {}", moments[10_000].as_micros());
    assert_eq!(other.execute_unprepared(&part).await.expect("deleted").rows_affected(), 10_000);
    let readings = plant.farm.platform.readings();
    let deleting = async {
        let mut deleted = 0;
        loop {
            match readings.delete_some(&superuser(), &job).await.expect("deleted") {
                0 => return deleted,
                some => deleted += some,
            }
        }
    };
    let committing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.commit().await.expect("committed");
    };
    let (deleted, ()) = tokio::join!(deleting, committing);
    assert_eq!(deleted, 2_000);
    assert_eq!(readings.count_to_delete(&superuser(), &job).await.expect("a count"), 0);
}

/// Marks that another worker has in hand come back if it fails: whoever finds no others waits for them.
pub async fn marks_that_are_given_back_are_worked_off(backend: Arc<Backend>) {
    let plant = planted(&backend).await;
    send(&plant.farm, vec![row(200, "2014-06-01T00:00:00Z".parse().expect("a moment"), 1.0)]).await;
    let other = transaction_of_another(&plant.farm).await;
    let taken = other.execute_unprepared("DELETE FROM rollup_marks").await.expect("taken");
    assert_eq!(taken.rows_affected(), 1);
    let (rollups, by) = (plant.farm.platform.rollups(), superuser());
    let failing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.rollback().await.expect("given back");
    };
    let (redone, ()) = tokio::join!(rollups.redo_some(&by, org()), failing);
    assert!(redone.expect("an answer"), "it worked some off");
    assert_eq!(listed(&plant.farm, 200, Grain::Day, 10).await.len(), 1);
}
