use std::collections::HashMap;

use super::{
    BatchVerdict, BucketValues, IngestTarget, QueryAnswer, QueryTarget, RawValues, Reading, ReadingBatch,
    ReadingKey, ResolvedReading, SeriesAnswer, SeriesId, TelemetryQuery, Values,
    ingest::{Addressing, Directory, judge},
    query::{MAX_POINTS, MAX_SERIES},
};
use crate::{
    access::{Actor, Grant, ReadModules, ReadReadings, SendReadings},
    audit::Audit,
    error::{Error, FieldErrors, Rule},
    ids::{MetricId, ModuleId},
    input::{Input, checked},
    page::{Inactive, Slice, SliceRequest},
    platform::Platform,
    ports::Reader,
    rollups::{Asked, bucket_rows, enqueue_redo},
    time::{Bucket, Instant, Interval, TimeRange, Zone},
};

/// How a module's readings are asked for.
#[derive(Debug, Clone, Default)]
pub struct HistoryRequest {
    /// Only this metric, by key.
    pub metric: Option<String>,
    /// From this moment on; from the beginning if not given.
    pub from: Option<Instant>,
    /// Before this moment; to the end if not given.
    pub to: Option<Instant>,
    /// Which slice.
    pub slice: SliceRequest,
}

/// Use cases of readings.
pub struct Readings<'a> {
    pub(super) platform: &'a Platform,
}

