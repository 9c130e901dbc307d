//! Making many sites or modules at once.

use actix_web::web;
use serde::Serialize;
use sitewatch_domain::{
    Platform,
    bulk::{Atomicity, BulkMode, BulkVerdict, Rehearsal, RowFault},
    ids::{OrgId, SiteId},
    modules::Module,
    organizations::Organization,
    sites::Site,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{module_bodies::CreateModuleBody, site_bodies::CreateSiteBody};
use crate::{
    body::{Cell, Field, RowBody},
    caller::Caller,
    envelope::{Envelope, Plain},
    error::ApiError,
    routes::Address,
};

/// Before the addresses of single objects, which take any word for an id.
pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/sites/bulk").post(create_sites),
        Address::at("/api/v1/modules/bulk").post(create_modules),
    ]
}

/// How the rows are made.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `mode_of` reads")]
pub(crate) struct BulkParameters {
    /// True to have everything judged and nothing made.
    dry_run: Option<bool>,
    /// False to have the good rows made beside bad ones; otherwise all are made or none.
    atomic: Option<bool>,
}

fn mode_of(caller: &Caller) -> Result<BulkMode, ApiError> {
    let mut query = caller.query();
    let rehearsal = if query.switch("dry_run") == Some(true) { Rehearsal::Dry } else { Rehearsal::Real };
    let is_atomic = query.switch("atomic") != Some(false);
    let atomicity = if is_atomic { Atomicity::AllOrNothing } else { Atomicity::RowByRow };
    query.finish().map(|()| BulkMode { atomicity, rehearsal })
}

/// Many sites.
#[derive(ToSchema)]
#[schema(as = BulkSitesBody, example = json!({"sites": [
    {"organization_id": "01890000-0000-7000-8000-000000000000", "name": "Hill", "timezone": "Europe/Paris", "tags": ["north"]},
    {"organization_id": "01890000-0000-7000-8000-000000000000", "name": "Valley"}
]}))]
#[expect(dead_code, reason = "documents the body that `Table` reads")]
pub(crate) struct BulkSitesBody {
    /// 1 to 1,000 rows, of at most 20 organizations; each names its organization.
    #[schema(min_items = 1, max_items = 1000)]
    sites: Vec<CreateSiteBody>,
}

/// Many modules.
#[derive(ToSchema)]
#[schema(as = BulkModulesBody, example = json!({"modules": [
    {"site_id": "01890000-0000-7000-8000-000000000000", "name": "T1", "module_type_id": "01890000-0000-7000-8000-000000000000"},
    {"site_id": "01890000-0000-7000-8000-000000000000", "name": "T2", "module_type_id": "01890000-0000-7000-8000-000000000000"}
]}))]
#[expect(dead_code, reason = "documents the body that `Table` reads")]
pub(crate) struct BulkModulesBody {
    /// 1 to 1,000 rows, of at most 20 organizations; each names its site.
    #[schema(min_items = 1, max_items = 1000)]
    modules: Vec<CreateModuleBody>,
}

impl RowBody for CreateSiteBody {
    type Parent = Organization;
    const PARENT: &'static str = "organization_id";
    const CELLS: &'static [(&'static str, Cell)] =
        &[("latitude", Cell::Number), ("longitude", Cell::Number), ("tags", Cell::List)];

    fn take_parent(&mut self) -> Field<OrgId> {
        std::mem::take(&mut self.organization_id)
    }
}

impl RowBody for CreateModuleBody {
    type Parent = Site;
    const PARENT: &'static str = "site_id";
    const CELLS: &'static [(&'static str, Cell)] = &[
        ("expected_interval_s", Cell::Number),
        ("offline_after_s", Cell::Number),
        ("is_enabled", Cell::Switch),
        ("tags", Cell::List),
    ];

    fn take_parent(&mut self) -> Field<SiteId> {
        std::mem::take(&mut self.site_id)
    }
}

/// What became of the rows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkVerdict)]
pub(crate) struct BulkVerdictView {
    /// How many rows were good.
    accepted: usize,
    /// How many were not.
    rejected: usize,
    /// What was made, by row; nothing with `dry_run`.
    items: Vec<BulkItemView>,
    /// What was wrong with the other rows; at most a thousand faults.
    rejects: Vec<RowFaultView>,
}

/// What was made of a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkItem)]
pub(crate) struct BulkItemView {
    /// The index of the row, from 0; the first line of CSV does not count.
    index: usize,
    /// The id of the new object.
    id: Uuid,
}

/// A fault of a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RowFault)]
pub(crate) struct RowFaultView {
    /// The index of the row, from 0; the first line of CSV does not count.
    index: usize,
    /// The field.
    #[schema(example = "name")]
    field: String,
    /// What is wrong and what would be right.
    #[schema(example = "A site with this name already exists in the organization.")]
    message: String,
}

impl BulkVerdictView {
    fn of<T>(verdict: BulkVerdict<T>, id_of: impl Fn(&T) -> Uuid) -> Self {
        let BulkVerdict { accepted, rejected, made, faults } = verdict;
        let item = |(index, object): (usize, T)| BulkItemView { index, id: id_of(&object) };
        let reject = |RowFault { row, field, message }| RowFaultView { index: row, field, message };
        let (items, rejects) =
            (made.into_iter().map(item).collect(), faults.into_iter().map(reject).collect());
        Self { accepted, rejected, items, rejects }
    }
}

/// Makes many sites: all of them or none, unless `atomic=false`. CSV has the names of the fields in its first line, and tags with `;` between them.
#[utoipa::path(post, path = "/api/v1/sites/bulk", tag = "sites", operation_id = "createSitesInBulk",
    params(BulkParameters), request_body(content((BulkSitesBody = "application/json"), (String = "text/csv",
        example = json!("organization_id,name,tags\n01890000-0000-7000-8000-000000000000,Lake,north;water\n")))),
    responses((status = 200, description = "What became of the rows", body = Envelope<BulkVerdictView>)))]
pub(crate) async fn create_sites(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Plain<BulkVerdictView>, ApiError> {
    let mode = mode_of(&caller)?;
    let rows = caller.table().await?.rows::<CreateSiteBody>("sites")?;
    let verdict = platform.sites().create_many(&caller, rows, mode).await?;
    Ok(Plain(BulkVerdictView::of(verdict, |site: &Site| site.id.uuid())))
}

/// Makes many modules: all of them or none, unless `atomic=false`. CSV has the names of the fields in its first line, and tags with `;` between them.
#[utoipa::path(post, path = "/api/v1/modules/bulk", tag = "modules", operation_id = "createModulesInBulk",
    params(BulkParameters), request_body(content((BulkModulesBody = "application/json"), (String = "text/csv",
        example = json!("site_id,name,module_type_id\n01890000-0000-7000-8000-000000000000,T3,01890000-0000-7000-8000-000000000000\n")))),
    responses((status = 200, description = "What became of the rows", body = Envelope<BulkVerdictView>)))]
pub(crate) async fn create_modules(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Plain<BulkVerdictView>, ApiError> {
    let mode = mode_of(&caller)?;
    let rows = caller.table().await?.rows::<CreateModuleBody>("modules")?;
    let verdict = platform.modules().create_many(&caller, rows, mode).await?;
    Ok(Plain(BulkVerdictView::of(verdict, |module: &Module| module.id.uuid())))
}
