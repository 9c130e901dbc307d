//! Where everything stands on the pages.

use super::{
    super::{
        chart::{Anchor, Chart, Colour, Shape},
        view::{Tile, View},
    },
    type_face::Typeface,
};

/// Width and height of A4, in points.
pub(super) const PAGE: (f64, f64) = (595.28, 841.89);
/// What stays white around.
pub(super) const MARGIN: f64 = 45.0;
/// Where the content of a page ends; below stands its number.
const BOTTOM: f64 = PAGE.1 - 58.0;
pub(super) const WIDTH: f64 = PAGE.0 - 2.0 * MARGIN;

pub(super) const INK: Colour = (31, 41, 55);
pub(super) const FAINT_INK: Colour = (95, 105, 120);
pub(super) const ACCENT: Colour = (31, 95, 191);
pub(super) const RULE: Colour = (217, 222, 230);
const PALE: Colour = (245, 247, 250);
const WARNING: Colour = (180, 83, 9);
const PALE_WARNING: Colour = (255, 247, 237);

const CHART_HEIGHT: f64 = 136.0;
const CHART_GAP: f64 = 20.0;
const TILE_HEIGHT: f64 = 50.0;
const TILES_IN_A_ROW: usize = 4;
const TILE_GAP: f64 = 9.0;
/// So much of a section stands on the page of its heading.
const KEPT_TOGETHER: f64 = 150.0;

/// Pages with everything on them, ready to be painted.
pub(super) struct Document {
    pub(super) title: String,
    pub(super) author: String,
    pub(super) pages: Vec<Vec<Shape>>,
    pub(super) bookmarks: Vec<Bookmark>,
}

/// A section that readers can jump to.
pub(super) struct Bookmark {
    pub(super) name: String,
    pub(super) page: usize,
    pub(super) y: f64,
}

/// Places one thing below the other and begins a page when one is full.
pub(super) struct Layout<'a> {
    pub(super) typeface: &'a Typeface,
    /// Full pages and, as the last, the one at hand.
    pages: Vec<Vec<Shape>>,
    /// Where the next thing stands on it.
    pub(super) y: f64,
    bookmarks: Vec<Bookmark>,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f64,
    pub(super) is_bold: bool,
    pub(super) colour: Colour,
}

impl Style {
    pub(super) const fn new(size: f64, is_bold: bool, colour: Colour) -> Self {
        Self { size, is_bold, colour }
    }
}

impl<'a> Layout<'a> {
    pub(super) fn new(typeface: &'a Typeface) -> Self {
        Self { typeface, pages: vec![Vec::new()], y: MARGIN, bookmarks: Vec::new() }
    }

    /// Title, period and the facts about the report.
    pub(super) fn cover(&mut self, view: &View) {
        self.area(MARGIN, self.y, WIDTH, 3.0, ACCENT);
        self.y += 30.0;
        self.paragraph(&view.title, Style::new(21.0, true, INK), 0.0, 5);
        let subtitle = format!("{} · {}", view.organization, view.period);
        self.paragraph(&subtitle, Style::new(11.5, false, FAINT_INK), 0.0, 3);
        self.y += 8.0;
        for (label, value) in &view.facts {
            self.text((MARGIN, self.y), label, Style::new(8.5, false, FAINT_INK), Anchor::Start);
            self.paragraph(value, Style::new(8.5, false, INK), 90.0, 3);
        }
        self.notes(&view.notes);
    }

    /// The heading of a site.
    pub(super) fn section(&mut self, name: &str) {
        if self.y > MARGIN {
            self.y += 24.0;
        }
        self.keep(KEPT_TOGETHER);
        let page = self.pages.len() - 1;
        self.bookmarks.push(Bookmark { name: name.to_owned(), page, y: self.y });
        self.area(MARGIN, self.y, WIDTH, 0.8, ACCENT);
        self.y += 19.0;
        self.paragraph(name, Style::new(14.5, true, INK), 0.0, 4);
    }

    /// The heading of a table or of charts, which `height` more points are to follow on the same page.
    pub(super) fn heading(&mut self, title: &str, height: f64) {
        self.y += 16.0;
        self.keep(height + 14.0);
        self.y += 8.0;
        self.paragraph(title, Style::new(10.0, true, INK), 0.0, 3);
        self.y -= 3.0;
    }

    pub(super) fn remark(&mut self, text: &str) {
        self.paragraph(text, Style::new(7.5, false, FAINT_INK), 0.0, 4);
    }

