//! Audit columns: written from the grant's author and the entity's stamp, in one place.

use sea_orm::{ActiveValue, Set};
use sitewatch_domain::{
    access::Author,
    ids::UserId,
    stamp::{Revision, Stamp},
    time::Instant,
};
use uuid::Uuid;

/// The audit columns of a row that is written.
pub(crate) struct StampColumns {
    pub(crate) created_at: ActiveValue<i64>,
    pub(crate) created_by: ActiveValue<Option<Uuid>>,
    pub(crate) updated_at: ActiveValue<Option<i64>>,
    pub(crate) updated_by: ActiveValue<Option<Uuid>>,
    pub(crate) is_active: ActiveValue<bool>,
    pub(crate) revision: ActiveValue<i64>,
}

/// Of a new row: made now, by the grant's author.
pub(crate) fn made(author: &Author, stamp: &Stamp) -> StampColumns {
    StampColumns {
        created_at: Set(stamp.created_at.as_micros()),
        created_by: Set(author.user.map(UserId::uuid)),
        updated_at: Set(None),
        updated_by: Set(None),
        is_active: Set(stamp.is_active),
        revision: Set(stamp.revision.0),
    }
}

/// Of a changed row: what it was made by and when stays.
pub(crate) fn changed(author: &Author, stamp: &Stamp) -> StampColumns {
    StampColumns {
        created_at: ActiveValue::NotSet,
        created_by: ActiveValue::NotSet,
        updated_at: Set(stamp.updated_at.map(Instant::as_micros)),
        updated_by: Set(author.user.map(UserId::uuid)),
        is_active: Set(stamp.is_active),
        revision: Set(stamp.revision.0),
    }
}

/// The stamp of a row that was read.
pub(crate) fn read(
    (created_at, created_by): (i64, Option<Uuid>),
    (updated_at, updated_by): (Option<i64>, Option<Uuid>),
    is_active: bool,
    revision: i64,
) -> Stamp {
    Stamp {
        created_at: Instant::from_micros(created_at),
        created_by: created_by.map(UserId::from_uuid),
        updated_at: updated_at.map(Instant::from_micros),
        updated_by: updated_by.map(UserId::from_uuid),
        is_active,
        revision: Revision(revision),
    }
}

/// Gives an entity's model and active model the audit columns by name; every table has the same six.
macro_rules! stamped {
    () => {
        impl Model {
            /// The audit columns.
            pub(crate) fn stamp(&self) -> sitewatch_domain::stamp::Stamp {
                crate::stamp::read(
                    (self.created_at, self.created_by),
                    (self.updated_at, self.updated_by),
                    self.is_active,
                    self.revision,
                )
            }
        }

        impl ActiveModel {
            /// The same row with these audit columns.
            pub(crate) fn stamped(self, columns: crate::stamp::StampColumns) -> Self {
                Self {
                    created_at: columns.created_at,
                    created_by: columns.created_by,
                    updated_at: columns.updated_at,
                    updated_by: columns.updated_by,
                    is_active: columns.is_active,
                    revision: columns.revision,
                    ..self
                }
            }
        }
    };
}

pub(crate) use stamped;
