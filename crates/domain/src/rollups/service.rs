use std::{collections::BTreeMap, time::Duration};

use super::{
    Grain, RedoRollups, Rollup, RollupFilter, RollupKey, RollupOf, RollupScope, SeriesName, Verified,
    plan::{EVERYTHING, Marked, clipped, is_long, portion, stretches, united},
    verify::{Difference, differences},
};
use crate::{
    access::{Actor, Author, Grant, PlatformGrant, ReadReadings, RunJobs},
    audit::Audit,
    error::Error,
    ids::{ModuleId, OrgId, SiteId},
    jobs::{When, planned},
    page::{Inactive, Slice, SliceRequest},
    platform::Platform,
    ports::{Reader, Tx},
    readings::SeriesId,
    sites::SiteIncludes,
    time::{Instant, TimeRange, Zone},
};

/// Marks of one transaction.
const MARKS: u32 = 400;
/// Days of readings that one transaction computes anew, all series together.
const DAYS: i64 = 200;
/// Series that are verified between two looks at the list.
const SERIES: u32 = 500;
/// A mark that waits longer has been left behind; jobs begin within a second or two.
const LEFT_BEHIND: Duration = Duration::from_secs(30);
/// How long a job waits for more of what it stands for.
const GATHERING: Duration = Duration::from_secs(1);

const FOLLOWING: Audit = Audit::none("rollups follow from readings");

/// How rollups are asked for.
#[derive(Debug, Clone)]
pub struct RollupRequest {
    /// The length of the buckets.
    pub grain: Grain,
    /// Only metrics with this key.
    pub metric: Option<String>,
    /// Buckets that start at this moment or later; from the beginning if not given.
    pub from: Option<Instant>,
    /// Buckets that start before this moment; to the end if not given.
    pub to: Option<Instant>,
    /// Which slice.
    pub slice: SliceRequest,
}

/// Use cases of rollups.
pub struct Rollups<'a> {
    platform: &'a Platform,
}

