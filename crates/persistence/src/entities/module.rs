//! The table `modules`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "modules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub site_id: Uuid,
    pub module_type_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub serial_number: Option<String>,
    pub external_id: Option<String>,
    pub firmware: Option<String>,
    pub expected_interval_s: Option<i32>,
    pub offline_after_s: Option<i32>,
    pub tags: String,
    pub parent_module_id: Option<Uuid>,
    pub is_enabled: bool,
    pub last_seen_at: Option<i64>,
    pub hidden_by: Option<Uuid>,
    pub created_at: i64,
    pub created_by: Option<Uuid>,
    pub updated_at: Option<i64>,
    pub updated_by: Option<Uuid>,
    pub is_active: bool,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::module_type::Entity",
        from = "Column::ModuleTypeId",
        to = "super::module_type::Column::Id"
    )]
    ModuleType,
    #[sea_orm(belongs_to = "super::site::Entity", from = "Column::SiteId", to = "super::site::Column::Id")]
    Site,
}

impl ActiveModelBehavior for ActiveModel {}

crate::stamp::stamped!();
