//! What a reader sees, in words: the same for the page and the document, which only lay it out.

use sitewatch_domain::reports::{
    Comparison, Headline, MetricContent, ModuleContent, PeriodKind, ReportContent, SiteContent,
};

use super::{
    chart::{self, Chart},
    number::{self, Decimals, Number, Rounding},
    text,
};

/// The most modules that stand beside each other in a table by time, and together in a chart.
const SIDE_BY_SIDE: usize = 6;

/// A report in words.
pub(super) struct View {
    pub(super) title: String,
    pub(super) organization: String,
    pub(super) period: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) notes: Vec<&'static str>,
    pub(super) tiles: Vec<Tile>,
    pub(super) overview: Option<Table>,
    pub(super) sites: Vec<SiteView>,
}

/// A number that is seen first.
pub(super) struct Tile {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) unit: String,
    pub(super) detail: String,
}

/// The section of a site.
pub(super) struct SiteView {
    pub(super) name: String,
    pub(super) notes: Vec<&'static str>,
    pub(super) tiles: Vec<Tile>,
    pub(super) figures: Table,
    pub(super) charts: Vec<Chart>,
    pub(super) modules: Table,
    pub(super) gaps: Table,
    pub(super) by_time: Vec<Table>,
}

/// A table.
pub(super) struct Table {
    pub(super) title: String,
    /// What stands below the title, or alone if there are no rows.
    pub(super) remark: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
}

/// A column of a table.
pub(super) struct Column {
    pub(super) title: String,
    /// Whether it stands to the right.
    pub(super) is_number: bool,
    /// Its share of the width, in relation to the others.
    pub(super) weight: f32,
}

/// A row of a table.
pub(super) enum Row {
    /// A heading for the rows below.
    Group(String),
    /// One cell a column.
    Cells(Vec<String>),
    /// The same for what sums up.
    Total(Vec<String>),
}

/// One metric with all modules of a site that have it.
pub(super) struct MetricGroup<'a> {
    pub(super) first: &'a MetricContent,
    pub(super) members: Vec<(&'a ModuleContent, &'a MetricContent)>,
}

impl MetricGroup<'_> {
    /// The metrics of a site, in the order in which they first appear.
    pub(super) fn all(site: &SiteContent) -> Vec<MetricGroup<'_>> {
        let mut groups: Vec<MetricGroup<'_>> = Vec::new();
        for module in &site.modules {
            for metric in &module.metrics {
                let is_same = |group: &&mut MetricGroup<'_>| {
                    group.first.key == metric.key
                        && group.first.unit == metric.unit
                        && group.first.kind == metric.kind
                };
                match groups.iter_mut().find(is_same) {
                    Some(group) => group.members.push((module, metric)),
                    None => groups.push(MetricGroup { first: metric, members: vec![(module, metric)] }),
                }
            }
        }
        groups
    }
}

impl View {
    /// Puts a report into words.
    pub(super) fn of(content: &ReportContent) -> Self {
        let zone = content.period.zone();
        let facts = vec![
            ("Organization", text::visible(&content.organization)),
            ("Period", text::range(content.period.range(), zone)),
            ("Compared with", text::period_title(&content.period.previous())),
            ("Made", format!("{}, {zone}", zone.local(content.made_at))),
        ];
        let modules: usize = content.sites.iter().map(|site| site.modules.len()).sum();
        let tiles = vec![
            count_tile("Sites", content.sites.len(), String::new()),
            count_tile("Modules", modules, String::new()),
            coverage_tile(content.coverage()),
        ];
        Self {
            title: text::visible(&content.title),
            organization: text::visible(&content.organization),
            period: text::period_title(&content.period),
            facts,
            notes: content.notes.iter().map(|note| note.text()).collect(),
            tiles,
            overview: (content.sites.len() > 1).then(|| overview(content)),
            sites: content.sites.iter().map(|site| SiteView::of(site, content)).collect(),
        }
    }
}

