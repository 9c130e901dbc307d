//! Reports: what happened on sites in a day, a week or a month.
//!
//! A [`Report`] says what of the organization is to be told, for whom and when; each [`ReportRun`] is about one stretch of time and
//! has a file in the end. Its content is what the report's owner may see at that moment.
//!
//! [`Period`] says which stretch of time a report is about, [`Subject`] holds the figures that were read for it,
//! [`build`] turns them into [`ReportContent`], and whoever renders that decides nothing any more: all numbers are there.

mod build;
mod content;
mod definition;
mod energy;
mod figures;
mod format;
mod gaps;
mod keeping;
mod making;
mod period;
mod repository;
mod run;
mod runs;
mod service;
mod statistics;

#[cfg(test)]
mod build_tests;

pub use build::{BucketFigures, MetricFigures, ModuleFigures, SeriesFigures, SiteFigures, Subject, build};
pub use content::{
    ChartPoint, Comparison, Coverage, Figures, Headline, MetricContent, ModuleContent, Note, ReportContent,
    SiteContent, SiteTotal, Slice,
};
pub use definition::{NewReport, Report, ReportChanges, ReportFilter, ReportSort, RunRequest, Scope};
pub use figures::MAX_SERIES;
pub use format::ReportFormat;
pub use gaps::presence_of;
pub use making::{Preparation, Prepared};
pub use period::{NotAPeriod, Period, PeriodKind};
pub use repository::{MetricLabel, Recipient, ReportRepository, WaitingRuns};
pub use run::{BuildReport, Download, ReportRun, RunFile, RunSort, RunState, StartReport};
pub use runs::{Enclosure, MOST_WAITING, MOST_WAITING_OF_USER};
pub use service::Reports;
pub(crate) use service::rezone;
