//! Charts that Excel draws itself, from the sheet of hours or days.

use rust_xlsxwriter::{Chart, ChartEmptyCells, ChartFont, ChartLegendPosition, ChartType, Format, Worksheet};
use sitewatch_domain::reports::{Headline, MetricContent, PeriodKind, SiteContent};

use super::super::{RenderError, text};

/// The most charts of a workbook, and the most lines of each: more make a workbook slow to open.
const MOST_CHARTS: usize = 40;
const MOST_LINES: usize = 12;

/// The sheet that they stand on.
const SHEET: &str = "Charts";

/// Columns of the sheet of hours or days.
const MODULE: u16 = 1;
const WHEN: u16 = 5;
const MEAN: u16 = 11;
const ENERGY: u16 = 13;
const INCREASE: u16 = 14;

/// Height of a chart, in rows of the sheet.
const ROWS: u32 = 17;
/// From the left edge of a chart to that of the next, in columns of the sheet.
const COLUMNS: u16 = 10;

/// The charts of a report: one for each metric of a site.
pub(super) struct Charts {
    sheet: &'static str,
    kind: PeriodKind,
    planned: Vec<Planned>,
}

struct Planned {
    site: String,
    metric: String,
    unit: String,
    headline: Headline,
    /// First and last row of each module.
    lines: Vec<(u32, u32)>,
}

impl Charts {
    pub(super) const fn new(sheet: &'static str, kind: PeriodKind) -> Self {
        Self { sheet, kind, planned: Vec::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// Notes that these rows are about this metric of a module of that site.
    pub(super) fn add(&mut self, site: &SiteContent, metric: &MetricContent, first_row: u32, last_row: u32) {
        let is_same = |planned: &&mut Planned| {
            planned.site == site.name && planned.metric == metric.name && planned.unit == metric.unit
        };
        if let Some(planned) = self.planned.iter_mut().find(is_same) {
            planned.lines.push((first_row, last_row));
        } else if self.planned.len() < MOST_CHARTS {
            self.planned.push(Planned {
                site: site.name.clone(),
                metric: metric.name.clone(),
                unit: metric.unit.clone(),
                headline: metric.headline,
                lines: vec![(first_row, last_row)],
            });
        }
    }

    /// Draws them, two beside each other. A chart's title is a cell below it: words that are given to a chart itself
    /// can be taken for the place of a cell.
    pub(super) fn insert(&self, sheet: &mut Worksheet) -> Result<(), RenderError> {
        sheet.set_name(SHEET)?;
        let (mut row, mut column) = (0, 0);
        for planned in &self.planned {
            let unit = planned.headline.unit(&planned.unit);
            let title = format!("{}: {}", planned.site, text::with_unit(&planned.metric, unit));
            let title = text::visible(&text::shortened(&title, 120));
            sheet.write_string_with_format(row, column, title, &Format::new().set_quote_prefix())?;
            let mut chart = self.chart(planned);
            chart.title().set_name((SHEET, row, column));
            sheet.insert_chart(row, column, &chart)?;
            (row, column) = if column == 0 { (row, COLUMNS) } else { (row + ROWS, 0) };
        }
        Ok(())
    }

    fn chart(&self, planned: &Planned) -> Chart {
        let by_day = self.kind != PeriodKind::Day;
        let is_sum = planned.headline != Headline::Mean;
        let mut chart = Chart::new(if is_sum { ChartType::Column } else { ChartType::Line });
        chart.title().set_font(ChartFont::new().set_bold().set_size(11));
        chart.legend().set_position(ChartLegendPosition::Bottom);
        chart.x_axis().set_num_format(if by_day { "d mmm" } else { "General" });
        chart.show_empty_cells_as(ChartEmptyCells::Gaps);
        chart.set_width(620).set_height(330);
        let column = match planned.headline {
            Headline::Mean => MEAN,
            Headline::Energy => ENERGY,
            Headline::Increase => INCREASE,
        };
        for (first, last) in planned.lines.iter().take(MOST_LINES) {
            chart
                .add_series()
                .set_name((self.sheet, *first, MODULE))
                .set_categories((self.sheet, *first, WHEN, *last, WHEN))
                .set_values((self.sheet, *first, column, *last, column));
        }
        chart
    }
}
