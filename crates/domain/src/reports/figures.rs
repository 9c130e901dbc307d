//! The figures of a report, read as its owner may see them: by the questions that the API answers, so that the numbers are
//! the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    BucketFigures, MetricFigures, MetricLabel, ModuleFigures, Period, Report, Scope, SeriesFigures,
    SiteFigures, Subject, presence_of,
};
use crate::{
    access::{Actor, Grant, ReadModules, ReadOrganizations, ReadReadings, ReadSites, Role},
    error::Error,
    ids::{MetricId, ModuleId, OrgId, SiteId},
    metrics::MetricKind,
    modules::{Module, ModuleFilter},
    page::{Direction, Inactive, Listing, MAX_REACH, PageRequest},
    platform::Platform,
    ports::{Reader, StoreError},
    readings::{Aggregate, QueryTarget, SeriesId, TelemetryQuery, Values},
    sites::{Site, SiteFilter, SiteSort},
    time::{Instant, Interval, TimeRange},
};

/// The most metrics of modules that a report can be about.
pub const MAX_SERIES: usize = 2_000;
/// Series of one question, as many as the API answers.
const SERIES_AT_ONCE: usize = 100;
/// Modules of one statement.
const MODULES_AT_ONCE: usize = 500;
/// Hours of a month, and some.
const MOST_BUCKETS: usize = 1_000;
/// Figures come by the hour: energy is the sum of the hours' means.
const STEP: Interval = Interval::Hours(1);
/// Modules that somebody sees without seeing their site.
const WITHOUT_SITE: &str = "Single modules";

/// Why there is no content.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// There never will be; the reason is for the report's owner.
    Impossible(String),
    /// There may be later.
    Error(Error),
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        Self::Error(error.into())
    }
}

/// What a report is made from, and the modules that it is about.
pub(super) async fn gather(
    platform: &Platform,
    owner: &Actor,
    report: &Report,
    period: &Period,
) -> Result<(Subject, Vec<ModuleId>), Obstacle> {
    let org = report.organization_id;
    let reader = platform.read(owner).await?;
    let left =
        || Obstacle::Impossible("the report's owner is no member of the organization any more".to_owned());
    let organizations = owner.grant_within::<ReadOrganizations>(org).map_err(|_| left())?;
    let Some(organization) = reader.find_organization(&organizations, org).await? else {
        return Err(Obstacle::Impossible("the organization is archived".to_owned()));
    };
    let modules = modules_of(&reader, owner, report).await?;
    let sites = sites_of(&reader, owner, report, &modules).await?;
    let readings = owner.grant_within::<ReadReadings>(org)?;
    let series = SeriesOf::find(&reader, &readings, &modules).await?;
    let figures = Figures::read(platform, owner, &reader, &readings, &series, period).await?;
    let ids = modules.iter().map(|module| module.id).collect();
    let subject = Subject {
        title: report.name.clone(),
        organization: organization.name,
        period: period.clone(),
        made_at: platform.now(),
        only_assigned: owner.standing().is_some_and(|standing| !standing.is_superuser)
            && owner.role_in(org) != Some(Role::Admin),
        sites: grouped(sites, modules, &series, &figures),
    };
    Ok((subject, ids))
}

/// The modules of the scope that the owner sees, by site and name.
async fn modules_of(reader: &Reader, owner: &Actor, report: &Report) -> Result<Vec<Module>, Obstacle> {
    let grant: Grant<ReadModules> = owner.grant_within(report.organization_id)?;
    let sites = match report.scope {
        Scope::Module(id) => return Ok(reader.find_module(&grant, id).await?.into_iter().collect()),
        Scope::Site(id) => vec![id],
        Scope::Organization => Vec::new(),
    };
    let filter = ModuleFilter { sites, ..ModuleFilter::default() };
    let limit = u32::try_from(MAX_SERIES).unwrap_or(u32::MAX).saturating_add(1);
    let modules = reader.list_modules_of_sites(&grant, &filter, limit).await?;
    if modules.len() > MAX_SERIES { Err(too_large(modules.len())) } else { Ok(modules) }
}

/// The sites of the scope that the owner sees, by name.
async fn sites_of(
    reader: &Reader,
    owner: &Actor,
    report: &Report,
    modules: &[Module],
) -> Result<Vec<Site>, Obstacle> {
    let grant: Grant<ReadSites> = owner.grant_within(report.organization_id)?;
    let one = match report.scope {
        Scope::Site(id) => Some(id),
        Scope::Module(_) => modules.first().map(|module| module.site_id),
        Scope::Organization => return all_sites(reader, &grant, report.organization_id).await,
    };
    let Some(id) = one else { return Ok(Vec::new()) };
    Ok(reader.find_site(&grant, id).await?.into_iter().collect())
}