impl<'a> Readings<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Stores a batch of one module. Good rows are kept, each bad one is named.
    ///
    /// # Errors
    /// `NotFound` if the actor cannot see the module; `Forbidden`; `Invalid` if the batch is empty, too large, or every
    /// row was rejected.
    pub async fn ingest_for(
        &self,
        actor: &Actor,
        module: ModuleId,
        input: impl Input<ReadingBatch>,
    ) -> Result<BatchVerdict, Error> {
        let actor = &actor.looking_for::<SendReadings>()?;
        let grant = actor.grant::<ReadModules>()?;
        let target = self
            .platform
            .read(actor)
            .await?
            .find_ingest_target(&grant, module)
            .await?
            .ok_or(Error::NotFound { what: "module" })?;
        actor.grant_at::<SendReadings>(&target)?;
        let batch = checked(input)?;
        self.store(actor, &batch, &Addressing::Module(&target)).await
    }

    /// Stores a batch of many modules, each named by id, serial number or external id within the actor's reach.
    ///
    /// # Errors
    /// `Forbidden` if he may send nowhere, or not to the organization that the batch names; `Invalid` as for one module.
    pub async fn ingest(
        &self,
        actor: &Actor,
        input: impl Input<ReadingBatch>,
    ) -> Result<BatchVerdict, Error> {
        let anywhere = actor.grant::<SendReadings>()?;
        let draft = input.read()?;
        let grant: Grant<SendReadings> = match draft.value.organization_id {
            None => anywhere,
            Some(org) => {
                let grant = actor.grant_within(org)?;
                let actor = actor.looking_for::<SendReadings>()?;
                self.platform.organizations().find(&actor, org, Inactive::Hidden).await?;
                grant
            }
        };
        let batch = draft.checked()?;
        let names = names_of(&batch);
        let targets: Vec<IngestTarget> = if names.is_empty() {
            Vec::new()
        } else {
            self.platform.read(actor).await?.find_ingest_targets(&grant, &names).await?
        };
        self.store(actor, &batch, &Addressing::Named(Directory::of(&targets))).await
    }

    async fn store(
        &self,
        actor: &Actor,
        batch: &ReadingBatch,
        addressing: &Addressing<'_>,
    ) -> Result<BatchVerdict, Error> {
        let now = self.platform.now();
        let judged = judge(&batch.readings, addressing, now);
        let mut verdict = judged.verdict;
        if verdict.rejects.len() == batch.readings.len() {
            self.keep_rejects(actor, &judged.rejects, now).await?;
            return Err(Error::Invalid(all_rejected(&verdict)));
        }
        let mut tx = self.platform.write(actor).await?;
        // What a device was, it may be no more by now: its module may be archived, or have left its site.
        if actor.is_device() && !tx.are_within(&actor.grant()?, &judged.batch).await? {
            return Err(Error::Conflict(Rule::ChangedMeanwhile));
        }
        let inserted = tx.insert_readings(&judged.batch, now).await?;
        if !judged.rejects.entries().is_empty() {
            tx.insert_rejects(&judged.rejects, actor.user(), now).await?;
        }
        if inserted.accepted > 0 {
            let orgs = judged.batch.readings().iter().map(ResolvedReading::organization_id).collect();
            enqueue_redo(self.platform, tx.as_mut(), actor.author(), orgs).await?;
        }
        self.platform.commit(tx, Audit::none("readings are their own record")).await?;
        verdict.accepted += inserted.accepted;
        verdict.duplicate += inserted.duplicate;
        verdict.conflict += inserted.conflict;
        let newest = judged.batch.readings().iter().map(|reading| reading.at).max();
        verdict.lag = newest.filter(|_| inserted.accepted > 0).map(|newest| now.since(newest));
        Ok(verdict)
    }

    /// A slice of a module's readings, by time, then by metric.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an unknown metric, an empty range or a foreign cursor.
    pub async fn history(
        &self,
        actor: &Actor,
        module: ModuleId,
        request: &HistoryRequest,
    ) -> Result<Slice<Reading>, Error> {
        let grant = actor.grant::<ReadReadings>()?;
        let reader = self.platform.read(actor).await?;
        let target = reader.find_query_targets(&grant, &[module]).await?.pop();
        let target = target.ok_or(Error::NotFound { what: "module" })?;
        let metric: Option<MetricId> = match &request.metric {
            Some(key) => Some(target.metric(key).ok_or_else(|| unknown_metric("metric"))?.0),
            None => None,
        };
        let range = TimeRange {
            from: request.from.unwrap_or(Instant::YEAR_2000),
            to: request.to.unwrap_or(Instant::from_micros(i64::MAX)),
        };
        if range.from >= range.to {
            return Err(Error::invalid("to", "must be later than from"));
        }
        let list = format!("readings:{module}:{metric:?}:{:?}:{:?}", request.from, request.to);
        let after: Option<ReadingKey> = self.platform.open_cursor(&list, request.slice.cursor.as_deref())?;
        let limit = request.slice.limit();
        let mut items =
            reader.list_readings(&grant, module, metric, range, after, limit.saturating_add(1)).await?;
        let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            items.pop();
        }
        let next_cursor = match items.last().filter(|_| more) {
            Some(last) => {
                let key = ReadingKey { at: last.at.as_micros(), metric: last.metric_id.uuid() };
                Some(self.platform.seal_cursor(&list, &key)?)
            }
            None => None,
        };
        Ok(Slice { items, next_cursor })
    }

    /// Answers a question about many modules and metrics: raw readings, or figures of calendar buckets.
    ///
    /// # Errors
    /// `Invalid`, also for modules that the actor cannot see, for metrics that none of them has, and for more than 100
    /// series or 100,000 points.
    pub async fn query(
        &self,
        actor: &Actor,
        input: impl Input<TelemetryQuery>,
    ) -> Result<QueryAnswer, Error> {
        let grant = actor.grant::<ReadReadings>()?;
        let query = checked(input)?;
        let reader = self.platform.read(actor).await?;
        let found = reader.find_query_targets(&grant, &query.modules).await?;
        let targets = in_order_of(&query, found)?;
        let columns = columns_of(&query, &targets)?;
        let series: Vec<SeriesId> = columns.iter().filter_map(|column| column.series).collect();
        let Some(interval) = &query.interval else {
            return raw(&reader, &grant, &query, columns, &series).await;
        };
        let interval: Interval =
            interval.parse().map_err(|error| Error::invalid("interval", format!("is {error}")))?;
        let zone = zone_of(&query, &targets)?;
        let limit = MAX_POINTS / columns.len().max(1);
        let buckets: Vec<Bucket> = interval.buckets(query.range(), &zone, limit).ok_or_else(|| {
            Error::invalid(
                "interval",
                "would give more than 100000 buckets; ask for a shorter range or longer buckets",
            )
        })?;
        let asked: Vec<Asked<'_>> = asked_of(&columns, &targets);
        let rows = bucket_rows(&reader, &grant, &asked, interval, &zone, query.range(), &buckets).await?;
        let aggregates = query.wanted_aggregates();
        let mut by_series: HashMap<SeriesId, Vec<_>> = HashMap::new();
        for row in rows {
            by_series.entry(row.series).or_default().push(row);
        }
        let answer = |column: Column| {
            let rows = column.series.and_then(|series| by_series.get(&series)).map_or(&[][..], Vec::as_slice);
            column.answer(Values::Buckets(BucketValues::of(rows, &buckets, &aggregates)))
        };
        Ok(QueryAnswer { series: columns.into_iter().map(answer).collect() })
    }
}

/// One module and metric of an answer.
struct Column {
    module_id: ModuleId,
    metric: String,
    unit: String,
    series: Option<SeriesId>,
}

impl Column {
    fn answer(self, values: Values) -> SeriesAnswer {
        SeriesAnswer { module_id: self.module_id, metric: self.metric, unit: self.unit, values }
    }
}