    /// Sentences that a reader should not miss.
    pub(super) fn notes(&mut self, notes: &[&'static str]) {
        for note in notes {
            self.keep(34.0);
            self.y += 6.0;
            self.area(MARGIN, self.y, WIDTH, 24.0, PALE_WARNING);
            self.area(MARGIN, self.y, 3.0, 24.0, WARNING);
            self.text((MARGIN + 12.0, self.y + 15.0), note, Style::new(9.0, false, INK), Anchor::Start);
            self.y += 28.0;
        }
    }

    /// Numbers in boxes, beside each other.
    pub(super) fn tiles(&mut self, tiles: &[Tile]) {
        let columns = tiles.len().clamp(1, TILES_IN_A_ROW);
        let gaps = TILE_GAP * (0..columns).skip(1).map(|_| 1.0).sum::<f64>();
        let width = (WIDTH - gaps) / (0..columns).map(|_| 1.0).sum::<f64>();
        for row in tiles.chunks(TILES_IN_A_ROW) {
            self.y += 8.0;
            self.keep(TILE_HEIGHT + 8.0);
            let mut left = MARGIN;
            for tile in row {
                self.tile(tile, left, width);
                left += width + TILE_GAP;
            }
            self.y += TILE_HEIGHT;
        }
    }

    fn tile(&mut self, tile: &Tile, left: f64, width: f64) {
        let inner = width - 16.0;
        let (label, unit) = (Style::new(7.0, false, FAINT_INK), Style::new(9.0, true, FAINT_INK));
        let value = Style::new(14.0, true, INK);
        self.area(left, self.y, width, TILE_HEIGHT, PALE);
        self.area(left, self.y, 2.0, TILE_HEIGHT, ACCENT);
        let x = left + 9.0;
        let shown = self.typeface.cut_off(&tile.label, label.size, false, inner);
        self.text((x, self.y + 13.0), &shown, label, Anchor::Start);
        let shown = self.typeface.cut_off(&tile.value, value.size, true, inner);
        self.text((x, self.y + 30.0), &shown, value, Anchor::Start);
        let used = self.typeface.width(&shown, value.size, true) + 4.0;
        let shown = self.typeface.cut_off(&tile.unit, unit.size, true, (inner - used).max(0.0));
        self.text((x + used, self.y + 30.0), &shown, unit, Anchor::Start);
        let shown = self.typeface.cut_off(&tile.detail, label.size, false, inner);
        self.text((x, self.y + 42.5), &shown, label, Anchor::Start);
    }

    /// Charts, two beside each other.
    pub(super) fn charts(&mut self, charts: &[Chart]) {
        if charts.is_empty() {
            return;
        }
        self.heading("Charts", CHART_HEIGHT);
        let width = (WIDTH - CHART_GAP) / 2.0;
        for row in charts.chunks(2) {
            self.keep(CHART_HEIGHT);
            let mut left = MARGIN;
            for chart in row {
                let drawing = chart.draw(width, CHART_HEIGHT);
                let top = self.y;
                for shape in drawing.shapes {
                    self.place(shape.moved(left, top));
                }
                left += width + CHART_GAP;
            }
            self.y += CHART_HEIGHT + 10.0;
        }
    }

    /// Numbers the pages.
    pub(super) fn finish(mut self, view: &View) -> Document {
        let all = self.pages.len();
        let style = Style::new(7.0, false, FAINT_INK);
        let whose = format!("{} · {} · {}", view.title, view.organization, view.period);
        let whose = self.typeface.cut_off(&whose, style.size, false, WIDTH - 80.0);
        for (number, page) in self.pages.iter_mut().enumerate() {
            let y = PAGE.1 - 30.0;
            let points = vec![(MARGIN, y - 11.0), (PAGE.0 - MARGIN, y - 11.0)];
            page.push(Shape::Path { points, colour: RULE, width: 0.5 });
            page.push(style.shape((MARGIN, y), whose.clone(), Anchor::Start));
            let label = format!("Page {} of {all}", number + 1);
            page.push(style.shape((PAGE.0 - MARGIN, y), label, Anchor::End));
        }
        Document {
            title: format!("{} · {}", view.title, view.period),
            author: view.organization.clone(),
            pages: std::mem::take(&mut self.pages),
            bookmarks: self.bookmarks,
        }
    }

    /// Begins a page, unless so much fits on the one at hand. Returns whether it did.
    pub(super) fn keep(&mut self, height: f64) -> bool {
        let is_full = self.y + height > BOTTOM && self.y > MARGIN;
        if is_full {
            self.pages.push(Vec::new());
            self.y = MARGIN;
        }
        is_full
    }

    /// Lines of text across the page, from `indent` on; the first of them stands on `y`.
    fn paragraph(&mut self, text: &str, style: Style, indent: f64, most: usize) {
        for line in self.typeface.wrap(text, style.size, style.is_bold, WIDTH - indent, most) {
            self.text((MARGIN + indent, self.y), &line, style, Anchor::Start);
            self.y += style.size * 1.4;
        }
    }

    pub(super) fn text(&mut self, at: (f64, f64), text: &str, style: Style, anchor: Anchor) {
        self.place(style.shape(at, text.to_owned(), anchor));
    }

    pub(super) fn area(&mut self, left: f64, top: f64, width: f64, height: f64, colour: Colour) {
        self.place(Shape::Area { at: (left, top), size: (width, height), colour });
    }

    pub(super) fn place(&mut self, shape: Shape) {
        if let Some(page) = self.pages.last_mut() {
            page.push(shape);
        }
    }
}

impl Style {
    const fn shape(self, at: (f64, f64), text: String, anchor: Anchor) -> Shape {
        Shape::Text { at, text, size: self.size, anchor, is_bold: self.is_bold, colour: self.colour }
    }
}

impl Shape {
    /// The same, so far to the right and down.
    fn moved(mut self, right: f64, down: f64) -> Self {
        match &mut self {
            Self::Path { points, .. } => {
                for (x, y) in points {
                    *x += right;
                    *y += down;
                }
            }
            Self::Area { at, .. } | Self::Text { at, .. } => {
                at.0 += right;
                at.1 += down;
            }
        }
        self
    }
}
