//! Modules that send at random, whose calendars change and whose readings are deleted, and what they have sent as a plain list.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use sitewatch_domain::{
    ids::OrgId,
    modules::{Module, ModuleMove},
    page::SliceRequest,
    readings::{Aggregate, DeleteReadings, ReadingBatch, ReadingRow, TelemetryQuery, Values as Answered},
    rollups::{Difference, Grain, Rollup, RollupRequest, RollupScope},
    sites::SiteChanges,
    stamp::Precondition,
    time::{Instant, Interval, TimeRange, Zone},
};
use sitewatch_tests::world::Backend;

use crate::{
    farm::{A, Farm, admin_of, id, module, site, superuser},
    plain::{self, Values, is_near},
};

pub const MINUTE: i64 = 60_000_000;
pub const DAY: i64 = 1_440 * MINUTE;
/// Zones with days of 23 and 25 hours, with changes of half an hour, with quarters, with midnights that do not exist.
pub const ZONES: &[&str] =
    &["Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC"];
/// Days around which clocks change somewhere.
pub const DAYS: &[&str] = &[
    "2014-03-29T12:00:00Z",
    "2014-04-05T12:00:00Z",
    "2014-10-04T12:00:00Z",
    "2014-10-18T12:00:00Z",
    "2014-10-25T12:00:00Z",
    "2014-12-31T12:00:00Z",
];
pub const INTERVALS: &[&str] =
    &["PT1M", "PT5M", "PT15M", "PT20M", "PT30M", "PT1H", "PT2H", "PT6H", "PT12H", "P1D", "P1W", "P1M"];
pub const MODULES: &[u128] = &[200, 201, 202];
pub const SITES: &[u128] = &[100, 101, 102];

/// A generator of Knuth's: the same for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// A moment near a change of clocks, mostly on a whole minute.
    pub fn moment(&mut self) -> Instant {
        let day: Instant = self.one(DAYS).parse().expect("a day");
        let minutes = self.below(4_320) as i64 - 2_160;
        let odd = if self.below(5) == 0 { self.below(60_000_000) as i64 } else { 0 };
        Instant::from_micros(day.as_micros() + minutes * MINUTE + odd)
    }

    pub fn value(&mut self) -> f64 {
        self.below(2_000_000) as f64 / 1_000.0 - 1_000.0
    }
}

/// That of `SITEWATCH_TEST_SEED`, to do a failed run again, or a fresh one.
#[expect(clippy::disallowed_methods, reason = "a fresh seed for each run, told before anything can fail")]
#[expect(clippy::print_stderr, reason = "the seed belongs to the run's output")]
pub fn random() -> Random {
    let given = std::env::var_os("SITEWATCH_TEST_SEED");
    let seed = match given {
        Some(given) => given.to_str().and_then(|text| text.parse().ok()).expect("a number"),
        None => {
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64)
        }
    };
    eprintln!("SITEWATCH_TEST_SEED={seed}");
    Random(seed)
}

/// Three sites of A with a module each, and what the modules have sent.
pub struct Plant {
    pub farm: Farm,
    pub sent: BTreeMap<u128, Values>,
    pub zones: BTreeMap<u128, &'static str>,
    pub homes: BTreeMap<u128, u128>,
}

pub fn org() -> OrgId {
    id(A)
}

pub async fn planted(backend: &Arc<Backend>) -> Plant {
    let farm = Farm::new(backend).await;
    let mut plant = Plant { farm, sent: BTreeMap::new(), zones: BTreeMap::new(), homes: BTreeMap::new() };
    for ((number, at), zone) in MODULES.iter().zip(SITES).zip(ZONES) {
        let made =
            sitewatch_domain::sites::Site { timezone: (*zone).into(), ..site(*at, A, &format!("Site {at}")) };
        plant.farm.site(&made).await.expect("a site");
        let made = Module {
            serial_number: Some(format!("SN-{number}")),
            ..module(*number, A, *at, &format!("M{number}"))
        };
        plant.farm.module(&made).await.expect("a module");
        plant.sent.insert(*number, Values::new());
        plant.zones.insert(*at, zone);
        plant.homes.insert(*number, *at);
    }
    plant
}

pub fn row(module: u128, at: Instant, value: f64) -> ReadingRow {
    let name = id::<Module>(module).to_string();
    ReadingRow {
        module: Some(Ok(name)),
        metric: Ok("power".into()),
        at: Ok(at),
        value: Ok(value),
        shape: None,
    }
}

pub async fn send(farm: &Farm, readings: Vec<ReadingRow>) {
    let batch = ReadingBatch { organization_id: None, readings };
    farm.platform.readings().ingest(&superuser(), batch).await.expect("a verdict");
}

pub async fn redo_all(farm: &Farm) {
    while farm.platform.rollups().redo_some(&superuser(), org()).await.expect("redone") {}
}

pub async fn delete(farm: &Farm, module: u128, range: TimeRange) {
    let job = DeleteReadings {
        organization_id: org(),
        module_id: id(module),
        metric_id: None,
        from: range.from.as_micros(),
        to: range.to.as_micros(),
    };
    let readings = farm.platform.readings();
    while readings.delete_some(&superuser(), &job).await.expect("deleted") > 0 {}
}

pub async fn verified(farm: &Farm, scope: RollupScope) -> Vec<Difference> {
    let mut differences = Vec::new();
    let tell = |difference: &Difference| differences.push(difference.clone());
    let verified = farm.platform.rollups().verify(&superuser(), scope, tell).await.expect("verified");
    assert_eq!(verified.differences, differences.len() as u64);
    differences
}