async fn all_sites(reader: &Reader, grant: &Grant<ReadSites>, org: OrgId) -> Result<Vec<Site>, Obstacle> {
    const A_PAGE: u32 = 100;
    let mut sites = Vec::new();
    for number in 1..=MAX_REACH / A_PAGE {
        let listing = Listing {
            filter: SiteFilter { organization: Some(org), ..SiteFilter::default() },
            search: None,
            sort: vec![(SiteSort::Name, Direction::Ascending)],
            page: PageRequest::new(number, A_PAGE).map_err(Error::from)?,
            inactive: Inactive::Hidden,
            total: None,
        };
        let page = reader.list_sites(grant, &listing).await?;
        let is_last = page.items.len() < usize::try_from(A_PAGE).unwrap_or(usize::MAX);
        sites.extend(page.items);
        if is_last {
            break;
        }
    }
    Ok(sites)
}

fn too_large(found: usize) -> Obstacle {
    Obstacle::Impossible(format!(
        "the report would be about at least {found} metrics of modules, and one can hold {MAX_SERIES}: choose a site or a module"
    ))
}

/// A metric of a module.
struct Series {
    key: String,
    unit: String,
    metric: MetricId,
    id: Option<SeriesId>,
}

/// The metrics of each module, and what they are called.
struct SeriesOf {
    by_module: BTreeMap<ModuleId, Vec<Series>>,
    labels: HashMap<MetricId, MetricLabel>,
}

impl SeriesOf {
    async fn find(
        reader: &Reader,
        grant: &Grant<ReadReadings>,
        modules: &[Module],
    ) -> Result<Self, Obstacle> {
        let ids: Vec<ModuleId> = modules.iter().map(|module| module.id).collect();
        let mut by_module = BTreeMap::new();
        for some in ids.chunks(MODULES_AT_ONCE) {
            for target in reader.find_query_targets(grant, some).await? {
                by_module.insert(target.module_id, series_of(target));
            }
        }
        let found = by_module.values().map(Vec::len).sum();
        if found > MAX_SERIES {
            return Err(too_large(found));
        }
        let metrics: BTreeSet<MetricId> = by_module.values().flatten().map(|series| series.metric).collect();
        let metrics: Vec<MetricId> = metrics.into_iter().collect();
        let labels = reader.find_metric_labels(grant, &metrics).await?;
        Ok(Self { by_module, labels: labels.into_iter().map(|label| (label.id, label)).collect() })
    }

    fn kind(&self, metric: MetricId) -> MetricKind {
        self.labels.get(&metric).map_or(MetricKind::Gauge, |label| label.kind)
    }

    fn ids(&self, wanted: impl Fn(MetricKind) -> bool) -> Vec<SeriesId> {
        let all = self.by_module.values().flatten();
        all.filter(|series| wanted(self.kind(series.metric))).filter_map(|series| series.id).collect()
    }
}

/// Each key once: the active one of several metrics comes first.
fn series_of(target: QueryTarget) -> Vec<Series> {
    let mut keys = BTreeSet::new();
    let mut series: Vec<Series> = target
        .metrics
        .into_iter()
        .filter(|(metric, _, _)| keys.insert(metric.key.clone()))
        .map(|(metric, unit, id)| Series { key: metric.key, unit, metric: metric.id, id })
        .collect();
    series.sort_by(|one, other| one.key.cmp(&other.key));
    series
}

type ByKey = HashMap<(ModuleId, String), Vec<BucketFigures>>;

/// All that is read of the readings.
struct Figures {
    current: ByKey,
    previous: ByKey,
    /// The last readings before the end of the period.
    last: HashMap<SeriesId, (Instant, f64)>,
    /// Those of counters before the beginning of the period, and of the one before.
    levels: [HashMap<SeriesId, (Instant, f64)>; 2],
}

impl Figures {
    async fn read(
        platform: &Platform,
        owner: &Actor,
        reader: &Reader,
        grant: &Grant<ReadReadings>,
        series: &SeriesOf,
        period: &Period,
    ) -> Result<Self, Obstacle> {
        let before = period.previous();
        let (all, counters) = (series.ids(|_| true), series.ids(|kind| kind == MetricKind::Counter));
        Ok(Self {
            current: buckets(platform, owner, series, period).await?,
            previous: buckets(platform, owner, series, &before).await?,
            last: last_before(reader, grant, &all, period.range().to).await?,
            levels: [
                last_before(reader, grant, &counters, period.range().from).await?,
                last_before(reader, grant, &counters, before.range().from).await?,
            ],
        })
    }
}

async fn last_before(
    reader: &Reader,
    grant: &Grant<ReadReadings>,
    series: &[SeriesId],
    before: Instant,
) -> Result<HashMap<SeriesId, (Instant, f64)>, Obstacle> {
    let mut last = HashMap::with_capacity(series.len());
    for some in series.chunks(SERIES_AT_ONCE) {
        let rows = reader.read_last_before(grant, some, before).await?;
        last.extend(rows.into_iter().map(|(series, at, value)| (series, (at, value))));
    }
    Ok(last)
}

