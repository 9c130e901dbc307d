//! Reports as comma-separated values: one table, a row for each figure of a period, an hour, a day or a gap.

use sitewatch_domain::{
    reports::{
        Coverage, Figures, MetricContent, ModuleContent, Note, PeriodKind, ReportContent, SiteContent,
    },
    time::TimeRange,
};

use super::{
    number::{self, Rounding},
    text,
};

/// The first row.
const HEADER: [&str; 24] = [
    "row",
    "organization",
    "site",
    "module",
    "serial_number",
    "metric",
    "metric_name",
    "unit",
    "from",
    "to",
    "readings",
    "expected_readings",
    "coverage_percent",
    "min",
    "max",
    "mean",
    "sum",
    "energy_kwh",
    "increase",
    "previous",
    "change",
    "change_percent",
    "last_reading_at",
    "note",
];

/// The file. Times are RFC 3339 with the offset of the period's zone, numbers have a decimal point and no groups.
pub(super) fn render(content: &ReportContent, excel_bom: bool) -> Vec<u8> {
    let mut table = Table { content, text: String::from(if excel_bom { "\u{feff}" } else { "" }) };
    table.row(&HEADER.map(Cell::text));
    table.note(None, &content.notes);
    for site in &content.sites {
        table.note(Some(site), &site.notes);
        for module in &site.modules {
            for metric in &module.metrics {
                table.metric(site, module, metric);
            }
            for gap in &module.gaps {
                table.gap(site, module, *gap);
            }
        }
    }
    table.text.into_bytes()
}

/// A cell: words, which are always quoted, or a number, which never is.
enum Cell {
    Text(String),
    Number(String),
    Empty,
}

impl Cell {
    fn text(text: &str) -> Self {
        Self::Text(text::harmless(text))
    }

    fn number(number: Option<number::Number>) -> Self {
        number.map_or(Self::Empty, |number| Self::Number(number.plain().to_owned()))
    }
}

struct Table<'a> {
    content: &'a ReportContent,
    text: String,
}

/// The cells of a metric's row between who and when, and the comparison.
type FigureCells = [Cell; 9];

impl Table<'_> {
    fn metric(&mut self, site: &SiteContent, module: &ModuleContent, metric: &MetricContent) {
        let zone = self.content.period.zone().clone();
        let rounding = Rounding::of(metric);
        let comparison = metric.comparison.as_ref();
        let headline = |value: Option<f64>| Cell::number(value.map(|value| rounding.headline(value)));
        let last = metric.last_reading_at.map_or(Cell::Empty, |at| Cell::text(&zone.local(at).rfc3339()));
        let mut cells = self.whose("total", Some(site), Some(module), Some(metric));
        cells.extend(self.when(self.content.period.range()));
        cells.extend(figure_cells(metric.figures.as_ref(), metric.coverage, rounding));
        cells.extend([
            headline(comparison.map(|comparison| comparison.previous)),
            headline(comparison.map(|comparison| comparison.change)),
            Cell::number(comparison.and_then(number::change_percent)),
            last,
            Cell::Empty,
        ]);
        self.row(&cells);
        let kind = if self.content.period.kind() == PeriodKind::Day { "hour" } else { "day" };
        for slice in &metric.slices {
            let mut cells = self.whose(kind, Some(site), Some(module), Some(metric));
            cells.extend(self.when(slice.range));
            cells.extend(figure_cells(slice.figures.as_ref(), slice.coverage, rounding));
            self.row(&cells);
        }
    }

    fn gap(&mut self, site: &SiteContent, module: &ModuleContent, gap: TimeRange) {
        let mut cells = self.whose("gap", Some(site), Some(module), None);
        cells.extend(self.when(gap));
        self.row(&cells);
    }

    fn note(&mut self, site: Option<&SiteContent>, notes: &[Note]) {
        for note in notes {
            let mut cells = self.whose("note", site, None, None);
            cells.extend(self.when(self.content.period.range()));
            cells.extend((cells.len()..HEADER.len() - 1).map(|_| Cell::Empty));
            cells.push(Cell::text(note.text()));
            self.row(&cells);
        }
    }

    fn whose(
        &self,
        row: &str,
        site: Option<&SiteContent>,
        module: Option<&ModuleContent>,
        metric: Option<&MetricContent>,
    ) -> Vec<Cell> {
        let cell = |text: Option<&str>| text.map_or(Cell::Empty, Cell::text);
        vec![
            Cell::text(row),
            Cell::text(&self.content.organization),
            cell(site.map(|site| site.name.as_str())),
            cell(module.map(|module| module.name.as_str())),
            cell(module.and_then(|module| module.serial_number.as_deref())),
            cell(metric.map(|metric| metric.key.as_str())),
            cell(metric.map(|metric| metric.name.as_str())),
            cell(metric.map(|metric| metric.unit.as_str())),
        ]
    }

    fn when(&self, range: TimeRange) -> [Cell; 2] {
        let zone = self.content.period.zone();
        [range.from, range.to].map(|at| Cell::text(&zone.local(at).rfc3339()))
    }

    /// Writes a row as RFC 4180 wants it; cells that are missing at its end are empty.
    fn row(&mut self, cells: &[Cell]) {
        for position in 0..HEADER.len() {
            if position > 0 {
                self.text.push(',');
            }
            match cells.get(position) {
                Some(Cell::Text(text)) => {
                    self.text.push('"');
                    self.text.push_str(&text.replace('"', "\"\""));
                    self.text.push('"');
                }
                Some(Cell::Number(digits)) => self.text.push_str(digits),
                Some(Cell::Empty) | None => {}
            }
        }
        self.text.push_str("\r\n");
    }
}

