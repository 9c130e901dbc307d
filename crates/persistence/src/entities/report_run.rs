//! The table `report_runs`.

use sea_orm::entity::prelude::*;

/// A row. Its state is that of its job, unless it has a file.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "report_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub report_id: Uuid,
    pub organization_id: Uuid,
    pub period: String,
    pub from_at: i64,
    pub to_at: i64,
    pub zone: String,
    pub format: String,
    pub file_id: Option<Uuid>,
    pub file_name: Option<String>,
    pub file_size: Option<i64>,
    pub file_sha256: Option<String>,
    pub modules: Option<String>,
    pub error: Option<String>,
    pub created_at: i64,
    pub created_by: Option<Uuid>,
    pub finished_at: Option<i64>,
    pub job_id: Uuid,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "super::job::Entity", from = "Column::JobId", to = "super::job::Column::Id")]
    Job,
}

impl ActiveModelBehavior for ActiveModel {}
