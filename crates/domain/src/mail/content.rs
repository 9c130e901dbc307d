//! What mails say, as values; how it is worded is the sender's business.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a mail says: its template and what is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", content = "params", rename_all = "snake_case")]
pub enum Content {
    /// That mail arrives.
    Test {},
    /// That a report is ready.
    ReportReady(ReportReady),
}

/// A report that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportReady {
    /// The name of the organization.
    pub organization: String,
    /// The name of the report.
    pub report: String,
    /// The label of the period: `2014-03`.
    pub period: String,
    /// Where the report is, below the public URL: `/reports/…`.
    pub path: String,
}

impl Content {
    /// The name of the template, never used again for another.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::Test {} => "test",
            Self::ReportReady(_) => "report_ready",
        }
    }

    /// What is filled in, as an object.
    pub(super) fn params(&self) -> Result<Value, serde_json::Error> {
        let mut whole = serde_json::to_value(self)?;
        Ok(whole.get_mut("params").map_or_else(|| Value::Object(Map::new()), Value::take))
    }

    /// The content of these parts; `None` if a newer version wrote them.
    pub(super) fn of_parts(template: &str, params: &Value) -> Option<Self> {
        serde_json::from_value(serde_json::json!({ "template": template, "params": params })).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_the_same_after_they_were_stored() {
        let report = ReportReady {
            organization: "A".into(),
            report: "B".into(),
            period: "2014-03".into(),
            path: "/r".into(),
        };
        for content in [Content::Test {}, Content::ReportReady(report)] {
            let params = content.params().expect("JSON");
            assert!(params.is_object());
            assert_eq!(Content::of_parts(content.template(), &params), Some(content));
        }
        assert_eq!(Content::of_parts("of_a_newer_version", &Value::Null), None);
    }
}
