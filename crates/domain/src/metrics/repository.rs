use async_trait::async_trait;

use super::{Metric, MetricFilter, MetricSort};
use crate::{
    access::{Grant, ManageCatalogue, OwnerGrant, ReadCatalogue},
    ids::{MetricId, OrgId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};

/// Stores metrics. One lies within a grant if it is built in, or the grant reaches its organization.
#[async_trait]
pub trait MetricRepository {
    /// The metric, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_metric(
        &self,
        grant: &Grant<ReadCatalogue>,
        id: MetricId,
    ) -> Result<Option<Metric>, StoreError>;

    /// One page of the metrics within the grant. Searches key and name.
    async fn list_metrics(
        &self,
        grant: &Grant<ReadCatalogue>,
        listing: &Listing<MetricFilter, MetricSort>,
    ) -> Result<Page<Metric>, StoreError>;

    /// The active metrics with these keys that `owner` can use: its own and the built-in ones.
    ///
    /// Shape: in no particular order; a key may come twice, as the owner's own and as a built-in one.
    async fn find_metrics_by_key(
        &self,
        grant: &Grant<ReadCatalogue>,
        owner: Option<OrgId>,
        keys: &[String],
    ) -> Result<Vec<Metric>, StoreError>;

    /// Adds a metric for the grant's owner.
    ///
    /// # Errors
    /// `Conflict` with `MetricKey`; `ParentArchived` if its organization is archived.
    async fn insert_metric(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        metric: &Metric,
    ) -> Result<(), StoreError>;

    /// Writes a metric, its state included. False if its revision is no longer `seen`.
    ///
    /// # Errors
    /// `Conflict(Rule::MetricKey)` when a restored one's key was taken meanwhile.
    async fn update_metric(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        metric: &Metric,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Whether an active module type uses the metric. Holds the metric until the transaction ends, so that no type begins to
    /// use it meanwhile.
    async fn is_metric_in_use(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        id: MetricId,
    ) -> Result<bool, StoreError>;
}
