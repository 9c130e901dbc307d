//! The letters of a document: what they are, how wide they stand, where a line may end.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, Face, UnicodeBuffer};
use unicode_bidi::BidiInfo;

use super::super::{RenderError, text::REPLACEMENT};

/// DejaVu Sans Condensed: Latin, Greek, Cyrillic, Arabic, Hebrew, symbols. Its licence stands beside it.
const REGULAR: &[u8] = include_bytes!("../../../fonts/DejaVuSansCondensed.ttf");
const BOLD: &[u8] = include_bytes!("../../../fonts/DejaVuSansCondensed-Bold.ttf");

/// A regular and a bold cut.
pub(super) struct Typeface {
    regular: Cut,
    bold: Cut,
}

struct Cut {
    font: Font,
    face: Face<'static>,
}

/// A line of text as glyphs from left to right.
pub(super) struct Line {
    /// The text that the glyphs show and that is found and copied.
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
}

impl Typeface {
    pub(super) fn load() -> Result<Self, RenderError> {
        Ok(Self { regular: Cut::load(REGULAR)?, bold: Cut::load(BOLD)? })
    }

    pub(super) const fn font(&self, is_bold: bool) -> &Font {
        &self.cut(is_bold).font
    }

    const fn cut(&self, is_bold: bool) -> &Cut {
        if is_bold { &self.bold } else { &self.regular }
    }

    /// Shapes a text for one line, in the order in which it is read: right to left where its letters go that way.
    pub(super) fn shape(&self, text: &str, is_bold: bool) -> Line {
        self.cut(is_bold).shape(text)
    }

    /// How wide a text stands, in points.
    pub(super) fn width(&self, text: &str, size: f64, is_bold: bool) -> f64 {
        let glyphs = self.shape(text, is_bold).glyphs;
        glyphs.iter().map(|glyph| f64::from(glyph.x_advance)).sum::<f64>() * size
    }

    /// Breaks a text into lines of at most this width: at spaces, and within words that are wider than a line. What is
    /// more than `most` lines ends in an ellipsis.
    pub(super) fn wrap(&self, text: &str, size: f64, is_bold: bool, width: f64, most: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        let mut used = 0.0;
        let space = self.width(" ", size, is_bold);
        for (position, word) in text.split(' ').enumerate() {
            let needed = self.width(word, size, is_bold);
            let gap = if position > 0 { space } else { 0.0 };
            if used + gap + needed <= width {
                used += gap + needed;
                if position > 0 {
                    push(&mut lines, ' ');
                }
                word.chars().for_each(|character| push(&mut lines, character));
                continue;
            }
            if lines.last().is_some_and(|line| !line.is_empty()) {
                lines.push(String::new());
            }
            used = 0.0;
            for character in word.chars() {
                let advance = self.width(character.encode_utf8(&mut [0; 4]), size, is_bold);
                if used + advance > width && used > 0.0 {
                    lines.push(String::new());
                    used = 0.0;
                }
                push(&mut lines, character);
                used += advance;
            }
        }
        if lines.len() > most {
            lines.truncate(most);
            let last = lines.pop().unwrap_or_default();
            lines.push(self.cut_off(&(last + "…"), size, is_bold, width));
        }
        lines
    }

    /// The text, if it is no wider than that; else its beginning with an ellipsis.
    pub(super) fn cut_off(&self, text: &str, size: f64, is_bold: bool, width: f64) -> String {
        let mut kept = text.to_owned();
        let mut shown = kept.clone();
        while self.width(&shown, size, is_bold) > width && kept.pop().is_some() {
            shown = format!("{}…", kept.trim_end_matches('…'));
        }
        shown
    }
}

fn push(lines: &mut [String], character: char) {
    if let Some(line) = lines.last_mut() {
        line.push(character);
    }
}

impl Cut {
    fn load(data: &'static [u8]) -> Result<Self, RenderError> {
        let font = Font::new(data.into(), 0);
        let face = Face::from_slice(data, 0);
        let (font, face) =
            font.zip(face).ok_or_else(|| RenderError::Pdf("its font cannot be read".into()))?;
        Ok(Self { font, face })
    }

