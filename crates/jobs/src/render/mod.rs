//! From the content of a report to the bytes of a file. Pure: no clock, no chance, no files; the same content gives
//! the same bytes.

mod chart;
mod csv;
mod html;
mod number;
mod pdf;
#[cfg(test)]
mod sample;
mod text;
mod view;
mod xlsx;

use sitewatch_domain::{
    reports::{MAX_SERIES, ReportContent, ReportFormat},
    time::{LocalTime, Zone},
};

/// What is a matter of taste.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// Whether CSV begins with the mark that makes Excel read it as UTF-8.
    pub excel_bom: bool,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The report is about too much.
    #[error(
        "a report can hold {MAX_SERIES} metrics of modules, and this one has {found}; choose fewer sites or modules"
    )]
    TooLarge {
        /// How many series it has.
        found: usize,
    },
    /// The workbook could not be written.
    #[error("the workbook could not be written")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// The page could not be written.
    #[error("the page could not be written")]
    Html(#[from] askama::Error),
    /// The document could not be written.
    #[error("the document could not be written: {0}")]
    Pdf(String),
}

/// The file of a report.
///
/// # Errors
/// If the report is too large, or a library cannot write it.
pub fn render(
    content: &ReportContent,
    format: ReportFormat,
    options: RenderOptions,
) -> Result<Vec<u8>, RenderError> {
    let modules = content.sites.iter().flat_map(|site| &site.modules);
    let found = modules.map(|module| module.metrics.len()).sum();
    if found > MAX_SERIES {
        return Err(RenderError::TooLarge { found });
    }
    match format {
        ReportFormat::Csv => Ok(csv::render(content, options.excel_bom)),
        ReportFormat::Html => html::render(content),
        ReportFormat::Xlsx => xlsx::render(content),
        ReportFormat::Pdf => pdf::render(content),
    }
}

/// The minute of the making, in UTC. No file tells the second: two that are made within a minute are the same bytes.
fn made_at(content: &ReportContent) -> LocalTime {
    LocalTime { second: 0, ..Zone::UTC.local(content.made_at) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_renders_are_the_same_bytes() {
        for content in [sample::farm(), sample::hostile(), sample::empty()] {
            for format in ReportFormat::ALL {
                let render = || render(&content, *format, RenderOptions::default()).expect("a file");
                assert!(render() == render(), "{} differs from render to render", format.name());
            }
        }
    }

    #[test]
    fn those_of_one_minute_are_the_same_bytes() {
        let content = sample::farm();
        let again =
            ReportContent { made_at: content.made_at.plus(Duration::from_secs(59)), ..content.clone() };
        let later =
            ReportContent { made_at: content.made_at.plus(Duration::from_mins(1)), ..content.clone() };
        for format in ReportFormat::ALL {
            let render = |content| render(content, *format, RenderOptions::default()).expect("a file");
            assert!(render(&content) == render(&again), "{} tells the second", format.name());
            let tells_the_minute = render(&content) != render(&later);
            assert_eq!(tells_the_minute, *format != ReportFormat::Csv, "{}", format.name());
        }
    }

    #[test]
    fn a_report_about_too_much_says_so() {
        let mut content = sample::farm();
        let metric = content.sites[0].modules[0].metrics[0].clone();
        content.sites[0].modules[0].metrics = vec![metric; MAX_SERIES + 1];
        for format in ReportFormat::ALL {
            let error = render(&content, *format, RenderOptions::default()).expect_err("too large");
            assert!(matches!(error, RenderError::TooLarge { found } if found > MAX_SERIES), "{error}");
        }
    }
}
