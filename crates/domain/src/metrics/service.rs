use super::{Metric, MetricChanges, MetricFilter, MetricKind, MetricSort, NewMetric, in_order};
use crate::{
    access::{Actor, Grant, ManageCatalogue, ReadCatalogue},
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::{MetricId, OrgId},
    input::{Input, checked},
    page::{Inactive, Listing, Page},
    platform::Platform,
    stamp::{Precondition, Stamp},
};

/// Use cases of metrics.
pub struct Metrics<'a> {
    platform: &'a Platform,
}

impl<'a> Metrics<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a metric for an organization, or a built-in one. Admins for their organization; superusers both.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization; `Invalid`; `Conflict(MetricKey)`.
    pub async fn create(
        &self,
        actor: &Actor,
        owner: Option<OrgId>,
        input: impl Input<NewMetric>,
    ) -> Result<Metric, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let grant = actor.grant_of_owner::<ManageCatalogue>(owner)?;
        if let Some(org) = owner {
            self.platform.organizations().find(actor, org, Inactive::Hidden).await?;
        }
        let new = checked(input)?;
        let metric = Metric {
            id: self.platform.mint(),
            organization_id: owner,
            key: new.key,
            name: new.name,
            unit: new.unit,
            kind: new.kind.as_deref().and_then(MetricKind::from_name).unwrap_or(MetricKind::Gauge),
            min: new.min,
            max: new.max,
            max_rate: new.max_rate,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        let mut tx = self.platform.write(actor).await?;
        tx.insert_metric(&grant, &metric).await?;
        self.platform.commit(tx, Audit::created(&grant, &metric)).await?;
        Ok(metric)
    }

    /// A metric that is built in or belongs to one of the actor's organizations.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if an archived one is asked for by somebody who manages none.
    pub async fn find(&self, actor: &Actor, id: MetricId, inactive: Inactive) -> Result<Metric, Error> {
        let grant = grant_to_read(actor, inactive)?;
        let reader = self.platform.read(actor).await?;
        reader.find_metric(&grant, id).await?.ok_or(Error::NotFound { what: "metric" })
    }

    /// One page of the metrics that the actor may use.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization that the filter names, or if archived ones are asked for by
    /// somebody who manages none.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<MetricFilter, MetricSort>,
    ) -> Result<Page<Metric>, Error> {
        let grant = grant_to_list(actor, listing.filter.organization, listing.inactive)?;
        if let Some(org) = listing.filter.organization {
            let actor = actor.looking_for::<ReadCatalogue>()?;
            self.platform.organizations().find(&actor, org, Inactive::Hidden).await?;
        }
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_metrics(&grant, listing).await?)
    }

    /// Changes a metric; its key and kind stay.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Stale`.
    pub async fn update(
        &self,
        actor: &Actor,
        id: MetricId,
        input: impl Input<MetricChanges>,
        seen: Precondition,
    ) -> Result<Metric, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        let changes = checked(input)?;
        let stamp = before.stamp.touched(grant.author(), self.platform.now());
        let after = Metric {
            name: changes.name.unwrap_or_else(|| before.name.clone()),
            unit: changes.unit.unwrap_or_else(|| before.unit.clone()),
            min: changes.min.unwrap_or(before.min),
            max: changes.max.unwrap_or(before.max),
            max_rate: changes.max_rate.unwrap_or(before.max_rate),
            stamp,
            ..before.clone()
        };
        if !in_order(after.min, after.max) {
            return Err(Error::invalid("min", "must not be greater than max"));
        }
        self.write(actor, Action::Updated, before, after, seen).await
    }

    /// Archives a metric that no active module type uses.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict(InUse)`.
    pub async fn archive(&self, actor: &Actor, id: MetricId, seen: Precondition) -> Result<Metric, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Metric { stamp, ..before.clone() };
        self.write(actor, Action::Archived, before, after, seen).await
    }

    /// Brings an archived metric back.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict` if it is not archived or its key was taken meanwhile.
    pub async fn restore(&self, actor: &Actor, id: MetricId, seen: Precondition) -> Result<Metric, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let before = match self.find(actor, id, Inactive::Included).await {
            Err(Error::Forbidden(_)) => self.find(actor, id, Inactive::Hidden).await?,
            other => other?,
        };
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        let stamp = before.stamp.restored(grant.author(), self.platform.now());
        let after = Metric { stamp, ..before.clone() };
        self.write(actor, Action::Restored, before, after, seen).await
    }

    async fn write(
        &self,
        actor: &Actor,
        action: Action,
        before: Metric,
        after: Metric,
        seen: Precondition,
    ) -> Result<Metric, Error> {
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        seen.check(&before.stamp)?;
        let mut tx = self.platform.write(actor).await?;
        if action == Action::Archived && tx.is_metric_in_use(&grant, before.id).await? {
            return Err(Error::Conflict(Rule::InUse));
        }
        if !tx.update_metric(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, action, &before, &after)).await?;
        Ok(after)
    }
}

fn grant_to_read(actor: &Actor, inactive: Inactive) -> Result<Grant<ReadCatalogue>, Error> {
    grant_to_list(actor, None, inactive)
}

pub(crate) fn grant_to_list(
    actor: &Actor,
    org: Option<OrgId>,
    inactive: Inactive,
) -> Result<Grant<ReadCatalogue>, Error> {
    match (org, inactive) {
        (None, Inactive::Hidden) => actor.grant(),
        (None, Inactive::Included) => actor.grant_with_archived::<ReadCatalogue, ManageCatalogue>(),
        (Some(org), Inactive::Hidden) => actor.grant_within(org),
        (Some(org), Inactive::Included) => {
            actor.grant_within_with_archived::<ReadCatalogue, ManageCatalogue>(org)
        }
    }
}