fn overview(content: &ReportContent) -> Table {
    let row = |site: &SiteContent| {
        let totals: Vec<String> = site
            .totals
            .iter()
            .map(|total| {
                let value = Number::new(total.value, Decimals::for_magnitude(total.value));
                format!("{}: {} {}", text::visible(&total.name), value.grouped(), text::unit(&total.unit))
            })
            .collect();
        Row::Cells(vec![
            text::visible(&site.name),
            site.modules.len().to_string(),
            coverage_cell(site.coverage),
            text::moment(site.last_reading_at, content.period.zone()),
            if totals.is_empty() { text::NOTHING.to_owned() } else { totals.join(", ") },
        ])
    };
    Table {
        title: "Sites".into(),
        remark: String::new(),
        columns: vec![
            Column::words("Site", 3.0),
            Column::numbers("Modules", 1.0),
            Column::numbers("Coverage", 1.0),
            Column::words("Last reading", 1.8),
            Column::words("Totals", 3.2),
        ],
        rows: content.sites.iter().map(row).collect(),
    }
}

impl SiteView {
    fn of(site: &SiteContent, content: &ReportContent) -> Self {
        let groups = MetricGroup::all(site);
        let with_readings =
            site.modules.iter().filter(|module| module.metrics.iter().any(|metric| metric.figures.is_some()));
        let detail = format!("{} with readings", with_readings.count());
        let previous = content.period.previous().label();
        let mut tiles: Vec<Tile> = site
            .totals
            .iter()
            .take(2)
            .map(|total| Tile {
                label: format!("{}: {}", text::visible(&total.name), total.headline.name()),
                value: Number::new(total.value, Decimals::for_magnitude(total.value)).grouped(),
                unit: text::unit(&total.unit),
                detail: total.comparison.as_ref().and_then(number::change_percent).map_or_else(
                    || format!("nothing to compare with in {previous}"),
                    |percent| format!("{} % against {previous}", percent.signed()),
                ),
            })
            .collect();
        tiles.push(coverage_tile(site.coverage));
        tiles.push(count_tile("Modules", site.modules.len(), detail));
        Self {
            name: text::visible(&site.name),
            notes: site.notes.iter().map(|note| note.text()).collect(),
            tiles,
            figures: figures(site, &groups, &previous),
            charts: groups.iter().flat_map(|group| charts(group, content)).collect(),
            modules: modules(site, content),
            gaps: gaps(site, content),
            by_time: groups.iter().flat_map(|group| by_time(group, content.period.kind())).collect(),
        }
    }
}

