//! Reports as an Excel workbook: a cover, totals, figures by hour or day, gaps, and charts of its own.

mod charts;
mod sheet;

use rust_xlsxwriter::{DocProperties, Workbook};
use sitewatch_domain::reports::{
    Coverage, Figures, Headline, MetricContent, ModuleContent, PeriodKind, ReportContent, SiteContent,
};

use self::{
    charts::Charts,
    sheet::{Column, Sheet, excel_time},
};
use super::{
    RenderError,
    number::{self, Decimals, Number, Rounding},
    text,
    view::View,
};

/// Who and what, at the beginning of each row.
const SUBJECT: [Column; 5] = [
    Column::new("Site", 24.0),
    Column::new("Module", 20.0),
    Column::new("Serial number", 18.0),
    Column::new("Metric", 26.0),
    Column::new("Unit", 9.0),
];
/// The figures of a period, an hour or a day.
const FIGURES: [Column; 9] = [
    Column::new("Readings", 10.0),
    Column::new("Expected", 10.0),
    Column::new("Coverage %", 11.0),
    Column::new("Min", 12.0),
    Column::new("Max", 12.0),
    Column::new("Mean", 12.0),
    Column::new("Sum", 15.0),
    Column::new("Energy kWh", 14.0),
    Column::new("Increase", 14.0),
];
const COMPARISON: [Column; 4] = [
    Column::new("Previous", 14.0),
    Column::new("Change", 14.0),
    Column::new("Change %", 10.0),
    Column::new("Last reading", 17.0),
];

/// The file. What it says of its making is the content's, so that equal contents give equal files.
pub(super) fn render(content: &ReportContent) -> Result<Vec<u8>, RenderError> {
    let mut workbook = Workbook::new();
    let mut properties = DocProperties::new()
        .set_title(text::visible(&content.title))
        .set_company(text::visible(&content.organization))
        .set_author("Sitewatch");
    if let Some(made_at) = excel_time(super::made_at(content)) {
        properties = properties.set_creation_datetime(&made_at);
    }
    workbook.set_properties(&properties);
    cover(&mut Sheet::new(workbook.add_worksheet(), "Report")?, content)?;
    totals(&mut Sheet::new(workbook.add_worksheet(), "Totals")?, content)?;
    let slices_name = if content.period.kind() == PeriodKind::Day { "Hourly" } else { "Daily" };
    let mut charts = Charts::new(slices_name, content.period.kind());
    slices(&mut Sheet::new(workbook.add_worksheet(), slices_name)?, content, &mut charts)?;
    gaps(&mut Sheet::new(workbook.add_worksheet(), "Gaps")?, content)?;
    if !charts.is_empty() {
        charts.insert(workbook.add_worksheet())?;
    }
    Ok(workbook.save_to_buffer()?)
}

fn cover(sheet: &mut Sheet<'_>, content: &ReportContent) -> Result<(), RenderError> {
    let view = View::of(content);
    sheet.widths(&[Column::new("", 34.0), Column::new("", 44.0), Column::new("", 14.0)])?;
    sheet.title(&view.title)?;
    sheet.words(&view.period)?;
    sheet.end_row();
    sheet.end_row();
    for (label, value) in &view.facts {
        sheet.bold(label)?;
        sheet.words(value)?;
        sheet.end_row();
    }
    sheet.bold("Coverage %")?;
    sheet.number(number::percent(content.coverage()))?;
    sheet.end_row();
    for note in &view.notes {
        sheet.end_row();
        sheet.words(note)?;
    }
    sheet.end_row();
    for site in &content.sites {
        sheet.end_row();
        sheet.bold(&site.name)?;
        sheet.end_row();
        for note in &site.notes {
            sheet.words(note.text())?;
            sheet.end_row();
        }
        for total in &site.totals {
            sheet.words(&format!("{}: {}", total.name, total.headline.name()))?;
            sheet.number(Some(Number::new(total.value, Decimals::for_magnitude(total.value))))?;
            sheet.words(&text::unit(&total.unit))?;
            sheet.end_row();
        }
        sheet.words("Coverage %")?;
        sheet.number(number::percent(site.coverage))?;
        sheet.end_row();
    }
    Ok(())
}

