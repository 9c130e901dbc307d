//! What a module refers to: its type and its gateway.

use crate::{
    access::{Actor, ManageModules, OrgGrant, ReadCatalogue, ReadModules},
    error::{Error, FieldErrors, Rule},
    ids::{ModuleId, ModuleTypeId, SiteId},
    module_types::ModuleType,
    ports::Tx,
};

/// A gateway that a module is to report through, and the site that it has to stand at.
pub(super) struct Behind {
    /// `None` for a module that is being made.
    pub(super) module: Option<ModuleId>,
    pub(super) site: SiteId,
    pub(super) gateway: ModuleId,
}

/// What a module refers to must be its organization's, or built in, and its gateway at its site; unknown and foreign ids
/// get the same answer.
pub(super) async fn check_references(
    actor: &Actor,
    tx: &mut dyn Tx,
    grant: &OrgGrant<ManageModules>,
    module_type: Option<ModuleTypeId>,
    behind: Option<Behind>,
) -> Result<Option<ModuleType>, Error> {
    let mut faults = FieldErrors::new();
    let mut found_type = None;
    if let Some(id) = module_type {
        let catalogue = actor.grant_within::<ReadCatalogue>(grant.org())?;
        found_type = tx.find_module_type(&catalogue, id).await?;
        if found_type.is_none() {
            faults.add("module_type_id", "is not a module type of the organization or a built-in one");
        }
    }
    if let Some(behind) = behind
        && let Some(fault) = fault_of_gateway(actor, tx, grant, &behind).await?
    {
        faults.add("parent_module_id", fault);
    }
    faults.into_result().map(|()| found_type)
}

async fn fault_of_gateway(
    actor: &Actor,
    tx: &mut dyn Tx,
    grant: &OrgGrant<ManageModules>,
    behind: &Behind,
) -> Result<Option<&'static str>, Error> {
    if behind.module == Some(behind.gateway) {
        return Ok(Some("must not be the module itself"));
    }
    let modules = actor.grant_within::<ReadModules>(grant.org())?;
    let Some(gateway) = tx.find_module(&modules, behind.gateway).await? else {
        return Ok(Some("is not a module of the organization"));
    };
    if gateway.site_id != behind.site {
        return Ok(Some("stands at another site"));
    }
    match behind.module {
        Some(module) if tx.reports_through(grant, &gateway, module).await? => {
            Ok(Some("reports through the module itself"))
        }
        _ => Ok(None),
    }
}

/// A module that others report through stays where it is.
pub(super) async fn keep_gateway(
    tx: &mut dyn Tx,
    grant: &OrgGrant<ManageModules>,
    id: ModuleId,
) -> Result<(), Error> {
    if tx.is_gateway_in_use(grant, id).await? { Err(Error::Conflict(Rule::InUse)) } else { Ok(()) }
}
