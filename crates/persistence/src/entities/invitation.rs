//! The table `invitations`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub email: String,
    pub role: String,
    pub assignments: String,
    pub token_digest: Vec<u8>,
    pub sent_with_key: Option<Uuid>,
    pub expires_at: i64,
    pub accepted_at: Option<i64>,
    pub accepted_by: Option<Uuid>,
    pub created_at: i64,
    pub created_by: Option<Uuid>,
    pub updated_at: Option<i64>,
    pub updated_by: Option<Uuid>,
    pub is_active: bool,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::stamp::stamped!();