impl<'a> Rollups<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// A slice of a module's rollups as they are kept, metric by metric, then by time.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an unknown metric, an empty range or a foreign cursor.
    pub async fn list_of_module(
        &self,
        actor: &Actor,
        module: ModuleId,
        request: &RollupRequest,
    ) -> Result<Slice<Rollup>, Error> {
        let grant = actor.grant::<ReadReadings>()?;
        let target = self.platform.read(actor).await?.find_query_targets(&grant, &[module]).await?.pop();
        let target = target.ok_or(Error::NotFound { what: "module" })?;
        let is_known = |key: &String| target.metrics.iter().any(|(metric, _, _)| metric.key == *key);
        if request.metric.as_ref().is_some_and(|key| !is_known(key)) {
            return Err(Error::invalid("metric", "is not a metric of the module's type"));
        }
        self.list(actor, &grant, RollupOf::Module(module), request).await
    }

    /// A slice of the rollups of a site's modules as they are kept, module by module and metric by metric, then by time.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an empty range or a foreign cursor.
    pub async fn list_of_site(
        &self,
        actor: &Actor,
        site: SiteId,
        request: &RollupRequest,
    ) -> Result<Slice<Rollup>, Error> {
        let grant = actor.grant::<ReadReadings>()?;
        let seeking = actor.looking_for::<ReadReadings>()?;
        self.platform.sites().find(&seeking, site, SiteIncludes::default(), Inactive::Hidden).await?;
        self.list(actor, &grant, RollupOf::Site(site), request).await
    }

    async fn list(
        &self,
        actor: &Actor,
        grant: &Grant<ReadReadings>,
        of: RollupOf,
        request: &RollupRequest,
    ) -> Result<Slice<Rollup>, Error> {
        let RollupRequest { grain, metric, from, to, slice } = request;
        let range = TimeRange { from: from.unwrap_or(EVERYTHING.from), to: to.unwrap_or(EVERYTHING.to) };
        if range.from >= range.to {
            return Err(Error::invalid("to", "must be later than from"));
        }
        let list = format!("rollups:{of:?}:{}:{metric:?}:{from:?}:{to:?}", grain.name());
        let after: Option<RollupKey> = self.platform.open_cursor(&list, slice.cursor.as_deref())?;
        let filter = RollupFilter { of, metric: metric.as_deref(), grain: *grain, range };
        let (reader, limit) = (self.platform.read(actor).await?, slice.limit());
        let mut items = reader.list_rollups(grant, &filter, after, limit.saturating_add(1)).await?;
        let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            items.pop();
        }
        let next_cursor = match items.last().filter(|_| more) {
            Some(last) => {
                let key = RollupKey { series: last.series.0, at: last.at.as_micros() };
                Some(self.platform.seal_cursor(&list, &key)?)
            }
            None => None,
        };
        Ok(Slice { items, next_cursor })
    }

    /// Works off some marks of an organization, in one transaction. False if none is left.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Conflict(LeaseLost)`; `Unavailable`: the marks stay.
    pub async fn redo_some(&self, actor: &Actor, org: OrgId) -> Result<bool, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let marks = tx.take_marks(&grant, org, MARKS).await?;
        let has_some = !marks.is_empty();
        if has_some {
            redo(tx.as_mut(), &grant, org, united(marks)).await?;
        }
        self.platform.commit(tx, FOLLOWING).await?;
        Ok(has_some)
    }

    /// Writes the jobs for marks that nobody works off. How many organizations there were with such.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Unavailable`.
    pub async fn sweep_marks(&self, actor: &Actor) -> Result<usize, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let orgs = self.platform.read(actor).await?.list_marked(&grant, LEFT_BEHIND).await?;
        if !orgs.is_empty() {
            let mut tx = self.platform.write(actor).await?;
            enqueue_redo(self.platform, tx.as_mut(), grant.author(), orgs.clone()).await?;
            self.platform.commit(tx, FOLLOWING).await?;
        }
        Ok(orgs.len())
    }

    /// Marks everything of a scope, for jobs to redo; the organizations that it belongs to.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Unavailable`.
    pub async fn rebuild(&self, actor: &Actor, scope: RollupScope) -> Result<Vec<OrgId>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let orgs = tx.mark_all(&grant, scope).await?;
        enqueue_redo(self.platform, tx.as_mut(), grant.author(), orgs.clone()).await?;
        self.platform.commit(tx, FOLLOWING).await?;
        Ok(orgs)
    }

    /// Holds what is kept against the readings, and tells each figure that differs. What waits to be redone is left out.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Unavailable`.
    pub async fn verify(
        &self,
        actor: &Actor,
        scope: RollupScope,
        mut tell: impl FnMut(&Difference) + Send,
    ) -> Result<Verified, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let reader = self.platform.read(actor).await?;
        let (mut verified, mut after) = (Verified::default(), SeriesId(i64::MIN));
        loop {
            let rolled = reader.list_rolled(&grant, scope, after, SERIES).await?;
            let Some((last, _)) = rolled.last() else { return Ok(verified) };
            after = last.series;
            for (name, zone) in &rolled {
                verified.series += 1;
                verified.differences +=
                    verify_series(&reader, &grant, name, &zone_of(zone), &mut tell).await?;
            }
        }
    }
}

/// Tells what differs of one series, a part at a time. How much.
async fn verify_series(
    reader: &Reader,
    grant: &PlatformGrant<RunJobs>,
    name: &SeriesName,
    zone: &Zone,
    tell: &mut (impl FnMut(&Difference) + Send),
) -> Result<u64, Error> {
    let extent = reader.read_extents(grant, &[name.series]).await?.pop().map(|mark| mark.range);
    let mut left = Marked::from([(name.series, clipped(&[EVERYTHING], extent))]);
    let mut told = 0;
    while left.values().any(|ranges| !ranges.is_empty()) {
        let (now, later) = portion(left, DAYS);
        left = united(later);
        let ranges = now.get(&name.series).map(Vec::as_slice).unwrap_or_default();
        for grain in Grain::ALL {
            for stretch in stretches(name.series, ranges, *grain, zone) {
                let compared = reader.compare_rollups(grant, *grain, zone, &stretch).await?;
                for difference in compared.iter().flat_map(|compared| differences(name, *grain, compared)) {
                    told += 1;
                    tell(&difference);
                }
            }
        }
    }
    Ok(told)
}