fn totals(sheet: &mut Sheet<'_>, content: &ReportContent) -> Result<(), RenderError> {
    sheet.header(&[&SUBJECT[..], &FIGURES, &COMPARISON].concat())?;
    for (site, module, metric) in series(content) {
        let rounding = Rounding::of(metric);
        let comparison = metric.comparison.as_ref();
        subject_cells(sheet, site, module, metric)?;
        figure_cells(sheet, metric.figures.as_ref(), metric.coverage, rounding)?;
        sheet.number(comparison.map(|comparison| rounding.headline(comparison.previous)))?;
        sheet.number(comparison.map(|comparison| rounding.headline(comparison.change)))?;
        sheet.number(comparison.and_then(number::change_percent))?;
        sheet.moment(metric.last_reading_at, content.period.zone())?;
        sheet.end_row();
    }
    sheet.finish()
}

fn slices(sheet: &mut Sheet<'_>, content: &ReportContent, charts: &mut Charts) -> Result<(), RenderError> {
    let is_day = content.period.kind() == PeriodKind::Day;
    let when = if is_day { Column::new("Hour", 16.0) } else { Column::new("Day", 12.0) };
    sheet.header(&[&SUBJECT[..], &[when], &FIGURES].concat())?;
    for (site, module, metric) in series(content) {
        let rounding = Rounding::of(metric);
        let first_row = sheet.row();
        for slice in &metric.slices {
            subject_cells(sheet, site, module, metric)?;
            if is_day {
                sheet.words(&slice.label)?;
            } else {
                sheet.day(slice.range.from, content.period.zone(), &slice.label)?;
            }
            figure_cells(sheet, slice.figures.as_ref(), slice.coverage, rounding)?;
            sheet.end_row();
        }
        if metric.figures.is_some() && sheet.row() > first_row {
            charts.add(site, metric, first_row, sheet.row() - 1);
        }
    }
    sheet.finish()
}

fn gaps(sheet: &mut Sheet<'_>, content: &ReportContent) -> Result<(), RenderError> {
    sheet.header(&[
        Column::new("Site", 24.0),
        Column::new("Module", 20.0),
        Column::new("From", 17.0),
        Column::new("To", 17.0),
        Column::new("Minutes", 10.0),
    ])?;
    for site in &content.sites {
        for (module, gap) in
            site.modules.iter().flat_map(|module| module.gaps.iter().map(move |gap| (module, gap)))
        {
            sheet.words(&site.name)?;
            sheet.words(&module.name)?;
            sheet.moment(Some(gap.from), content.period.zone())?;
            sheet.moment(Some(gap.to), content.period.zone())?;
            sheet.number(Some(number::count(gap.to.since(gap.from).as_secs() / 60)))?;
            sheet.end_row();
        }
    }
    sheet.finish()
}

fn subject_cells(
    sheet: &mut Sheet<'_>,
    site: &SiteContent,
    module: &ModuleContent,
    metric: &MetricContent,
) -> Result<(), RenderError> {
    sheet.words(&site.name)?;
    sheet.words(&module.name)?;
    sheet.words(module.serial_number.as_deref().unwrap_or_default())?;
    sheet.words(&metric.name)?;
    sheet.words(&text::unit(&metric.unit))
}

