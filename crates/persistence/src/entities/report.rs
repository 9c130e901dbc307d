//! The table `reports`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reports")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub name: String,
    pub site_id: Option<Uuid>,
    pub module_id: Option<Uuid>,
    pub period: String,
    pub format: String,
    pub csv_bom: bool,
    pub schedule: Option<String>,
    pub recipients: String,
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
