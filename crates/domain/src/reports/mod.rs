//! Reports: what happened on sites in a day, a week or a month.
//!
//! [`Period`] says which stretch of time a report is about, [`Subject`] holds the figures that were read for it,
//! [`build`] turns them into [`ReportContent`], and whoever renders that decides nothing any more: all numbers are there.

mod build;
mod content;
mod energy;
mod format;
mod gaps;
mod period;
mod statistics;

#[cfg(test)]
mod build_tests;

pub use build::{BucketFigures, MetricFigures, ModuleFigures, SeriesFigures, SiteFigures, Subject, build};
pub use content::{
    ChartPoint, Comparison, Coverage, Figures, Headline, MetricContent, ModuleContent, Note, ReportContent,
    SiteContent, SiteTotal, Slice,
};
pub use format::ReportFormat;
pub use gaps::presence_of;
pub use period::{NotAPeriod, Period, PeriodKind};
