//! A sheet that is written from left to right, row by row.

use std::collections::HashMap;

use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, FormatBorder, Worksheet};
use sitewatch_domain::time::{Instant, LocalTime, Zone};

use super::super::{RenderError, number::Number, text};

/// A column's name and width, in characters.
#[derive(Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    width: f64,
}

impl Column {
    pub(super) const fn new(name: &'static str, width: f64) -> Self {
        Self { name, width }
    }
}

pub(super) struct Sheet<'a> {
    worksheet: &'a mut Worksheet,
    row: u32,
    column: u16,
    last_column: u16,
    /// By their number format.
    formats: HashMap<String, Format>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(worksheet: &'a mut Worksheet, name: &str) -> Result<Self, RenderError> {
        worksheet.set_name(name)?.set_landscape().set_print_fit_to_pages(1, 0);
        Ok(Self { worksheet, row: 0, column: 0, last_column: 0, formats: HashMap::new() })
    }

    /// The row that is being written.
    pub(super) const fn row(&self) -> u32 {
        self.row
    }

    pub(super) fn widths(&mut self, columns: &[Column]) -> Result<(), RenderError> {
        for (column, place) in columns.iter().zip(0_u16..) {
            self.worksheet.set_column_width(place, column.width)?;
        }
        Ok(())
    }

    /// The names of all columns, which stay in sight.
    pub(super) fn header(&mut self, columns: &[Column]) -> Result<(), RenderError> {
        self.widths(columns)?;
        let format = Format::new()
            .set_bold()
            .set_background_color("E8EEF7")
            .set_border_bottom(FormatBorder::Thin)
            .set_align(FormatAlign::VerticalCenter);
        for column in columns {
            self.worksheet.write_string_with_format(self.row, self.column, column.name, &format)?;
            self.last_column = self.column;
            self.column += 1;
        }
        self.worksheet.set_freeze_panes(1, 0)?.set_repeat_rows(0, 0)?;
        self.end_row();
        Ok(())
    }

    /// Lets readers filter the rows that were written.
    pub(super) fn finish(&mut self) -> Result<(), RenderError> {
        self.worksheet.autofilter(0, 0, self.row.saturating_sub(1), self.last_column)?;
        Ok(())
    }

    pub(super) fn title(&mut self, words: &str) -> Result<(), RenderError> {
        self.string(words, &Format::new().set_bold().set_font_size(16))
    }

    pub(super) fn bold(&mut self, words: &str) -> Result<(), RenderError> {
        self.string(words, &Format::new().set_bold())
    }

    /// Words, which are never a formula: not here, and not when a reader edits the cell and leaves it.
    pub(super) fn words(&mut self, words: &str) -> Result<(), RenderError> {
        self.string(words, &Format::new())
    }

    fn string(&mut self, words: &str, format: &Format) -> Result<(), RenderError> {
        let format = format.clone().set_quote_prefix();
        self.worksheet.write_string_with_format(self.row, self.column, text::visible(words), &format)?;
        self.column += 1;
        Ok(())
    }

    /// A number with the decimals that all formats show.
    pub(super) fn number(&mut self, number: Option<Number>) -> Result<(), RenderError> {
        if let Some(number) = number {
            let format = self.format(number.spreadsheet_format());
            self.worksheet.write_number_with_format(self.row, self.column, number.value(), &format)?;
        }
        self.column += 1;
        Ok(())
    }

    /// A moment on the clocks of the zone.
    pub(super) fn moment(&mut self, at: Option<Instant>, zone: &Zone) -> Result<(), RenderError> {
        let Some(at) = at else {
            self.column += 1;
            return Ok(());
        };
        self.date(zone.local(at), "yyyy-mm-dd hh:mm", &text::moment(Some(at), zone))
    }

    /// A day of the zone.
    pub(super) fn day(&mut self, at: Instant, zone: &Zone, label: &str) -> Result<(), RenderError> {
        let local = LocalTime { hour: 0, minute: 0, second: 0, ..zone.local(at) };
        self.date(local, "yyyy-mm-dd", label)
    }

    fn date(&mut self, local: LocalTime, format: &str, label: &str) -> Result<(), RenderError> {
        let Some(date) = excel_time(local) else {
            return self.words(label);
        };
        let format = self.format(format.to_owned());
        self.worksheet.write_datetime_with_format(self.row, self.column, &date, &format)?;
        self.column += 1;
        Ok(())
    }

    pub(super) const fn end_row(&mut self) {
        self.row += 1;
        self.column = 0;
    }

    fn format(&mut self, number_format: String) -> Format {
        let new = || Format::new().set_num_format(&number_format);
        self.formats.entry(number_format.clone()).or_insert_with(new).clone()
    }
}

/// A local time as Excel counts it; `None` before 1900, where its calendar begins.
pub(super) fn excel_time(local: LocalTime) -> Option<ExcelDateTime> {
    let part = |value: i8| u8::try_from(value).ok();
    let date = ExcelDateTime::from_ymd(u16::try_from(local.year).ok()?, part(local.month)?, part(local.day)?);
    date.ok()?.and_hms(u16::from(part(local.hour)?), part(local.minute)?, part(local.second)?).ok()
}
