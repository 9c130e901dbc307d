//! Reports as a page: a single file without scripts that loads nothing.

use askama::Template;
use sitewatch_domain::reports::ReportContent;

use super::{
    RenderError,
    chart::{Anchor, Chart, Colour, Drawing, Shape},
    view::{Row, Table, View},
};

/// The size of a chart, in points; a page scales it.
const CHART_SIZE: (f64, f64) = (360.0, 190.0);

/// The page; askama escapes every text in it.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    view: &'a View,
}

/// The file.
pub(super) fn render(content: &ReportContent) -> Result<Vec<u8>, RenderError> {
    let view = View::of(content);
    Ok(Page { view: &view }.render()?.into_bytes())
}

impl Chart {
    fn drawing(&self) -> Drawing {
        self.draw(CHART_SIZE.0, CHART_SIZE.1)
    }
}

/// The points of a path, as SVG has them.
fn points(points: &[(f64, f64)]) -> String {
    let pairs: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    pairs.join(" ")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama hands on references")]
fn colour((red, green, blue): &Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama hands on references")]
const fn anchor(anchor: &Anchor) -> &'static str {
    match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    }
}

impl Table {
    /// How the cells of a column stand.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "askama hands on references")]
    fn class(&self, position: &usize) -> &'static str {
        if self.columns.get(*position).is_some_and(|column| column.is_number) { "number" } else { "words" }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn page(content: &ReportContent) -> String {
        String::from_utf8(render(content).expect("a page")).expect("UTF-8")
    }

    #[test]
    fn a_page_is_whole_by_itself() {
        let page = page(&sample::farm());
        assert!(page.starts_with("<!doctype html>"));
        assert!(page.trim_end().ends_with("</html>"));
        for outside in [
            "<script", "<link", "<img", "<iframe", "src=", "href=", "url(", "@import", "http:", "https:",
            "on",
        ] {
            let attribute = format!(" {outside}");
            let found = if outside == "on" { page.contains(" onload") } else { page.contains(outside) };
            assert!(!found, "{attribute}");
        }
        assert_eq!(page.matches("<svg").count(), 7);
        assert_eq!(page.matches("<table").count(), page.matches("</table>").count());
    }

    #[test]
    fn numbers_are_those_of_the_other_formats() {
        let content = sample::farm();
        let page = page(&content);
        let csv = String::from_utf8(super::super::csv::render(&content, false)).expect("UTF-8");
        let totals = csv.lines().filter(|line| line.starts_with("\"total\""));
        let mut seen = 0;
        for cells in totals.map(|line| line.split(',').collect::<Vec<_>>()) {
            // Min, max, mean and energy.
            for number in
                [cells[13], cells[14], cells[15], cells[17]].into_iter().filter(|cell| !cell.is_empty())
            {
                let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                let value: f64 = number.parse().expect("a number");
                assert_eq!(format!("{value:.decimals$}"), number);
                let ungrouped = page.replace(super::super::number::NARROW_SPACE, "");
                assert!(ungrouped.contains(&format!(">{number}")), "{number} is not on the page");
                seen += 1;
            }
        }
        assert_eq!(seen, 4 * (7 * 3 + 1));
    }

    #[test]
    fn hostile_names_are_words() {
        let page = page(&sample::hostile());
        for markup in ["<script>alert", "<img src", "<b>", "\"><img", "\u{202e}"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
        assert!(page.contains("../../etc/passwd"));
        assert!(page.contains("مزرعة الرياح ١٢"));
    }

    #[test]
    fn an_empty_report_says_so() {
        assert!(page(&sample::empty()).contains("Nothing is assigned to you"));
    }
}
