//! Keys as they are shown: whom each stands for at this moment, and that it was used.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use async_trait::async_trait;
use moka::sync::Cache;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, Value};
use sitewatch_domain::{
    access::{Bearer, Credential, LogEnds, Spot, Standing},
    ids::Id,
    keys::{FoundKey, KeyKind, KeyPrefix, KeyRepository, KeyUse, USE_NOTED_EVERY},
    ports::StoreError,
    time::Instant,
};
use uuid::Uuid;

use super::{
    placeholders,
    standing::{add_rights, entries_of_all_logs, log_end_of},
};
use crate::{
    deadline::Timed,
    error::{corrupt, store_error},
    gather::Question,
    session::Session,
};

/// API keys with their owners, one row for each membership and assignment of a user; the columns 2 to 7 are those of a
/// standing. Written out, since it runs on every request of a program.
const API_KEYS: &str = concat!(
    "\
    SELECT k.id, k.user_id, u.is_superuser, m.organization_id, m.role, a.site_id, a.module_id, a.access, \
           k.prefix, k.digest, k.expires_at, k.last_used_at, k.organization_id, k.scopes, h.hash, g.hash, ",
    entries_of_all_logs!(),
    "\
    FROM api_keys k \
    LEFT JOIN users u ON u.id = k.user_id AND u.is_active \
    LEFT JOIN organizations own ON own.id = k.organization_id AND own.is_active \
    LEFT JOIN (memberships m JOIN organizations o ON o.id = m.organization_id AND o.is_active) \
        ON m.user_id = u.id AND m.is_active \
    LEFT JOIN audit_heads h ON h.chain = m.organization_id \
    LEFT JOIN audit_heads g ON g.chain = own.id \
    LEFT JOIN assignments a ON a.user_id = m.user_id AND a.organization_id = m.organization_id AND a.is_active \
    WHERE k.is_active AND (u.id IS NOT NULL OR own.id IS NOT NULL) AND k.prefix"
);

/// Device credentials whose organization and whose site or module are active.
const DEVICES: &str = "\
    SELECT c.id, c.organization_id, c.site_id, c.module_id, \
           NULL AS none_4, NULL AS none_5, NULL AS none_6, NULL AS none_7, \
           c.prefix, c.digest, c.expires_at, c.last_used_at \
    FROM device_credentials c \
    JOIN organizations o ON o.id = c.organization_id AND o.is_active \
    LEFT JOIN sites s ON s.id = c.site_id AND s.is_active \
    LEFT JOIN modules m ON m.id = c.module_id AND m.is_active \
    WHERE c.is_active AND (s.id IS NOT NULL OR m.id IS NOT NULL) AND c.prefix";

/// Whether a key or credential is still good, asked again by every transaction of whoever shows it.
const IS_GOOD_API_KEY: &str = "SELECT 1 AS found FROM api_keys WHERE id = $1 AND is_active";
const IS_GOOD_DEVICE: &str = "\
    SELECT 1 AS found FROM device_credentials c \
    LEFT JOIN sites s ON s.id = c.site_id AND s.is_active \
    LEFT JOIN modules m ON m.id = c.module_id AND m.is_active \
    WHERE c.id = $1 AND c.is_active AND (s.id IS NOT NULL OR m.id IS NOT NULL)";

/// Keys whose use this process has noted a moment ago: many requests at once would else all note theirs.
pub(crate) type RecentUses = Cache<Uuid, ()>;

/// Some hundred bytes each.
const MOST_REMEMBERED: u64 = 100_000;

pub(crate) fn recent_uses() -> RecentUses {
    // Shorter than the time between two notes, so that none is missed.
    let while_running = USE_NOTED_EVERY.saturating_sub(Duration::from_secs(5));
    Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(while_running).build()
}

/// Notes a use, unless another node has done so. Nothing depends on it.
pub(crate) async fn note_use<C: ConnectionTrait>(connection: &C, key_use: &KeyUse) {
    let table = match key_use.credential {
        Credential::ApiKey(_) => "api_keys",
        Credential::Device(_) => "device_credentials",
    };
    let sql = format!(
        "UPDATE {table} SET last_used_at = $1, last_used_ip = $2 \
         WHERE id = $3 AND (last_used_at IS NULL OR last_used_at <= $4)"
    );
    let values: [Value; 4] = [
        key_use.at.as_micros().into(),
        key_use.client.clone().into(),
        key_use.credential.uuid().into(),
        key_use.at.minus(USE_NOTED_EVERY).as_micros().into(),
    ];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    if let Err(error) = connection.execute_raw(statement).await {
        tracing::warn!(%error, "the use of a key could not be noted");
    }
}

/// The question for keys of one kind, as a [`crate::gather::Gather`] asks it.
pub(super) struct KeyQuestion {
    pub(super) kind: KeyKind,
    pub(super) connection: Timed<DatabaseConnection>,
}

#[async_trait]
impl Question for KeyQuestion {
    type Key = KeyPrefix;
    type Answer = FoundKey;

