//! Rows that were not stored, kept with their reason for whoever wonders where a device's readings are.

use serde_json::{Map, Value, json};

use super::{IngestTarget, ReadingRow, Readings, RowField};
use crate::{
    access::{Actor, ReadReadings, RequestContext},
    audit::Audit,
    error::Error,
    ids::{ModuleId, OrgId, RejectId, UserId},
    page::{Slice, SliceRequest},
    time::Instant,
};

/// The newest rejected rows of a module are kept, as many as these.
pub const REJECTS_KEPT: u32 = 1_000;

/// Of one batch and module that many are kept: what a device sends wrong it sends wrong again and again.
const KEPT_OF_A_BATCH: usize = 100;

/// Characters of a text that a row holds.
const KEPT_CHARACTERS: usize = 200;

/// A row of a batch that was not stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectedReading {
    /// Its id; a later one is larger.
    pub id: RejectId,
    /// The tenant.
    pub organization_id: OrgId,
    /// The module that it was for.
    pub module_id: ModuleId,
    /// When it was received.
    pub at: Instant,
    /// Which user sent it; `None` for devices.
    pub sent_by: Option<UserId>,
    /// The field at fault.
    pub field: String,
    /// Why: a word that programs can act on, like `unknown_metric`.
    pub reason: String,
    /// What could be read of the row: `metric`, `at`, `value`. A text is cut to 200 characters.
    pub row: Value,
}

/// Rejected rows of a batch whose modules were found within a grant to send. Only judging makes them.
#[derive(Debug, Default)]
pub struct RejectedRows(Vec<RejectedEntry>);

/// One of them.
#[derive(Debug)]
#[non_exhaustive]
pub struct RejectedEntry {
    /// The tenant.
    pub organization_id: OrgId,
    /// The module.
    pub module_id: ModuleId,
    /// The field at fault.
    pub field: String,
    /// Why.
    pub reason: &'static str,
    /// What could be read of the row.
    pub row: Value,
}

impl RejectedRows {
    /// The rows, in the order of the batch.
    pub fn entries(&self) -> &[RejectedEntry] {
        &self.0
    }

    /// Adds a row, unless there are enough of the module in this batch; `known` counts them.
    pub(super) fn add(
        &mut self,
        target: &IngestTarget,
        known: &mut usize,
        row: &ReadingRow,
        (field, reason): (&RowField, &'static str),
    ) {
        if *known >= KEPT_OF_A_BATCH {
            return;
        }
        *known = known.saturating_add(1);
        self.0.push(RejectedEntry {
            organization_id: target.organization_id,
            module_id: target.module_id,
            field: field.name().to_owned(),
            reason,
            row: legible(row),
        });
    }
}

/// What could be read of a row.
fn legible(row: &ReadingRow) -> Value {
    let mut fields = Map::new();
    if let Ok(metric) = &row.metric {
        fields.insert("metric".into(), metric.chars().take(KEPT_CHARACTERS).collect::<String>().into());
    }
    if let Ok(at) = row.at {
        fields.insert("at".into(), json!(at));
    }
    if let Ok(value) = row.value {
        fields.insert("value".into(), json!(value));
    }
    Value::Object(fields)
}

impl Readings<'_> {
    /// A slice of the rejected rows of a module, the newest first.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a foreign cursor.
    pub async fn rejects(
        &self,
        actor: &Actor,
        module: ModuleId,
        slice: &SliceRequest,
    ) -> Result<Slice<RejectedReading>, Error> {
        let grant = actor.grant::<ReadReadings>()?;
        let reader = self.platform.read(actor).await?;
        if reader.find_query_targets(&grant, &[module]).await?.is_empty() {
            return Err(Error::NotFound { what: "module" });
        }
        let list = format!("rejects:{module}");
        let after: Option<RejectId> = self.platform.open_cursor(&list, slice.cursor.as_deref())?;
        let limit = slice.limit();
        let mut items = reader.list_rejects(&grant, module, after, limit.saturating_add(1)).await?;
        let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            items.pop();
        }
        let next_cursor = match items.last().filter(|_| more) {
            Some(last) => Some(self.platform.seal_cursor(&list, &last.id)?),
            None => None,
        };
        Ok(Slice { items, next_cursor })
    }

    /// Keeps the rejected rows of a batch of which nothing is stored.
    pub(super) async fn keep_rejects(
        &self,
        actor: &Actor,
        rejects: &RejectedRows,
        now: Instant,
    ) -> Result<(), Error> {
        if rejects.entries().is_empty() {
            return Ok(());
        }
        // For nobody: the request fails, so what it claims stays unclaimed.
        let mut tx = self.platform.write(&Actor::anonymous(RequestContext::default())).await?;
        tx.insert_rejects(rejects, actor.user(), now).await?;
        self.platform.commit(tx, Audit::none("rejected rows are a record of their own")).await
    }
}