fn figures(site: &SiteContent, groups: &[MetricGroup<'_>], previous: &str) -> Table {
    let mut rows = Vec::new();
    for group in groups {
        rows.push(Row::Group(text::with_unit(&group.first.name, &group.first.unit)));
        rows.extend(group.members.iter().map(|(module, metric)| Row::Cells(figure_cells(module, metric))));
        let headline = group.first.headline;
        let unit = headline.unit(&group.first.unit);
        let is_of_group = |total: &&sitewatch_domain::reports::SiteTotal| {
            total.key == group.first.key && total.headline == headline && total.unit == unit
        };
        if let Some(total) = site.totals.iter().find(is_of_group).filter(|_| group.members.len() > 1) {
            let decimals = Decimals::for_magnitude(total.value);
            let value = Number::new(total.value, decimals).grouped();
            let nothing = || String::new();
            rows.push(Row::Total(vec![
                "All modules".into(),
                nothing(),
                nothing(),
                nothing(),
                nothing(),
                format!("{value} {}", text::unit(unit)),
                change_cell(total.comparison.as_ref(), decimals),
                nothing(),
            ]));
        }
    }
    Table {
        title: "Figures of the period".into(),
        remark: format!(
            "Total: the energy of what is power, the increase of what is a counter. \
             Change: of the total, else of the mean, against {previous}."
        ),
        columns: vec![
            Column::words("Module", 2.4),
            Column::numbers("Readings", 1.0),
            Column::numbers("Mean", 1.1),
            Column::numbers("Min", 1.1),
            Column::numbers("Max", 1.1),
            Column::numbers("Total", 1.7),
            Column::numbers("Change", 2.2),
            Column::numbers("Coverage", 1.0),
        ],
        rows,
    }
}

fn figure_cells(module: &ModuleContent, metric: &MetricContent) -> Vec<String> {
    let rounding = Rounding::of(metric);
    let nothing = || text::NOTHING.to_owned();
    let level = |of: fn(&sitewatch_domain::reports::Figures) -> f64| {
        metric.figures.as_ref().map_or_else(nothing, |figures| rounding.level(of(figures)).grouped())
    };
    let total = metric.figures.as_ref().filter(|_| metric.headline != Headline::Mean);
    let total = total.and_then(|figures| metric.headline.of(figures));
    let total_unit = text::unit(metric.headline.unit(&metric.unit));
    vec![
        text::visible(&module.name),
        number::count(metric.figures.map_or(0, |figures| figures.readings)).grouped(),
        level(|figures| figures.mean),
        level(|figures| figures.min),
        level(|figures| figures.max),
        total.map_or_else(nothing, |total| format!("{} {total_unit}", rounding.headline(total).grouped())),
        change_cell(metric.comparison.as_ref(), rounding.headline_decimals()),
        coverage_cell(metric.coverage),
    ]
}

fn change_cell(comparison: Option<&Comparison>, decimals: Decimals) -> String {
    let Some(comparison) = comparison else { return text::NOTHING.to_owned() };
    let change = Number::new(comparison.change, decimals).signed();
    match number::change_percent(comparison) {
        Some(percent) => format!("{change} ({} %)", percent.signed()),
        None => change,
    }
}

fn modules(site: &SiteContent, content: &ReportContent) -> Table {
    let row = |module: &ModuleContent| {
        let longest = module.gaps.first().map(|gap| text::duration(gap.to.since(gap.from)));
        Row::Cells(vec![
            text::visible(&module.name),
            module.serial_number.as_deref().map_or_else(|| text::NOTHING.to_owned(), text::visible),
            coverage_cell(module.coverage),
            text::moment(module.last_reading_at, content.period.zone()),
            longest.unwrap_or_else(|| "none".to_owned()),
        ])
    };
    Table {
        title: "Modules".into(),
        remark: String::new(),
        columns: vec![
            Column::words("Module", 3.0),
            Column::words("Serial number", 2.5),
            Column::numbers("Coverage", 1.0),
            Column::words("Last reading", 2.0),
            Column::numbers("Longest gap", 1.5),
        ],
        rows: site.modules.iter().map(row).collect(),
    }
}

fn gaps(site: &SiteContent, content: &ReportContent) -> Table {
    let zone = content.period.zone();
    let rows = site.modules.iter().flat_map(|module| {
        module.gaps.iter().map(|gap| {
            Row::Cells(vec![
                text::visible(&module.name),
                zone.local(gap.from).to_string(),
                zone.local(gap.to).to_string(),
                text::duration(gap.to.since(gap.from)),
            ])
        })
    });
    let rows: Vec<Row> = rows.collect();
    let remark = if rows.is_empty() {
        "No module was silent for two of its intervals or longer."
    } else {
        "The longest stretches without any reading, at most five a module, of two of its intervals or longer."
    };
    Table {
        title: "Gaps".into(),
        remark: remark.into(),
        columns: vec![
            Column::words("Module", 3.0),
            Column::words("From", 2.0),
            Column::words("To", 2.0),
            Column::numbers("Length", 1.5),
        ],
        rows,
    }
}

/// One table a handful of modules: the headline of each hour or day.
fn by_time(group: &MetricGroup<'_>, kind: PeriodKind) -> Vec<Table> {
    let (step, heading) = if kind == PeriodKind::Day { ("hour", "Hour") } else { ("day", "Day") };
    let headline = group.first.headline;
    let title = format!(
        "{}: {} by {step}",
        text::with_unit(&group.first.name, headline.unit(&group.first.unit)),
        headline.name(),
    );
    let table = |members: &[(&ModuleContent, &MetricContent)]| {
        let names = members
            .iter()
            .map(|(module, _)| Column::numbers(&text::shortened(&text::visible(&module.name), 40), 1.0));
        let metrics: Vec<(&MetricContent, Rounding)> =
            members.iter().map(|(_, metric)| (*metric, Rounding::of(metric))).collect();
        let cell = |figures: Option<&sitewatch_domain::reports::Figures>, rounding: Rounding| {
            let value = figures.and_then(|figures| headline.of(figures));
            value.map_or_else(|| text::NOTHING.to_owned(), |value| rounding.headline(value).grouped())
        };
        let labels = group.first.slices.iter().map(|slice| slice.label.as_str()).enumerate();
        let mut rows: Vec<Row> = labels
            .map(|(index, label)| {
                let cells = metrics.iter().map(|(metric, rounding)| {
                    cell(metric.slices.get(index).and_then(|slice| slice.figures.as_ref()), *rounding)
                });
                Row::Cells(std::iter::once(label.to_owned()).chain(cells).collect())
            })
            .collect();
        let whole = metrics.iter().map(|(metric, rounding)| cell(metric.figures.as_ref(), *rounding));
        rows.push(Row::Total(std::iter::once("Period".to_owned()).chain(whole).collect()));
        Table {
            title: title.clone(),
            remark: String::new(),
            columns: std::iter::once(Column::words(heading, 1.0)).chain(names).collect(),
            rows,
        }
    };
    with_readings(group).chunks(SIDE_BY_SIDE).map(table).collect()
}

fn charts(group: &MetricGroup<'_>, content: &ReportContent) -> Vec<Chart> {
    let members = with_readings(group);
    let groups = members.chunks(SIDE_BY_SIDE);
    let all = groups.len();
    groups
        .enumerate()
        .map(|(number, members)| {
            let part = if all > 1 { format!(", {} of {all}", number + 1) } else { String::new() };
            let title = text::with_unit(&group.first.name, &group.first.unit) + &part;
            chart::of(title, members, &content.period)
        })
        .collect()
}

/// The modules that have something to show; a table or chart of nothing is left out.
fn with_readings<'a>(group: &MetricGroup<'a>) -> Vec<(&'a ModuleContent, &'a MetricContent)> {
    group.members.iter().copied().filter(|(_, metric)| metric.figures.is_some()).collect()
}

fn count_tile(label: &str, count: usize, detail: String) -> Tile {
    Tile { label: label.into(), value: count.to_string(), unit: String::new(), detail }
}

fn coverage_tile(coverage: sitewatch_domain::reports::Coverage) -> Tile {
    let (arrived, expected) = (number::count(coverage.arrived), number::count(coverage.expected));
    let percent = number::percent(coverage);
    Tile {
        label: "Coverage".into(),
        unit: percent.as_ref().map_or("", |_| "%").into(),
        value: percent.map_or_else(|| text::NOTHING.to_owned(), |percent| percent.grouped()),
        detail: format!("{} of {} expected readings", arrived.grouped(), expected.grouped()),
    }
}

fn coverage_cell(coverage: sitewatch_domain::reports::Coverage) -> String {
    number::percent(coverage)
        .map_or_else(|| text::NOTHING.to_owned(), |percent| format!("{} %", percent.grouped()))
}

impl Column {
    fn words(title: &str, weight: f32) -> Self {
        Self { title: title.into(), is_number: false, weight }
    }

    fn numbers(title: &str, weight: f32) -> Self {
        Self { title: title.into(), is_number: true, weight }
    }
}