    async fn ask(&self, keys: &[KeyPrefix]) -> Result<HashMap<KeyPrefix, FoundKey>, StoreError> {
        find(&self.connection, self.kind, keys).await
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> KeyRepository for Session<C> {
    async fn find_key(&self, kind: KeyKind, prefix: KeyPrefix) -> Result<Option<FoundKey>, StoreError> {
        match &self.standings {
            Some(questions) => match kind {
                KeyKind::Api => questions.api_keys.ask(prefix).await,
                KeyKind::Device => questions.devices.ask(prefix).await,
            },
            None => Ok(find(&self.connection, kind, &[prefix]).await?.remove(&prefix)),
        }
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Refuses a credential that was revoked after its bearer was let in.
    pub(crate) async fn require_good(&self, credential: Credential) -> Result<(), StoreError> {
        let sql = match credential {
            Credential::ApiKey(_) => IS_GOOD_API_KEY,
            Credential::Device(_) => IS_GOOD_DEVICE,
        };
        let found = self.query_sql(sql, [credential.uuid().into()]).await?;
        if found.is_empty() { Err(StoreError::Revoked) } else { Ok(()) }
    }
}

/// The good keys with these prefixes.
async fn find<C: ConnectionTrait>(
    connection: &C,
    kind: KeyKind,
    prefixes: &[KeyPrefix],
) -> Result<HashMap<KeyPrefix, FoundKey>, StoreError> {
    let select = match kind {
        KeyKind::Api => API_KEYS,
        KeyKind::Device => DEVICES,
    };
    let texts = || prefixes.iter().map(|prefix| prefix.as_str().to_owned());
    let backend = connection.get_database_backend();
    let statement = if backend == DbBackend::Postgres {
        // One text for any number of keys.
        let texts = Value::from(texts().collect::<Vec<String>>());
        Statement::from_sql_and_values(backend, format!("{select} = ANY($1)"), [texts])
    } else {
        let sql = format!("{select} IN ({})", placeholders(1, prefixes.len()));
        Statement::from_sql_and_values(backend, sql, texts().map(Value::from))
    };
    let mut found: HashMap<KeyPrefix, FoundKey> = HashMap::with_capacity(prefixes.len());
    for row in connection.query_all_raw(statement).await.map_err(store_error)? {
        let text: String = row.try_get_by_index(8).map_err(store_error)?;
        let prefix = KeyPrefix::parse(&text).ok_or_else(|| corrupt("api_keys", "prefix", &text))?;
        let key = match found.entry(prefix) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(key_of(kind, &row)?),
        };
        if let Bearer::User { standing, .. } = &mut key.bearer {
            add_rights(standing, &row, Some(14))?;
        }
    }
    Ok(found)
}

fn key_of(kind: KeyKind, row: &QueryResult) -> Result<FoundKey, StoreError> {
    let id: Uuid = row.try_get_by_index(0).map_err(store_error)?;
    let instant = |index: usize| {
        let micros: Option<i64> = row.try_get_by_index(index).map_err(store_error)?;
        Ok::<_, StoreError>(micros.map(Instant::from_micros))
    };
    let (credential, bearer) = match kind {
        KeyKind::Api => (Credential::ApiKey(Id::from_uuid(id)), owner_of(id, row)?),
        KeyKind::Device => (Credential::Device(Id::from_uuid(id)), device_of(id, row)?),
    };
    Ok(FoundKey {
        credential,
        digest: row.try_get_by_index(9).map_err(store_error)?,
        expires_at: instant(10)?,
        last_used_at: instant(11)?,
        bearer,
    })
}

fn owner_of(id: Uuid, row: &QueryResult) -> Result<Bearer, StoreError> {
    let scopes: String = row.try_get_by_index(13).map_err(store_error)?;
    let scopes = super::tags_of(&scopes).ok_or_else(|| corrupt("api_keys", "scopes", id))?;
    let user: Option<Uuid> = row.try_get_by_index(1).map_err(store_error)?;
    let org: Option<Uuid> = row.try_get_by_index(12).map_err(store_error)?;
    match (user, org) {
        (Some(user), None) => {
            let standing = Standing {
                user: Id::from_uuid(user),
                session: None,
                is_superuser: row.try_get_by_index(2).map_err(store_error)?,
                memberships: Vec::new(),
                assignments: Vec::new(),
                log_ends: LogEnds {
                    of_orgs: Vec::new(),
                    of_all: row.try_get_by_index(16).map_err(store_error)?,
                },
            };
            Ok(Bearer::User { standing, scopes })
        }
        (None, Some(org)) => {
            let org = Id::from_uuid(org);
            let end = log_end_of(row, 15)?.map(|end| (org, end));
            let log_ends = LogEnds { of_orgs: end.into_iter().collect(), of_all: None };
            Ok(Bearer::Organization { org, scopes, log_ends })
        }
        _ => Err(corrupt("api_keys", "user_id", id)),
    }
}

fn device_of(id: Uuid, row: &QueryResult) -> Result<Bearer, StoreError> {
    let org: Uuid = row.try_get_by_index(1).map_err(store_error)?;
    let site: Option<Uuid> = row.try_get_by_index(2).map_err(store_error)?;
    let module: Option<Uuid> = row.try_get_by_index(3).map_err(store_error)?;
    let spot = match (site, module) {
        (Some(site), None) => Spot::Site(Id::from_uuid(site)),
        (None, Some(module)) => Spot::Module(Id::from_uuid(module)),
        _ => return Err(corrupt("device_credentials", "site_id", id)),
    };
    Ok(Bearer::Device { org: Id::from_uuid(org), spot })
}
