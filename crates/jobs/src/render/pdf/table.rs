//! Tables that break over pages.

use super::{
    super::{
        chart::{Anchor, Colour, Shape},
        view::{Row, Table},
    },
    layout::{FAINT_INK, INK, Layout, MARGIN, RULE, Style, WIDTH},
};

const SIZE: f64 = 7.5;
const LINE: f64 = 9.6;
/// Above and below the lines of a row together.
const PADDING: f64 = 4.6;
/// Left and right of a cell.
const SIDE: f64 = 3.0;
/// More lines of a cell are cut: a row never outgrows a page.
const MOST_LINES: usize = 24;
const HEADER: Colour = (232, 238, 247);
const GROUP: Colour = (243, 246, 251);

/// Where a column stands.
struct Place {
    left: f64,
    width: f64,
    is_number: bool,
}

impl Layout<'_> {
    /// A table under its title. Its header, and the heading of the group at hand, are repeated on each page.
    pub(super) fn table(&mut self, table: &Table) {
        self.heading(&table.title, 4.0 * (LINE + PADDING));
        if !table.remark.is_empty() {
            self.remark(&table.remark);
        }
        if table.rows.is_empty() {
            return;
        }
        self.y -= 4.0;
        let places = places(table);
        self.header(table, &places);
        let mut group: Option<&str> = None;
        for row in &table.rows {
            if let Row::Group(title) = row {
                group = Some(title);
                // A heading does not stand alone at the end of a page.
                if self.keep(2.0 * (LINE + PADDING)) {
                    self.header(table, &places);
                }
                self.group(title);
                continue;
            }
            let (Row::Cells(cells) | Row::Total(cells)) = row else { continue };
            let is_total = matches!(row, Row::Total(_));
            let lines = self.lines(cells, &places, is_total);
            let height = height(&lines);
            if self.keep(height) {
                self.header(table, &places);
                if let Some(title) = group {
                    self.group(&format!("{title}, continued"));
                }
            }
            if is_total {
                self.area(MARGIN, self.y, WIDTH, height, GROUP);
            }
            self.row(&lines, &places, Style::new(SIZE, is_total, INK));
            self.y += height;
            let y = self.y;
            self.place(Shape::Path {
                points: vec![(MARGIN, y), (MARGIN + WIDTH, y)],
                colour: RULE,
                width: 0.4,
            });
        }
    }

    fn header(&mut self, table: &Table, places: &[Place]) {
        let titles: Vec<String> = table.columns.iter().map(|column| column.title.clone()).collect();
        let lines = self.lines(&titles, places, true);
        let height = height(&lines);
        self.area(MARGIN, self.y, WIDTH, height, HEADER);
        self.row(&lines, places, Style::new(SIZE, true, FAINT_INK));
        self.y += height;
    }

    fn group(&mut self, title: &str) {
        let height = LINE + PADDING;
        self.area(MARGIN, self.y, WIDTH, height, GROUP);
        let style = Style::new(SIZE, true, INK);
        let shown = self.typeface.cut_off(title, style.size, true, WIDTH - 2.0 * SIDE);
        self.text((MARGIN + SIDE, self.y + PADDING / 2.0 + SIZE), &shown, style, Anchor::Start);
        self.y += height;
    }

    /// The lines of each cell.
    fn lines(&self, cells: &[String], places: &[Place], is_bold: bool) -> Vec<Vec<String>> {
        let wrapped = cells.iter().zip(places).map(|(cell, place)| {
            self.typeface.wrap(cell, SIZE, is_bold, place.width - 2.0 * SIDE, MOST_LINES)
        });
        wrapped.collect()
    }

    fn row(&mut self, cells: &[Vec<String>], places: &[Place], style: Style) {
        for (lines, place) in cells.iter().zip(places) {
            let (x, anchor) = if place.is_number {
                (place.left + place.width - SIDE, Anchor::End)
            } else {
                (place.left + SIDE, Anchor::Start)
            };
            let mut y = self.y + PADDING / 2.0 + SIZE;
            for line in lines {
                self.text((x, y), line, style, anchor);
                y += LINE;
            }
        }
    }
}

fn height(cells: &[Vec<String>]) -> f64 {
    let most = cells.iter().map(Vec::len).max().unwrap_or(1);
    (0..most).map(|_| LINE).sum::<f64>() + PADDING
}

fn places(table: &Table) -> Vec<Place> {
    let all: f64 = table.columns.iter().map(|column| f64::from(column.weight)).sum();
    let mut left = MARGIN;
    let place = |column: &super::super::view::Column| {
        let width = WIDTH * f64::from(column.weight) / all;
        let place = Place { left, width, is_number: column.is_number };
        left += width;
        place
    };
    table.columns.iter().map(place).collect()
}
