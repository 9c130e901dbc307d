use super::{ModuleType, ModuleTypeChanges, ModuleTypeFilter, ModuleTypeSort, NewModuleType, TypeMetric};
use crate::{
    access::{Actor, ManageCatalogue, OwnerGrant, ReadCatalogue},
    audit::{Action, Audit},
    error::{Error, FieldErrors, Rule},
    ids::{ModuleTypeId, OrgId},
    input::{Input, checked},
    metrics::{Metric, grant_to_list},
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    stamp::{Precondition, Stamp},
};

/// Use cases of module types.
pub struct ModuleTypes<'a> {
    platform: &'a Platform,
}

impl<'a> ModuleTypes<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a module type for an organization, or a built-in one. Admins for their organization; superusers both.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization; `Invalid`, also for metric keys that the
    /// owner cannot use; `Conflict(ModuleTypeName)`.
    pub async fn create(
        &self,
        actor: &Actor,
        owner: Option<OrgId>,
        input: impl Input<NewModuleType>,
    ) -> Result<ModuleType, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let grant = actor.grant_of_owner::<ManageCatalogue>(owner)?;
        if let Some(org) = owner {
            self.platform.organizations().find(actor, org, Inactive::Hidden).await?;
        }
        let new = checked(input)?;
        let mut tx = self.platform.write(actor).await?;
        let module_type = ModuleType {
            id: self.platform.mint(),
            organization_id: owner,
            name: new.name,
            manufacturer: new.manufacturer,
            model: new.model,
            expected_interval_s: new.expected_interval_s,
            offline_after_s: new.offline_after_s,
            metrics: resolve_metrics(actor, tx.as_ref(), &grant, &new.metrics).await?,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        tx.insert_module_type(&grant, &module_type).await?;
        self.platform.commit(tx, Audit::created(&grant, &module_type)).await?;
        Ok(module_type)
    }

    /// A module type that is built in or belongs to one of the actor's organizations.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if an archived one is asked for by somebody who manages none.
    pub async fn find(
        &self,
        actor: &Actor,
        id: ModuleTypeId,
        inactive: Inactive,
    ) -> Result<ModuleType, Error> {
        let grant = grant_to_list(actor, None, inactive)?;
        let reader = self.platform.read(actor).await?;
        reader.find_module_type(&grant, id).await?.ok_or(Error::NotFound { what: "module type" })
    }

    /// One page of the module types that the actor may use.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization that the filter names, or if archived ones are asked for by
    /// somebody who manages none.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<ModuleTypeFilter, ModuleTypeSort>,
    ) -> Result<Page<ModuleType>, Error> {
        let grant = grant_to_list(actor, listing.filter.organization, listing.inactive)?;
        if let Some(org) = listing.filter.organization {
            let actor = actor.looking_for::<ReadCatalogue>()?;
            self.platform.organizations().find(&actor, org, Inactive::Hidden).await?;
        }
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_module_types(&grant, listing).await?)
    }

    /// Changes a module type.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Stale`; `Conflict(ModuleTypeName)`.
    pub async fn update(
        &self,
        actor: &Actor,
        id: ModuleTypeId,
        input: impl Input<ModuleTypeChanges>,
        seen: Precondition,
    ) -> Result<ModuleType, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        let changes = checked(input)?;
        seen.check(&before.stamp)?;
        let tx = self.platform.write(actor).await?;
        let metrics = match &changes.metrics {
            Some(keys) => resolve_metrics(actor, tx.as_ref(), &grant, keys).await?,
            None => before.metrics.clone(),
        };
        let after = ModuleType {
            name: changes.name.unwrap_or_else(|| before.name.clone()),
            manufacturer: changes.manufacturer.unwrap_or_else(|| before.manufacturer.clone()),
            model: changes.model.unwrap_or_else(|| before.model.clone()),
            expected_interval_s: changes.expected_interval_s.unwrap_or(before.expected_interval_s),
            offline_after_s: changes.offline_after_s.unwrap_or(before.offline_after_s),
            metrics,
            stamp: before.stamp.touched(grant.author(), self.platform.now()),
            ..before.clone()
        };
        self.write(tx, &grant, Action::Updated, (before, after), &seen).await
    }

    /// Archives a module type that no active module is of.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict(InUse)`.
    pub async fn archive(
        &self,
        actor: &Actor,
        id: ModuleTypeId,
        seen: Precondition,
    ) -> Result<ModuleType, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        seen.check(&before.stamp)?;
        let mut tx = self.platform.write(actor).await?;
        if tx.is_module_type_in_use(&grant, id).await? {
            return Err(Error::Conflict(Rule::InUse));
        }
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = ModuleType { stamp, ..before.clone() };
        self.write(tx, &grant, Action::Archived, (before, after), &seen).await
    }

    /// Brings an archived module type back.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict` if it is not archived or its name was taken meanwhile.
    pub async fn restore(
        &self,
        actor: &Actor,
        id: ModuleTypeId,
        seen: Precondition,
    ) -> Result<ModuleType, Error> {
        let actor = &actor.looking_for::<ManageCatalogue>()?;
        let before = match self.find(actor, id, Inactive::Included).await {
            Err(Error::Forbidden(_)) => self.find(actor, id, Inactive::Hidden).await?,
            other => other?,
        };
        let grant = actor.grant_of_owner::<ManageCatalogue>(before.organization_id)?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        seen.check(&before.stamp)?;
        let stamp = before.stamp.restored(grant.author(), self.platform.now());
        let after = ModuleType { stamp, ..before.clone() };
        let tx = self.platform.write(actor).await?;
        self.write(tx, &grant, Action::Restored, (before, after), &seen).await
    }

    async fn write(
        &self,
        mut tx: Box<dyn Tx>,
        grant: &OwnerGrant<ManageCatalogue>,
        action: Action,
        (before, after): (ModuleType, ModuleType),
        seen: &Precondition,
    ) -> Result<ModuleType, Error> {
        if !tx.update_module_type(grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(grant, action, &before, &after)).await?;
        Ok(after)
    }
}

/// The metrics that the owner means by these keys: his own before built-in ones.
async fn resolve_metrics(
    actor: &Actor,
    tx: &dyn Tx,
    grant: &OwnerGrant<ManageCatalogue>,
    keys: &[String],
) -> Result<Vec<TypeMetric>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let read = actor.grant::<ReadCatalogue>()?;
    let usable = tx.find_metrics_by_key(&read, grant.org(), keys).await?;
    let mut faults = FieldErrors::new();
    let mut metrics = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let named = |metric: &&Metric| metric.key == *key;
        let own = usable.iter().filter(named).find(|metric| metric.organization_id.is_some());
        match own.or_else(|| usable.iter().find(named)) {
            Some(metric) => metrics.push(TypeMetric { id: metric.id, key: metric.key.clone() }),
            None => faults.add(
                format!("metrics[{index}]"),
                "is not the key of a metric of the owner or a built-in one",
            ),
        }
    }
    faults.into_result().map(|()| metrics)
}