fn figure_cells(figures: Option<&Figures>, coverage: Coverage, rounding: Rounding) -> FigureCells {
    let level = |of: fn(&Figures) -> f64| Cell::number(figures.map(|figures| rounding.level(of(figures))));
    let headline = |value: Option<f64>| Cell::number(value.map(|value| rounding.headline(value)));
    [
        Cell::number(Some(number::count(figures.map_or(0, |figures| figures.readings)))),
        Cell::number(Some(number::count(coverage.expected))),
        Cell::number(number::percent(coverage)),
        level(|figures| figures.min),
        level(|figures| figures.max),
        level(|figures| figures.mean),
        Cell::number(figures.map(|figures| rounding.sum(figures.sum))),
        headline(figures.and_then(|figures| figures.energy_kwh)),
        headline(figures.and_then(|figures| figures.increase)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn lines(content: &ReportContent) -> Vec<String> {
        let text = String::from_utf8(render(content, false)).expect("UTF-8");
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn there_is_a_row_for_each_figure_and_all_rows_are_as_long() {
        let content = sample::farm();
        let lines = lines(&content);
        let metrics: usize = content.sites[0].modules.iter().map(|module| module.metrics.len()).sum();
        let count = |row: &str| lines.iter().filter(|line| line.starts_with(&format!("\"{row}\","))).count();
        assert_eq!(count("total"), metrics);
        assert_eq!(count("day"), metrics * 31);
        assert!(count("gap") > 0);
        for line in &lines {
            assert_eq!(line.matches(',').count(), HEADER.len() - 1, "{line}");
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn words_are_quoted_and_numbers_are_not() {
        let lines = lines(&sample::farm());
        let total = lines.iter().find(|line| line.starts_with("\"total\"")).expect("a total");
        let cells: Vec<&str> = total.split(',').collect();
        assert_eq!(cells[3], "\"R80711\"");
        assert_eq!(cells[8], "\"2014-03-01T00:00:00+01:00\"");
        assert_eq!(cells[9], "\"2014-04-01T00:00:00+02:00\"");
        assert_eq!(cells[10], "570");
        assert!(
            cells[13].parse::<f64>().is_ok_and(|value| value < 0.0),
            "a negative number stays one: {}",
            cells[13]
        );
    }

    #[test]
    fn hostile_names_are_no_formulas() {
        for (name, cell) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1+2", "'-1+2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\u{fffd}=1"),
            ("\r=1", "'\u{fffd}=1"),
            ("＝1+1", "'＝1+1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠x", "'＠x"),
            ("a=b", "a=b"),
            ("../../etc/passwd", "../../etc/passwd"),
        ] {
            assert_eq!(text::harmless(name), cell);
        }
        for line in lines(&sample::hostile()) {
            for cell in line.split("\",\"").map(|cell| cell.trim_start_matches('"')) {
                assert!(!cell.starts_with(['=', '@', '＝', '\t']), "{cell} in {line}");
            }
        }
    }

    #[test]
    fn quotes_and_commas_stay_inside_of_their_cell() {
        let mut content = sample::farm();
        content.organization = "a \"b\", c".into();
        assert!(lines(&content)[1].contains("\"a \"\"b\"\", c\""));
    }

    #[test]
    fn the_mark_for_excel_is_there_when_asked_for() {
        assert!(render(&sample::empty(), true).starts_with("\u{feff}\"row\"".as_bytes()));
        assert!(render(&sample::empty(), false).starts_with(b"\"row\""));
    }

    #[test]
    fn an_empty_report_has_a_row_that_says_so() {
        let lines = lines(&sample::empty());
        assert!(lines.last().is_some_and(|line| line.ends_with("so this report is empty.\"")), "{lines:?}");
    }
}