/// Zones are checked when they are written; should one ever vanish from the database of zones, its days are those of UTC.
fn zone_of(name: &str) -> Zone {
    name.parse().unwrap_or(Zone::UTC)
}

/// Redoes what is marked, as far as one transaction goes; the rest is marked again.
async fn redo(
    tx: &mut dyn Tx,
    grant: &PlatformGrant<RunJobs>,
    org: OrgId,
    mut marked: Marked,
) -> Result<(), Error> {
    let by_zone = hold(tx, grant, &mut marked).await?;
    clip_long_ones(tx, grant, &mut marked).await?;
    let (now, later) = portion(marked, DAYS);
    // Zone by zone: buckets of one zone do not begin where those of another do.
    for (zone, series) in &by_zone {
        let zone = zone_of(zone);
        for grain in Grain::ALL {
            let of_series = |series: &SeriesId| {
                let ranges = now.get(series).map(Vec::as_slice).unwrap_or_default();
                stretches(*series, ranges, *grain, &zone)
            };
            let stretches: Vec<_> = series.iter().flat_map(of_series).collect();
            if !stretches.is_empty() {
                tx.redo_rollups(grant, *grain, &stretches).await?;
            }
        }
    }
    Ok(tx.leave_marks(grant, org, &later).await?)
}

/// Holds the series of the marks until the transaction ends; them by the zone that their hours and days are kept in from now on.
async fn hold(
    tx: &mut dyn Tx,
    grant: &PlatformGrant<RunJobs>,
    marked: &mut Marked,
) -> Result<BTreeMap<String, Vec<SeriesId>>, Error> {
    let series: Vec<SeriesId> = marked.keys().copied().collect();
    let mut by_zone: BTreeMap<String, Vec<SeriesId>> = BTreeMap::new();
    let mut rezoned: BTreeMap<String, Vec<SeriesId>> = BTreeMap::new();
    for held in tx.hold_series(grant, &series).await? {
        let zone = zone_of(&held.zone).name().to_owned();
        if held.rolled_zone.as_deref() != Some(zone.as_str()) {
            rezoned.entry(zone.clone()).or_default().push(held.series);
            if held.rolled_zone.is_some() {
                // What was kept by another calendar is no use any more, marked or not.
                marked.insert(held.series, vec![EVERYTHING]);
            }
        }
        by_zone.entry(zone).or_default().push(held.series);
    }
    for (zone, series) in rezoned {
        tx.set_rolled_zone(grant, &series, &zone_of(&zone)).await?;
    }
    Ok(by_zone)
}

/// Leaves of long stretches what there is something in.
async fn clip_long_ones(
    tx: &mut dyn Tx,
    grant: &PlatformGrant<RunJobs>,
    marked: &mut Marked,
) -> Result<(), Error> {
    let has_long = |ranges: &[TimeRange]| ranges.iter().any(|range| is_long(*range, DAYS));
    let series: Vec<SeriesId> =
        marked.iter().filter(|(_, ranges)| has_long(ranges)).map(|(series, _)| *series).collect();
    if series.is_empty() {
        return Ok(());
    }
    let extents = tx.read_extents(grant, &series).await?;
    for series in series {
        let extent = extents.iter().find(|mark| mark.series == series).map(|mark| mark.range);
        if let Some(ranges) = marked.get_mut(&series) {
            *ranges = clipped(ranges, extent);
        }
    }
    Ok(())
}

/// Writes the jobs that work off what was just marked, into the same transaction, as its last statement: whoever writes the first
/// of them holds up others of the organization until he commits.
pub(crate) async fn enqueue_redo(
    platform: &Platform,
    tx: &mut dyn Tx,
    author: &Author,
    mut orgs: Vec<OrgId>,
) -> Result<(), Error> {
    // In order, so that transactions of the same organizations wait in one order.
    orgs.sort_unstable();
    orgs.dedup();
    let job = |org: &OrgId| {
        planned(platform, author, &RedoRollups { organization_id: *org }, When::After(GATHERING))
    };
    let jobs = orgs.iter().map(job).collect::<Result<Vec<_>, _>>()?;
    if !jobs.is_empty() {
        tx.insert_jobs(&jobs).await?;
    }
    Ok(())
}