fn names_of(batch: &ReadingBatch) -> Vec<&str> {
    let mut names: Vec<&str> = batch
        .readings
        .iter()
        .filter_map(|row| row.module.as_ref().and_then(|name| name.as_deref().ok()))
        // Longer names than any stored one, and those that PostgreSQL cannot take, are unknown without being asked for.
        .filter(|name| name.len() <= 800 && !name.contains('\0'))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// How many rejected rows an answer names if all were rejected.
const TOLD_REJECTS: usize = 100;

fn all_rejected(verdict: &BatchVerdict) -> FieldErrors {
    let mut faults = FieldErrors::new();
    // A hundred examples say what is wrong; ten thousand would only make the answer slow to read.
    for reject in verdict.rejects.iter().take(TOLD_REJECTS) {
        faults.add(format!("readings[{}].{}", reject.index, reject.field), reject.reason);
    }
    let untold = verdict.rejects.len().saturating_sub(TOLD_REJECTS);
    if untold > 0 {
        faults.add("readings", format!("{untold} more rows were rejected than are named here"));
    }
    faults
}

fn unknown_metric(field: impl Into<String>) -> Error {
    Error::invalid(field, "is not a metric of the module's type")
}

fn in_order_of(query: &TelemetryQuery, found: Vec<QueryTarget>) -> Result<Vec<QueryTarget>, Error> {
    let mut by_id: HashMap<ModuleId, QueryTarget> =
        found.into_iter().map(|target| (target.module_id, target)).collect();
    let mut faults = FieldErrors::new();
    let mut targets = Vec::with_capacity(query.modules.len());
    for (index, module) in query.modules.iter().enumerate() {
        match by_id.remove(module) {
            Some(target) => targets.push(target),
            None => faults.add(format!("modules[{index}]"), "is not a module that you can see"),
        }
    }
    faults.into_result().map(|()| targets)
}

/// A metric that some of the modules have is left out for the others; one that none of them has is a fault.
fn columns_of(query: &TelemetryQuery, targets: &[QueryTarget]) -> Result<Vec<Column>, Error> {
    let mut faults = FieldErrors::new();
    for (index, key) in query.metrics.iter().enumerate() {
        if !targets.iter().any(|target| target.metric(key).is_some()) {
            faults.add(format!("metrics[{index}]"), "is not a metric of any of the modules");
        }
    }
    faults.into_result()?;
    let mut columns = Vec::new();
    for target in targets {
        for key in &query.metrics {
            if let Some((_, unit, series)) = target.metric(key) {
                columns.push(Column {
                    module_id: target.module_id,
                    metric: key.clone(),
                    unit: unit.to_owned(),
                    series,
                });
            }
        }
    }
    if columns.len() > MAX_SERIES {
        return Err(Error::invalid("metrics", "modules × metrics must be at most 100 series"));
    }
    Ok(columns)
}

/// The series that there are, each with the zone of its site.
fn asked_of<'t>(columns: &[Column], targets: &'t [QueryTarget]) -> Vec<Asked<'t>> {
    let asked = columns.iter().filter_map(|column| {
        let target = targets.iter().find(|target| target.module_id == column.module_id)?;
        Some(Asked { series: column.series?, zone: &target.timezone })
    });
    asked.collect()
}

fn zone_of(query: &TelemetryQuery, targets: &[QueryTarget]) -> Result<Zone, Error> {
    let shared = || {
        let (first, rest) = targets.split_first()?;
        rest.iter().all(|target| target.timezone == first.timezone).then_some(first.timezone.as_str())
    };
    let name = query.timezone.as_deref().or_else(shared).ok_or_else(|| {
        Error::invalid("timezone", "must be given, since the modules' sites are in different time zones")
    })?;
    name.parse().map_err(|error| Error::invalid("timezone", format!("is {error}")))
}

async fn raw(
    reader: &Reader,
    grant: &Grant<ReadReadings>,
    query: &TelemetryQuery,
    columns: Vec<Column>,
    series: &[SeriesId],
) -> Result<QueryAnswer, Error> {
    let limit = u32::try_from(MAX_POINTS).unwrap_or(u32::MAX);
    let points = if series.is_empty() {
        Vec::new()
    } else {
        reader.read_series(grant, series, query.range(), limit.saturating_add(1)).await?
    };
    if points.len() > MAX_POINTS {
        return Err(Error::invalid(
            "to",
            "the range holds more than 100000 readings; shorten it or give an interval",
        ));
    }
    let mut by_series: HashMap<SeriesId, RawValues> = HashMap::new();
    for (series, at, value) in points {
        let values = by_series.entry(series).or_default();
        values.at.push(at);
        values.value.push(value);
    }
    let answer = |column: Column| {
        let values = column.series.and_then(|series| by_series.remove(&series)).unwrap_or_default();
        column.answer(Values::Raw(values))
    };
    Ok(QueryAnswer { series: columns.into_iter().map(answer).collect() })
}
