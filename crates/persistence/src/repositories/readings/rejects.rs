//! Rejected readings: the newest of each module.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use sea_orm::{QuerySelect as _, QueryTrait as _, Set, Value};
use sitewatch_domain::{
    access::{Grant, ReadReadings},
    ids::{Id, ModuleId, RejectId, UserId},
    ports::StoreError,
    readings::{REJECTS_KEPT, RejectedEntry, RejectedReading},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    entities::rejected_reading::{ActiveModel, Column, Entity, Model},
    error::{corrupt, store_error},
    repositories::placeholders,
    scope,
    session::Session,
};

/// Rows of one statement: eight parameters each, of which SQLite takes 32,766.
const ROWS: usize = 4_000;

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn keep_rejects(
        &self,
        entries: &[RejectedEntry],
        sent_by: Option<UserId>,
        now: Instant,
    ) -> Result<(), StoreError> {
        for chunk in entries.chunks(ROWS) {
            let rows = chunk.iter().map(|entry| ActiveModel {
                id: Set(self.shared.mint::<RejectedReading>().uuid()),
                organization_id: Set(entry.organization_id.uuid()),
                module_id: Set(entry.module_id.uuid()),
                at: Set(now.as_micros()),
                sent_by: Set(sent_by.map(UserId::uuid)),
                field: Set(storable(&entry.field)),
                reason: Set(entry.reason.to_owned()),
                sent_row: Set(entry.row.to_string()),
            });
            let insert = Entity::insert_many(rows);
            insert.exec_without_returning(&self.connection).await.map_err(store_error)?;
        }
        self.forget_older_rejects(entries).await
    }

    async fn forget_older_rejects(&self, entries: &[RejectedEntry]) -> Result<(), StoreError> {
        let modules: BTreeSet<Uuid> = entries.iter().map(|entry| entry.module_id.uuid()).collect();
        let sql = format!(
            "DELETE FROM rejected_readings WHERE id IN (SELECT id FROM \
             (SELECT id, row_number() OVER (PARTITION BY module_id ORDER BY id DESC) AS place \
             FROM rejected_readings WHERE module_id IN ({})) ranked WHERE place > $1)",
            placeholders(2, modules.len())
        );
        let values = std::iter::once(Value::from(i64::from(REJECTS_KEPT)));
        self.execute_sql(&sql, values.chain(modules.into_iter().map(Value::from))).await.map(drop)
    }

    pub(super) async fn rejects(
        &self,
        grant: &Grant<ReadReadings>,
        module: ModuleId,
        after: Option<RejectId>,
        limit: u32,
    ) -> Result<Vec<RejectedReading>, StoreError> {
        let rows = scope::rejected_readings(grant)
            .filter(Column::ModuleId.eq(module.uuid()))
            .apply_if(after, |rows, after| rows.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(u64::from(limit));
        rows.all(&self.connection).await.map_err(store_error)?.into_iter().map(reject_of).collect()
    }
}

/// The name of a field that a client made up, without what PostgreSQL takes in no text.
fn storable(field: &str) -> String {
    field.replace('\0', "\u{fffd}")
}

fn reject_of(row: Model) -> Result<RejectedReading, StoreError> {
    Ok(RejectedReading {
        id: Id::from_uuid(row.id),
        organization_id: Id::from_uuid(row.organization_id),
        module_id: Id::from_uuid(row.module_id),
        at: Instant::from_micros(row.at),
        sent_by: row.sent_by.map(Id::from_uuid),
        field: row.field,
        reason: row.reason,
        row: serde_json::from_str(&row.sent_row)
            .map_err(|_| corrupt("rejected_readings", "sent_row", row.id))?,
    })
}
