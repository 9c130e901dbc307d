//! The table `sessions`.

use sea_orm::entity::prelude::*;

/// A row: one family of refresh tokens.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub created_at: i64,
    pub idle_until: i64,
    pub absolute_until: i64,
    pub refresh_counter: i64,
    pub refresh_confirmed: i64,
    pub confirmed_at: Option<i64>,
    pub rotated_at: i64,
    pub grace_uses: i32,
    pub refresh_key_sealed: Vec<u8>,
    pub client_hash: Option<Vec<u8>>,
    pub client: Option<String>,
    pub user_agent: Option<String>,
    pub revoked_at: Option<i64>,
    pub revoke_reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
