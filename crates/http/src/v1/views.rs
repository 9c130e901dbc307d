//! What views share: the audit columns, and the documentation of list parameters.

use serde::Serialize;
use sitewatch_domain::{ids::UserId, stamp::Stamp, time::Instant};
use utoipa::{IntoParams, ToSchema};

/// The audit columns of a resource, on the same level as its own fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StampView {
    /// When it was made.
    #[schema(value_type = String, format = DateTime, example = "2026-03-29T10:00:00.000Z")]
    created_at: Instant,
    /// The user who made it; null for what the system made.
    #[schema(value_type = Option<uuid::Uuid>)]
    created_by: Option<UserId>,
    /// When it was last changed; null until the first change.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Instant>,
    /// The user who last changed it.
    #[schema(value_type = Option<uuid::Uuid>)]
    updated_by: Option<UserId>,
    /// False once it is archived.
    is_active: bool,
}

impl From<&Stamp> for StampView {
    fn from(stamp: &Stamp) -> Self {
        Self {
            created_at: stamp.created_at,
            created_by: stamp.created_by,
            updated_at: stamp.updated_at,
            updated_by: stamp.updated_by,
            is_active: stamp.is_active,
        }
    }
}

/// Parameters of every list of resources.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `Query::listing` reads")]
pub(crate) struct ListParameters {
    /// Which page, from 1; `page` × `per_page` is at most 10,000.
    #[param(minimum = 1, maximum = 10_000, default = 1)]
    page: Option<u32>,
    /// Rows a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<u32>,
    /// Keys to sort by, separated by commas, each with an optional `-` before it; at most five.
    #[param(example = "-created_at")]
    sort: Option<String>,
    /// A text to search for.
    #[param(min_length = 1, max_length = 100)]
    q: Option<String>,
    /// Archived objects too; for admins.
    #[param(default = false)]
    include_inactive: Option<bool>,
}

/// Parameters of lists without archived objects.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "documents the parameters that `Query::active_listing` and `Query::unsearched_listing` read"
)]
pub(crate) struct PageParameters {
    /// Which page, from 1; `page` × `per_page` is at most 10,000.
    #[param(minimum = 1, maximum = 10_000, default = 1)]
    page: Option<u32>,
    /// Rows a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<u32>,
    /// Keys to sort by, separated by commas, each with an optional `-` before it; at most five.
    #[param(example = "-created_at")]
    sort: Option<String>,
}

/// The parameter of routes that find one object.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameter that `Caller::inactive` reads")]
pub(crate) struct InactiveParameter {
    /// The object even if it is archived; for admins.
    #[param(default = false)]
    include_inactive: Option<bool>,
}

/// Parameters of every time-ordered list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `Query::slice` reads")]
pub(crate) struct SliceParameters {
    /// Rows at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The cursor of the slice before, from its `meta.next_cursor`; better, follow `links.next`.
    cursor: Option<String>,
}

/// The header of conditional changes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the header that `Caller::if_match` reads")]
pub(crate) struct IfMatch {
    /// The entity tag of the object as you last saw it; the change is refused with 412 if it was changed since.
    #[param(rename = "If-Match", value_type = String, required = false)]
    if_match: Option<String>,
}
