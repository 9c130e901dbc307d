//! Reading the audit log, and its chains as they are. Writing it is part of every commit.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _,
};
use sitewatch_domain::{
    access::{AuthorKind, Grant, PlatformGrant, ReadAudit, RunJobs},
    audit::{Action, AuditEvent, AuditFilter, AuditKey, AuditRepository, ChainHead, ChainLink, ChainState},
    ids::{Id, OrgId, UserId},
    ports::StoreError,
    time::Instant,
};
use uuid::Uuid;

use crate::{
    entities::audit_event::{Column, Model},
    error::{corrupt, store_error},
    paging::between,
    scope,
    session::Session,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> AuditRepository for Session<C> {
    async fn list_audit_events(
        &self,
        grant: &Grant<ReadAudit>,
        filter: &AuditFilter,
        after: Option<AuditKey>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let older = |key: AuditKey| {
            let same_moment = Condition::all().add(Column::At.eq(key.at)).add(Column::Id.lt(key.id));
            Condition::any().add(Column::At.lt(key.at)).add(same_moment)
        };
        let rows = scope::audit_events(grant)
            .filter(between(Column::At, filter.at))
            .apply_if(after, |rows, key| rows.filter(older(key)))
            .apply_if(filter.organization, |rows, org: OrgId| {
                rows.filter(Column::OrganizationId.eq(org.uuid()))
            })
            .apply_if(filter.actor, |rows, actor: UserId| rows.filter(Column::ActorId.eq(actor.uuid())))
            .apply_if(filter.action, |rows, action: Action| rows.filter(Column::Action.eq(action.name())))
            .apply_if(filter.resource.as_ref(), |rows, resource| rows.filter(Column::Resource.eq(resource)))
            .apply_if(filter.resource_id, |rows, id| rows.filter(Column::ResourceId.eq(id)))
            .order_by_desc(Column::At)
            .order_by_desc(Column::Id)
            .limit(u64::from(limit));
        rows.all(&self.connection).await.map_err(store_error)?.into_iter().map(event_of).collect()
    }

    async fn list_audit_chains(
        &self,
        _grant: &PlatformGrant<ReadAudit>,
    ) -> Result<Vec<Option<OrgId>>, StoreError> {
        self.audit_chains().await
    }

    async fn list_chain_heads(
        &self,
        _grant: &PlatformGrant<ReadAudit>,
    ) -> Result<Vec<(ChainHead, bool)>, StoreError> {
        let notary = &self.shared.notary;
        let heads = self.chain_heads().await?.into_iter();
        let told = heads.map(|(head, seal)| {
            let is_sealed = notary.has_sealed(&head.sealed_text(), &seal);
            (head, is_sealed)
        });
        Ok(told.collect())
    }

    async fn chain_state(
        &self,
        _grant: &PlatformGrant<ReadAudit>,
        chain: Option<OrgId>,
    ) -> Result<ChainState, StoreError> {
        self.state_of_chain(chain).await
    }

    async fn list_chain_links(
        &self,
        _grant: &PlatformGrant<ReadAudit>,
        chain: Option<OrgId>,
        after: Option<(i64, Uuid)>,
        end: i64,
        limit: u32,
    ) -> Result<Vec<ChainLink>, StoreError> {
        self.chain_links(chain, after, end, limit).await
    }

    async fn list_outside_chain(
        &self,
        _grant: &PlatformGrant<ReadAudit>,
        chain: Option<OrgId>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        self.outside_chain(chain, after, limit).await
    }

    async fn adopt_audit_events(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.adopt_some(limit).await
    }

    async fn chains_to_mend(
        &self,
        _grant: &PlatformGrant<RunJobs>,
    ) -> Result<Vec<Option<OrgId>>, StoreError> {
        self.chains_in_need().await
    }

    async fn mend_chain(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        chain: Option<OrgId>,
    ) -> Result<(), StoreError> {
        self.mend(chain).await
    }
}

fn event_of(row: Model) -> Result<AuditEvent, StoreError> {
    let actor_kind = AuthorKind::ALL.iter().copied().find(|kind| kind.name() == row.actor_kind);
    Ok(AuditEvent {
        id: Id::from_uuid(row.id),
        at: Instant::from_micros(row.at),
        organization_id: row.organization_id.map(Id::from_uuid),
        actor_kind: actor_kind.ok_or_else(|| corrupt("audit_events", "actor_kind", row.id))?,
        actor_id: row.actor_id.map(Id::from_uuid),
        credential_id: row.credential_id,
        is_superuser: row.is_superuser,
        action: Action::from_name(&row.action).ok_or_else(|| corrupt("audit_events", "action", row.id))?,
        resource: row.resource,
        resource_id: row.resource_id,
        before: row.before,
        after: row.after,
        request_id: row.request_id,
        client: row.client,
    })
}
