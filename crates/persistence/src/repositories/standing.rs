//! What the caller of a request may do: asked by every request, and answered for many of them at once.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, Value};
use sitewatch_domain::{
    access::{Access, LogEnds, Role, Spot, Standing},
    audit::Digest,
    ids::{Id, OrgId, SessionId, UserId},
    keys::KeyKind,
    memberships::MemberRole,
    ports::StoreError,
    sessions::LiveSession,
    time::Instant,
};
use uuid::Uuid;

use super::{keys::KeyQuestion, placeholders};
use crate::{
    deadline::Timed,
    error::{corrupt, store_error},
    gather::{Gather, Question},
};

/// How many entries all logs have together: for superusers (`u`), who see the state of all, and while there are not too many logs to add up
/// on every request.
macro_rules! entries_of_all_logs {
    () => {
        "CASE WHEN u.is_superuser THEN (SELECT CASE WHEN COUNT(*) <= 1000 THEN CAST(SUM(e.seq) AS BIGINT) END \
              FROM (SELECT seq FROM audit_heads LIMIT 1001) e) END "
    };
}
pub(super) use entries_of_all_logs;

/// Sessions with their users, one row for each membership and assignment. Written out, since it runs on every request
/// and building it anew would take longer than the database needs to answer.
const STANDINGS: &str = concat!(
    "\
    SELECT s.id, s.user_id, u.is_superuser, m.organization_id, m.role, a.site_id, a.module_id, a.access, \
           s.idle_until, s.absolute_until, s.refresh_counter, s.refresh_confirmed, h.hash, ",
    entries_of_all_logs!(),
    "\
    FROM sessions s \
    JOIN users u ON u.id = s.user_id AND u.is_active \
    LEFT JOIN (memberships m JOIN organizations o ON o.id = m.organization_id AND o.is_active) \
        ON m.user_id = s.user_id AND m.is_active \
    LEFT JOIN audit_heads h ON h.chain = m.organization_id \
    LEFT JOIN assignments a ON a.user_id = m.user_id AND a.organization_id = m.organization_id AND a.is_active \
    WHERE s.revoked_at IS NULL AND s.id"
);

/// The same of a user, whether or not he is signed in; places and order of the columns are those of [`STANDINGS`].
const STANDING_OF: &str = "\
    SELECT u.id, u.id, u.is_superuser, m.organization_id, m.role, a.site_id, a.module_id, a.access \
    FROM users u \
    LEFT JOIN (memberships m JOIN organizations o ON o.id = m.organization_id AND o.is_active) \
        ON m.user_id = u.id AND m.is_active \
    LEFT JOIN assignments a ON a.user_id = m.user_id AND a.organization_id = m.organization_id AND a.is_active \
    WHERE u.is_active AND u.id = $1";

/// What a session stands for, until it ends.
#[derive(Clone)]
pub(super) struct Found {
    session: LiveSession,
    until: i64,
}

impl Found {
    /// The session at this moment; none if the session has ended by then.
    pub(super) fn at(self, now: Instant) -> Option<LiveSession> {
        (self.until > now.as_micros()).then_some(self.session)
    }
}

/// Gathers what is asked at the same time of who the callers are.
pub(crate) struct Questions {
    pub(super) sessions: Arc<Gather<StandingQuestion>>,
    pub(super) api_keys: Arc<Gather<KeyQuestion>>,
    pub(super) devices: Arc<Gather<KeyQuestion>>,
}

impl Questions {
    pub(crate) fn new(connection: impl Fn() -> Timed<DatabaseConnection>) -> Self {
        let keys = |kind| Gather::new(KeyQuestion { kind, connection: connection() });
        Self {
            sessions: Gather::new(StandingQuestion(connection())),
            api_keys: keys(KeyKind::Api),
            devices: keys(KeyKind::Device),
        }
    }
}

/// The question, as a [`Gather`] asks it.
pub(super) struct StandingQuestion(Timed<DatabaseConnection>);

#[async_trait]
impl Question for StandingQuestion {
    type Key = SessionId;
    type Answer = Found;

    async fn ask(&self, keys: &[SessionId]) -> Result<HashMap<SessionId, Found>, StoreError> {
        find(&self.0, keys).await
    }
}

