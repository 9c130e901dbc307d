//! The table `users`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub email: String,
    pub full_name: String,
    pub is_superuser: bool,
    pub locale: String,
    pub timezone: String,
    pub last_login_at: Option<i64>,
    pub password_scheme: Option<String>,
    pub password_pepper_id: Option<String>,
    pub password_hash: Option<String>,
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