    fn shape(&self, text: &str) -> Line {
        let text: String = text.chars().filter_map(|character| self.shown(character)).collect();
        let mut glyphs = Vec::with_capacity(text.len());
        let bidi = BidiInfo::new(&text, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let is_backwards = levels.get(run.start).is_some_and(unicode_bidi::Level::is_rtl);
                glyphs.extend(self.shape_run(
                    text.get(run.clone()).unwrap_or_default(),
                    run.start,
                    is_backwards,
                ));
            }
        }
        drop(bidi);
        Line { text, glyphs }
    }

    /// Shapes letters that all go one way; the result is from left to right. `offset` is where they begin in the line.
    fn shape_run(&self, run: &str, offset: usize, is_backwards: bool) -> Vec<KrillaGlyph> {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(run);
        buffer.guess_segment_properties();
        buffer.set_direction(if is_backwards { Direction::RightToLeft } else { Direction::LeftToRight });
        let shaped = rustybuzz::shape(&self.face, &[], buffer);
        let mut starts: Vec<usize> = shaped.glyph_infos().iter().map(|info| index(info.cluster)).collect();
        starts.sort_unstable();
        let units = self.font.units_per_em();
        let in_em = |units_of_font: i32| f32::from(i16::try_from(units_of_font).unwrap_or(i16::MAX)) / units;
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions());
        let glyph = |(info, position): (&rustybuzz::GlyphInfo, &rustybuzz::GlyphPosition)| {
            let start = index(info.cluster);
            let end =
                starts.get(starts.partition_point(|other| *other <= start)).copied().unwrap_or(run.len());
            KrillaGlyph::new(
                GlyphId::new(info.glyph_id),
                in_em(position.x_advance),
                in_em(position.x_offset),
                in_em(position.y_offset),
                in_em(position.y_advance),
                offset + start..offset + end,
                None,
            )
        };
        glyphs.map(glyph).collect()
    }

    /// The character itself; its replacement if the font has no picture of it; nothing if it never has one.
    fn shown(&self, character: char) -> Option<char> {
        match character {
            '\u{200b}'..='\u{200d}'
            | '\u{2060}'
            | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0100}'..='\u{e01ef}' => None,
            _ if self.face.glyph_index(character).is_some() => Some(character),
            _ => Some(REPLACEMENT),
        }
    }
}

fn index(cluster: u32) -> usize {
    usize::try_from(cluster).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typeface() -> Typeface {
        Typeface::load().expect("the typeface")
    }

    #[test]
    fn the_letters_of_europe_and_its_neighbours_and_common_signs_have_a_picture() {
        let text = "ÄßŁőŞĩ Ελλάδα Россия Ўї العربية עברית °²³µΩ€–…→☀⚡✓\u{202f}×÷±≤ 😀";
        for is_bold in [false, true] {
            let line = typeface().shape(text, is_bold);
            let missing = line.text.matches(REPLACEMENT).count();
            assert!(missing == 0 || (is_bold && missing <= 1), "{}", line.text);
            assert!(line.glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() != 0));
        }
    }

    #[test]
    fn what_has_no_picture_is_seen_as_missing() {
        assert_eq!(typeface().shape("a中\u{e000}b\u{fe0f}", false).text, "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn letters_that_go_right_to_left_are_joined_and_turned() {
        let line = typeface().shape("شمس 12", false);
        let starts: Vec<usize> = line.glyphs.iter().map(|glyph| glyph.text_range.start).collect();
        assert!(starts.first() > starts.last(), "the first letter stands to the right: {starts:?}");
        let alone = typeface().shape("ش", false).glyphs[0].glyph_id;
        assert!(line.glyphs.iter().all(|glyph| glyph.glyph_id != alone), "letters have their joined forms");
    }

    #[test]
    fn lines_are_no_wider_than_they_may_be_and_lose_nothing() {
        let typeface = typeface();
        for text in ["one two three four", &"😀".repeat(200), &"W".repeat(90), "a  b", ""] {
            let lines = typeface.wrap(text, 8.0, false, 50.0, usize::MAX);
            assert!(lines.iter().all(|line| typeface.width(line, 8.0, false) <= 50.5), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
        let cut = typeface.wrap(&"W".repeat(90), 8.0, false, 50.0, 2);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with('…') && typeface.width(&cut[1], 8.0, false) <= 50.5);
    }
}
