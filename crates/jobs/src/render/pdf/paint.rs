//! From placed shapes to the bytes of a PDF.

use krilla::{
    Document as Pdf,
    color::rgb,
    destination::XyzDestination,
    geom::{PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata},
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, LineJoin, Stroke},
    surface::Surface,
};
use sitewatch_domain::time::LocalTime;

use super::{
    super::{
        RenderError,
        chart::{Anchor, Colour, Shape},
    },
    layout::{Document, PAGE},
    type_face::Typeface,
};

/// Writes the document. `made_at` is in UTC.
pub(super) fn write(
    document: &Document,
    typeface: &Typeface,
    made_at: LocalTime,
) -> Result<Vec<u8>, RenderError> {
    let mut pdf = Pdf::new();
    pdf.set_metadata(metadata(document, made_at));
    for shapes in &document.pages {
        let settings = PageSettings::from_wh(narrow(PAGE.0), narrow(PAGE.1))
            .ok_or_else(|| RenderError::Pdf("its pages have no size".into()))?;
        let mut page = pdf.start_page_with(settings);
        let mut surface = page.surface();
        for shape in shapes {
            paint(&mut surface, shape, typeface);
        }
        surface.finish();
        page.finish();
    }
    let mut outline = Outline::new();
    for bookmark in &document.bookmarks {
        let destination = XyzDestination::new(bookmark.page, Point::from_xy(0.0, narrow(bookmark.y)));
        outline.push_child(OutlineNode::new(bookmark.name.clone(), destination));
    }
    pdf.set_outline(outline);
    pdf.finish().map_err(|error| RenderError::Pdf(format!("{error:?}")))
}

fn metadata(document: &Document, made_at: LocalTime) -> Metadata {
    let metadata = Metadata::new()
        .title(document.title.clone())
        .authors(vec![document.author.clone()])
        .creator("Sitewatch".to_owned())
        .language("en".to_owned());
    let part = |value: i8| u8::try_from(value).unwrap_or(0);
    let Ok(year) = u16::try_from(made_at.year) else { return metadata };
    let date = DateTime::new(year)
        .month(part(made_at.month))
        .day(part(made_at.day))
        .hour(part(made_at.hour))
        .minute(part(made_at.minute))
        .second(part(made_at.second))
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    metadata.creation_date(date)
}

fn paint(surface: &mut Surface<'_>, shape: &Shape, typeface: &Typeface) {
    match shape {
        Shape::Path { points, colour, width } => {
            let mut path = PathBuilder::new();
            for (position, (x, y)) in points.iter().enumerate() {
                let (x, y) = (narrow(*x), narrow(*y));
                if position == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
            }
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke {
                paint: ink(*colour).into(),
                width: narrow(*width),
                line_join: LineJoin::Round,
                ..Stroke::default()
            }));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Shape::Area { at, size, colour } => {
            let Some(rect) = Rect::from_xywh(narrow(at.0), narrow(at.1), narrow(size.0), narrow(size.1))
            else {
                return;
            };
            let mut path = PathBuilder::new();
            path.push_rect(rect);
            surface.set_stroke(None);
            surface.set_fill(Some(Fill { paint: ink(*colour).into(), ..Fill::default() }));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Shape::Text { at, text, size, anchor, is_bold, colour } => {
            let line = typeface.shape(text, *is_bold);
            let size = narrow(*size);
            let width: f32 = line.glyphs.iter().map(|glyph| glyph.x_advance * size).sum();
            let left = match anchor {
                Anchor::Start => narrow(at.0),
                Anchor::Middle => narrow(at.0) - width / 2.0,
                Anchor::End => narrow(at.0) - width,
            };
            surface.set_stroke(None);
            surface.set_fill(Some(Fill { paint: ink(*colour).into(), ..Fill::default() }));
            let start = Point::from_xy(left, narrow(at.1));
            surface.draw_glyphs(
                start,
                &line.glyphs,
                typeface.font(*is_bold).clone(),
                &line.text,
                size,
                false,
            );
        }
    }
}

fn ink((red, green, blue): Colour) -> rgb::Color {
    rgb::Color::new(red, green, blue)
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "places on a page, in points")]
const fn narrow(points: f64) -> f32 {
    points as f32
}