/// What these sessions stand for; those that are unknown or revoked are missing.
pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    sessions: &[SessionId],
) -> Result<HashMap<SessionId, Found>, StoreError> {
    let ids = || sessions.iter().map(|session| session.uuid());
    let backend = connection.get_database_backend();
    let statement = if backend == DbBackend::Postgres {
        // One text for any number of sessions.
        let ids = Value::from(ids().collect::<Vec<Uuid>>());
        Statement::from_sql_and_values(backend, format!("{STANDINGS} = ANY($1)"), [ids])
    } else {
        let sql = format!("{STANDINGS} IN ({})", placeholders(1, sessions.len()));
        Statement::from_sql_and_values(backend, sql, ids().map(Value::from))
    };
    let mut found = HashMap::with_capacity(sessions.len());
    for row in connection.query_all_raw(statement).await.map_err(store_error)? {
        add_row(&mut found, &row)?;
    }
    Ok(found)
}

/// What a user may do, in whose name a job works.
pub(super) async fn find_of<C: ConnectionTrait>(
    connection: &C,
    user: UserId,
) -> Result<Option<Standing>, StoreError> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, STANDING_OF, [user.uuid().into()]);
    let rows = connection.query_all_raw(statement).await.map_err(store_error)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut standing = Standing {
        user,
        session: None,
        is_superuser: first.try_get_by_index(2).map_err(store_error)?,
        memberships: Vec::new(),
        assignments: Vec::new(),
        log_ends: LogEnds::default(),
    };
    for row in &rows {
        add_rights(&mut standing, row, None)?;
    }
    Ok(Some(standing))
}

fn add_row(found: &mut HashMap<SessionId, Found>, row: &QueryResult) -> Result<(), StoreError> {
    let session = Id::from_uuid(row.try_get_by_index(0).map_err(store_error)?);
    let found = match found.entry(session) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(without_rights(session, row)?),
    };
    add_rights(&mut found.session.standing, row, Some(12))
}

fn without_rights(session: SessionId, row: &QueryResult) -> Result<Found, StoreError> {
    let standing = Standing {
        user: Id::from_uuid(row.try_get_by_index(1).map_err(store_error)?),
        session: Some(session),
        is_superuser: row.try_get_by_index(2).map_err(store_error)?,
        memberships: Vec::new(),
        assignments: Vec::new(),
        log_ends: LogEnds { of_orgs: Vec::new(), of_all: row.try_get_by_index(13).map_err(store_error)? },
    };
    let idle_until: i64 = row.try_get_by_index(8).map_err(store_error)?;
    let absolute_until: i64 = row.try_get_by_index(9).map_err(store_error)?;
    let session = LiveSession {
        standing,
        refresh_counter: row.try_get_by_index(10).map_err(store_error)?,
        refresh_confirmed: row.try_get_by_index(11).map_err(store_error)?,
    };
    Ok(Found { session, until: idle_until.min(absolute_until) })
}

/// Adds the membership and the assignment of a row, which stand in its columns 3 to 7, and the end of the organization's log from this column.
pub(super) fn add_rights(
    standing: &mut Standing,
    row: &QueryResult,
    log_end: Option<usize>,
) -> Result<(), StoreError> {
    let org: Option<Uuid> = row.try_get_by_index(3).map_err(store_error)?;
    let role: Option<String> = row.try_get_by_index(4).map_err(store_error)?;
    let (Some(org), Some(role)) = (org, role) else { return Ok(()) };
    let org: OrgId = Id::from_uuid(org);
    let role: Role = MemberRole::from_name(&role).ok_or_else(|| corrupt("memberships", "role", org))?.role();
    if !standing.memberships.contains(&(org, role)) {
        standing.memberships.push((org, role));
        let end = log_end.map(|column| log_end_of(row, column)).transpose()?.flatten();
        standing.log_ends.of_orgs.extend(end.map(|end| (org, end)));
    }
    let site: Option<Uuid> = row.try_get_by_index(5).map_err(store_error)?;
    let module: Option<Uuid> = row.try_get_by_index(6).map_err(store_error)?;
    let access: Option<String> = row.try_get_by_index(7).map_err(store_error)?;
    let Some(access) = access else { return Ok(()) };
    let access = Access::from_name(&access).ok_or_else(|| corrupt("assignments", "access", org))?;
    let spot = match (site, module) {
        (Some(site), None) => Spot::Site(Id::from_uuid(site)),
        (None, Some(module)) => Spot::Module(Id::from_uuid(module)),
        _ => return Err(corrupt("assignments", "site_id", org)),
    };
    standing.assignments.push((org, spot, access));
    Ok(())
}

/// The last hash of a log, from this column; `None` if it is not known.
pub(super) fn log_end_of(row: &QueryResult, column: usize) -> Result<Option<Digest>, StoreError> {
    let hash: Option<Vec<u8>> = row.try_get_by_index(column).map_err(store_error)?;
    Ok(hash.and_then(|hash| Digest::try_from(hash.as_slice()).ok()))
}
