//! Reports as a document to print: A4, vectors throughout, its type embedded.

mod layout;
mod paint;
mod table;
mod type_face;

use sitewatch_domain::reports::ReportContent;

use self::{
    layout::{Document, Layout},
    type_face::Typeface,
};
use super::{RenderError, view::View};

/// The file. What it says of its making is the content's, so that equal contents give equal files.
pub(super) fn render(content: &ReportContent) -> Result<Vec<u8>, RenderError> {
    let typeface = Typeface::load()?;
    let document = lay_out(&View::of(content), &typeface);
    paint::write(&document, &typeface, super::made_at(content))
}

/// Puts everything in its place on some pages.
fn lay_out(view: &View, typeface: &Typeface) -> Document {
    let mut layout = Layout::new(typeface);
    layout.cover(view);
    if !view.sites.is_empty() {
        layout.tiles(&view.tiles);
    }
    if let Some(overview) = &view.overview {
        layout.table(overview);
    }
    for site in &view.sites {
        layout.section(&site.name);
        layout.notes(&site.notes);
        layout.tiles(&site.tiles);
        layout.table(&site.figures);
        layout.charts(&site.charts);
        layout.table(&site.modules);
        layout.table(&site.gaps);
        for table in &site.by_time {
            layout.table(table);
        }
    }
    layout.finish(view)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            chart::{Anchor, Shape},
            sample,
        },
        layout::{MARGIN, PAGE},
        *,
    };

    fn document(content: &ReportContent) -> (Document, Typeface) {
        let typeface = Typeface::load().expect("the typeface");
        (lay_out(&View::of(content), &typeface), typeface)
    }

    /// The texts of each page, in the order in which they were placed.
    fn texts(document: &Document) -> Vec<Vec<&str>> {
        document.pages.iter().map(|page| page.iter().filter_map(text_of).collect()).collect()
    }

    fn text_of(shape: &Shape) -> Option<&str> {
        match shape {
            Shape::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    fn count(bytes: &[u8], needle: &[u8]) -> usize {
        bytes.windows(needle.len()).filter(|window| *window == needle).count()
    }

    #[test]
    fn the_file_is_a_pdf_with_all_its_pages() {
        for content in [sample::farm(), sample::hostile(), sample::empty()] {
            let bytes = render(&content).expect("a document");
            assert!(bytes.starts_with(b"%PDF-1."));
            assert!(bytes.trim_ascii_end().ends_with(b"%%EOF"));
            let pages = count(&bytes, b"/Type/Page") - count(&bytes, b"/Type/Pages");
            let pages = pages + count(&bytes, b"/Type /Page\n") + count(&bytes, b"/Type /Page ");
            assert_eq!(pages, document(&content).0.pages.len());
        }
    }

    #[test]
    fn every_page_has_its_number_and_nothing_leaves_the_margins() {
        for content in [sample::farm(), sample::day(), sample::hostile(), sample::empty(), sample::large(70)]
        {
            let (document, typeface) = document(&content);
            for (number, (page, texts)) in document.pages.iter().zip(texts(&document)).enumerate() {
                let label = format!("Page {} of {}", number + 1, document.pages.len());
                assert!(texts.contains(&label.as_str()), "{label} is missing");
                for shape in page {
                    let Shape::Text { at: (x, y), text, size, anchor, is_bold, .. } = shape else { continue };
                    let width = typeface.width(text, *size, *is_bold);
                    let left = match anchor {
                        Anchor::Start => *x,
                        Anchor::Middle => x - width / 2.0,
                        Anchor::End => x - width,
                    };
                    assert!(
                        left >= MARGIN - 1.0 && left + width <= PAGE.0 - MARGIN + 4.0,
                        "{text:?} leaves the page"
                    );
                    assert!((MARGIN - 1.0..=PAGE.1 - 20.0).contains(y), "{text:?} is at {y}");
                }
            }
        }
    }

    #[test]
    fn a_table_that_breaks_repeats_its_header() {
        let (document, _) = document(&sample::large(70));
        let pages = texts(&document);
        let with = |text: &str| pages.iter().filter(|page| page.contains(&text)).count();
        assert!(with("Turbine 4") >= 3, "figures, modules, days");
        // The table of figures takes more than one page; each of them has its columns.
        let has_figures = |page: &&Vec<&str>| page.iter().any(|text| text.ends_with(" kWh"));
        for page in pages.iter().filter(|page| page.contains(&"Turbine 40")).filter(has_figures) {
            assert!(page.contains(&"Readings") && page.contains(&"Change"), "{page:?}");
        }
        assert!(pages.iter().any(|page| page.contains(&"Active power (kW), continued")));
    }

    #[test]
    fn all_that_the_page_says_is_in_the_document() {
        let content = sample::farm();
        let (document, _) = document(&content);
        let all = texts(&document).concat().join(" ");
        let figures = content.sites[0].modules[0].metrics[0].figures.expect("readings");
        let energy = super::super::number::Number::new(
            figures.energy_kwh.expect("energy"),
            super::super::number::Decimals::for_magnitude(figures.energy_kwh.expect("energy")),
        );
        for expected in ["Monthly production", "La Haute Borne", "R80711", "2014-02", &energy.grouped()] {
            assert!(all.contains(expected), "{expected} is missing");
        }
    }

    #[test]
    fn hostile_names_are_words_and_what_cannot_be_shown_is_seen() {
        let (document, _) = document(&sample::hostile());
        let all = texts(&document).concat().concat();
        for expected in ["<script>", "../../etc/", "\u{fffd}gpj.exe", "=cmd|'"] {
            assert!(all.contains(expected), "{expected} is missing");
        }
        let bytes = render(&sample::hostile()).expect("a document");
        for action in [b"/JavaScript".as_slice(), b"/Launch", b"/URI", b"/OpenAction"] {
            assert_eq!(count(&bytes, action), 0, "{}", String::from_utf8_lossy(action));
        }
    }

    #[test]
    fn an_empty_report_is_a_page_that_says_so() {
        let (document, _) = document(&sample::empty());
        assert_eq!(document.pages.len(), 1);
        assert!(texts(&document)[0].iter().any(|text| text.starts_with("Nothing is assigned to you")));
    }
}