/// The figures of each hour of a period that has readings.
async fn buckets(
    platform: &Platform,
    owner: &Actor,
    series: &SeriesOf,
    period: &Period,
) -> Result<ByKey, Obstacle> {
    let TimeRange { from, to } = period.range();
    let bounds = STEP.buckets(period.range(), period.zone(), MOST_BUCKETS).unwrap_or_default();
    let mut found = ByKey::new();
    for (modules, metrics) in questions(series) {
        let question = TelemetryQuery {
            modules,
            metrics,
            from,
            to,
            interval: Some(STEP.to_string()),
            timezone: Some(period.zone().to_string()),
            aggregates: ["count", "sum", "min", "max", "first", "last"].map(str::to_owned).into(),
        };
        for answer in platform.readings().query(owner, question).await?.series {
            let Values::Buckets(values) = answer.values else { continue };
            let column = |aggregate| {
                let columns = &values.figures;
                columns.iter().find(|(known, _)| *known == aggregate).map_or(&[][..], |(_, column)| column)
            };
            let columns = [
                column(Aggregate::Sum),
                column(Aggregate::Min),
                column(Aggregate::Max),
                column(Aggregate::First),
                column(Aggregate::Last),
            ];
            let filled = bounds.iter().zip(column(Aggregate::Count)).enumerate();
            let filled = filled.filter_map(|(index, (bucket, count))| {
                let [sum, min, max, first, last] = columns.map(|column| column.get(index).copied().flatten());
                Some(BucketFigures {
                    start: bucket.start,
                    end: bucket.end,
                    count: whole(*count),
                    sum: sum?,
                    min: min?,
                    max: max?,
                    first: first?,
                    last: last?,
                })
            });
            found.insert((answer.module_id, answer.metric), filled.collect());
        }
    }
    Ok(found)
}

/// A count, which is told as a number like any other figure.
fn whole(count: Option<f64>) -> u64 {
    count.and_then(|count| format!("{count:.0}").parse().ok()).unwrap_or(0)
}

/// Questions about all series: modules with the same metrics together, as many as one question may have.
fn questions(series: &SeriesOf) -> Vec<(Vec<ModuleId>, Vec<String>)> {
    let mut alike: BTreeMap<Vec<&str>, Vec<ModuleId>> = BTreeMap::new();
    for (module, series) in &series.by_module {
        let keys: Vec<&str> = series.iter().map(|series| series.key.as_str()).collect();
        alike.entry(keys).or_default().push(*module);
    }
    let mut questions = Vec::new();
    for (keys, modules) in alike {
        for keys in keys.chunks(SERIES_AT_ONCE) {
            let metrics: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            for modules in modules.chunks((SERIES_AT_ONCE / keys.len()).max(1)) {
                questions.push((modules.to_vec(), metrics.clone()));
            }
        }
    }
    questions
}

/// The sites with their modules. Those whose site its owner does not see come last, together. Sites without modules are left out:
/// there is nothing to tell of them, and whoever fetches the file later is asked for its modules alone.
fn grouped(sites: Vec<Site>, modules: Vec<Module>, series: &SeriesOf, figures: &Figures) -> Vec<SiteFigures> {
    let mut by_site: BTreeMap<Option<SiteId>, Vec<ModuleFigures>> = BTreeMap::new();
    for module in modules {
        let site = sites.iter().map(|site| site.id).find(|id| *id == module.site_id);
        by_site.entry(site).or_default().push(module_figures(module, series, figures));
    }
    let mut groups: Vec<SiteFigures> = Vec::with_capacity(sites.len());
    for site in sites {
        if let Some(modules) = by_site.remove(&Some(site.id)) {
            groups.push(SiteFigures { name: site.name, modules });
        }
    }
    let single = by_site.remove(&None);
    groups.extend(single.map(|modules| SiteFigures { name: WITHOUT_SITE.to_owned(), modules }));
    groups
}

fn module_figures(module: Module, series: &SeriesOf, figures: &Figures) -> ModuleFigures {
    let own = series.by_module.get(&module.id).map_or(&[][..], Vec::as_slice);
    let metrics: Vec<MetricFigures> = own
        .iter()
        .map(|one| {
            let key = (module.id, one.key.clone());
            let level = |levels: &HashMap<SeriesId, (Instant, f64)>| {
                one.id.and_then(|id| levels.get(&id)).map(|(_, value)| *value)
            };
            let of = |buckets: &ByKey, levels| SeriesFigures {
                buckets: buckets.get(&key).cloned().unwrap_or_default(),
                level_before: level(levels),
            };
            let [now, before] = &figures.levels;
            MetricFigures {
                key: one.key.clone(),
                name: series
                    .labels
                    .get(&one.metric)
                    .map_or_else(|| one.key.clone(), |label| label.name.clone()),
                unit: one.unit.clone(),
                kind: series.kind(one.metric),
                last_reading_at: one.id.and_then(|id| figures.last.get(&id)).map(|(at, _)| *at),
                current: of(&figures.current, now),
                previous: of(&figures.previous, before),
            }
        })
        .collect();
    ModuleFigures {
        name: module.name,
        serial_number: module.serial_number,
        expected_interval: module.rhythm.expected_interval(),
        presence: presence_of(&metrics),
        metrics,
    }
}