pub async fn listed(farm: &Farm, module: u128, grain: Grain, limit: u32) -> Vec<Rollup> {
    let (mut rollups, mut cursor) = (Vec::new(), None);
    loop {
        let slice = SliceRequest::new(limit, cursor).expect("a slice");
        let request = RollupRequest { grain, metric: None, from: None, to: None, slice };
        let slice = farm.platform.rollups().list_of_module(&admin_of(&[A]), id(module), &request).await;
        let slice = slice.expect("a slice");
        rollups.extend(slice.items);
        cursor = slice.next_cursor;
        if cursor.is_none() {
            return rollups;
        }
    }
}

impl Plant {
    pub fn zone_of(&self, module: u128) -> &'static str {
        self.zones[&self.homes[&module]]
    }

    /// One batch: new readings, some that were there before, with the same value or another.
    pub async fn send_some(&mut self, random: &mut Random) {
        let most = if random.below(4) == 0 { 400 } else { 12 };
        let size = 1 + random.below(most);
        let mut rows = Vec::new();
        for _ in 0..size {
            let module = *random.one(MODULES);
            let known = self.sent.get_mut(&module).expect("a module");
            let repeated = match random.below(6) {
                0 if !known.is_empty() => {
                    known.keys().nth(random.below(known.len() as u64) as usize).copied()
                }
                _ => None,
            };
            let (at, value) = (repeated.unwrap_or_else(|| random.moment()), random.value());
            known.entry(at).or_insert(value);
            rows.push(row(module, at, value));
        }
        send(&self.farm, rows).await;
    }

    pub async fn delete_some(&mut self, random: &mut Random) {
        let module = *random.one(MODULES);
        let from = random.moment();
        let range = TimeRange { from, to: from.plus(Duration::from_mins(1 + random.below(3_000))) };
        delete(&self.farm, module, range).await;
        self.sent.get_mut(&module).expect("a module").retain(|at, _| !range.contains(*at));
    }

    /// Another calendar: of a site, or for a module that moves.
    pub async fn turn_the_clock(&mut self, random: &mut Random) {
        if random.below(2) == 0 {
            let (at, zone) = (*random.one(SITES), *random.one(ZONES));
            let changes = SiteChanges { timezone: Some(zone.into()), ..SiteChanges::default() };
            let sites = self.farm.platform.sites();
            sites.update(&superuser(), id(at), changes, Precondition::None).await.expect("a change");
            self.zones.insert(at, zone);
        } else {
            let (module, at) = (*random.one(MODULES), *random.one(SITES));
            let to = ModuleMove { site_id: id(at) };
            let modules = self.farm.platform.modules();
            modules.relocate(&superuser(), id(module), to, Precondition::None).await.expect("a move");
            self.homes.insert(module, at);
        }
    }

    /// A question over any range, in any zone, is answered as the plain list says.
    pub async fn ask(&self, random: &mut Random) {
        let interval: Interval = random.one(INTERVALS).parse().expect("an interval");
        let zone_name =
            if random.below(2) == 0 { self.zone_of(*random.one(MODULES)) } else { random.one(ZONES) };
        let zone: Zone = zone_name.parse().expect("a zone");
        let from = random.moment();
        let longest = if matches!(interval, Interval::Minutes(_)) { 3_000 } else { 400_000 };
        let range = TimeRange { from, to: from.plus(Duration::from_mins(1 + random.below(longest))) };
        let question = TelemetryQuery {
            modules: MODULES.iter().map(|module| id(*module)).collect(),
            metrics: vec!["power".into()],
            from: range.from,
            to: range.to,
            interval: Some(interval.to_string()),
            timezone: Some(zone_name.into()),
            aggregates: Aggregate::ALL.iter().map(|aggregate| aggregate.name().to_owned()).collect(),
        };
        let answer = self.farm.platform.readings().query(&admin_of(&[A]), question).await.expect("an answer");
        for (series, module) in answer.series.iter().zip(MODULES) {
            let Answered::Buckets(found) = &series.values else { panic!("raw values") };
            let expected = plain::answer(&self.sent[module], interval, &zone, range);
            assert_eq!(found.at.len(), expected.len());
            for (index, (at, figures)) in expected.iter().enumerate() {
                assert_eq!(found.at[index], *at);
                for (aggregate, values) in &found.figures {
                    let place = format!("{interval} {zone} {module} {at} {}", aggregate.name());
                    match (plain::figure(*aggregate, *figures), values[index]) {
                        (Some(expected), Some(found)) => {
                            assert!(is_near(expected, found), "{place}: {found} instead of {expected}");
                        }
                        (expected, found) => assert_eq!(expected, found, "{place}"),
                    }
                }
            }
        }
    }

    /// What is kept is what the plain list comes to, once all is worked off.
    pub async fn look_at_what_is_kept(&self) {
        let differences = verified(&self.farm, RollupScope::default()).await;
        assert_eq!(differences.first().map(ToString::to_string), None, "{} in all", differences.len());
        for module in MODULES {
            let zone: Zone = self.zone_of(*module).parse().expect("a zone");
            for grain in Grain::ALL {
                let expected = plain::rollups(&self.sent[module], *grain, &zone);
                let kept = listed(&self.farm, *module, *grain, 97).await;
                let starts = |rollups: &[(Instant, _)]| rollups.iter().map(|(at, _)| *at).collect::<Vec<_>>();
                let kept: Vec<_> = kept.iter().map(|rollup| (rollup.at, rollup.figures)).collect();
                assert_eq!(starts(&kept), starts(&expected), "{module} {}", grain.name());
                for ((at, kept), (_, expected)) in kept.iter().zip(&expected) {
                    assert!(is_near(kept.sum, expected.sum), "{module} {} {at}", grain.name());
                    let kept = sitewatch_domain::rollups::Figures { sum: expected.sum, ..*kept };
                    assert_eq!(kept, *expected, "{module} {} {at}", grain.name());
                }
            }
        }
    }
}