fn figure_cells(
    sheet: &mut Sheet<'_>,
    figures: Option<&Figures>,
    coverage: Coverage,
    rounding: Rounding,
) -> Result<(), RenderError> {
    sheet.number(Some(number::count(figures.map_or(0, |figures| figures.readings))))?;
    sheet.number(Some(number::count(coverage.expected)))?;
    sheet.number(number::percent(coverage))?;
    sheet.number(figures.map(|figures| rounding.level(figures.min)))?;
    sheet.number(figures.map(|figures| rounding.level(figures.max)))?;
    sheet.number(figures.map(|figures| rounding.level(figures.mean)))?;
    sheet.number(figures.map(|figures| rounding.sum(figures.sum)))?;
    for headline in [Headline::Energy, Headline::Increase] {
        let value = figures.and_then(|figures| headline.of(figures));
        sheet.number(value.map(|value| rounding.headline(value)))?;
    }
    Ok(())
}

fn series(content: &ReportContent) -> impl Iterator<Item = (&SiteContent, &ModuleContent, &MetricContent)> {
    content.sites.iter().flat_map(|site| {
        site.modules
            .iter()
            .flat_map(move |module| module.metrics.iter().map(move |metric| (site, module, metric)))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Range, Reader, Xlsx};

    use super::{super::sample, *};

    fn open(content: &ReportContent) -> Xlsx<Cursor<Vec<u8>>> {
        Xlsx::new(Cursor::new(render(content).expect("a workbook"))).expect("a workbook that opens")
    }

    fn sheet(content: &ReportContent, name: &str) -> Range<Data> {
        open(content).worksheet_range(name).expect(name)
    }

    #[test]
    fn totals_are_numbers_and_equal_to_the_content() {
        let content = sample::farm();
        let totals = sheet(&content, "Totals");
        assert_eq!(totals.height(), 1 + 4 * 7);
        let row = |index: usize| totals.rows().nth(index).expect("a row");
        let column = |name: &str| {
            row(0).iter().position(|cell| cell == &Data::String(name.into())).expect("the column")
        };
        let figures = content.sites[0].modules[0].metrics[0].figures.expect("readings");
        assert_eq!(row(1)[column("Module")], Data::String("R80711".into()));
        assert_eq!(row(1)[column("Readings")], Data::Float(570.0));
        let shown = |name: &str| row(1)[column(name)].clone();
        for (name, value) in [
            ("Min", figures.min),
            ("Mean", figures.mean),
            ("Energy kWh", figures.energy_kwh.expect("energy")),
        ] {
            let Data::Float(cell) = shown(name) else { panic!("{name} is {:?}", shown(name)) };
            assert!((cell - value).abs() <= 0.051, "{name}: {cell} for {value}");
        }
        assert_eq!(shown("Increase"), Data::Empty);
    }

    #[test]
    fn days_are_dates_and_hours_have_their_offset() {
        let daily = sheet(&sample::farm(), "Daily");
        assert_eq!(daily.height(), 1 + 4 * 7 * 31);
        assert!(matches!(daily.rows().nth(31).expect("a day")[5], Data::DateTime(_)));
        let hourly = sheet(&sample::day(), "Hourly");
        assert_eq!(hourly.height(), 1 + 4 * 7 * 23);
        assert_eq!(hourly.rows().nth(3).expect("an hour")[5], Data::String("03:00 +02:00".into()));
    }

    #[test]
    fn no_name_is_a_formula() {
        let content = sample::hostile();
        let mut workbook = open(&content);
        let mut words = Vec::new();
        for name in workbook.sheet_names() {
            let formulas = workbook.worksheet_formula(&name).expect("formulas");
            assert!(formulas.used_cells().next().is_none(), "{name} has a formula");
            let cells = workbook.worksheet_range(&name).expect("cells");
            words.extend(cells.used_cells().map(|(_, _, cell)| cell.to_string()));
        }
        for name in sample::HOSTILE {
            assert!(words.contains(&text::visible(name)), "{name} is not there as it is");
        }
    }

    #[test]
    fn an_empty_report_says_so() {
        let cover = sheet(&sample::empty(), "Report");
        let has = |text: &str| cover.used_cells().any(|(_, _, cell)| cell.to_string().contains(text));
        assert!(has("Nothing is assigned to you"));
    }
}
