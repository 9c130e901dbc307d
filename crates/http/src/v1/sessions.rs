//! Sessions of the signed-in user and, for superusers, of others.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use sitewatch_domain::{
    Platform,
    ids::SessionId,
    page::Page,
    sessions::{Session, SessionSort},
    time::Instant,
};
use utoipa::ToSchema;

use super::views::PageParameters;
use crate::{
    caller::Caller,
    envelope::{Envelope, List},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/auth/logout-all").post(logout_all),
        Address::at("/api/v1/auth/me/sessions").get(list),
        Address::at("/api/v1/auth/me/sessions/{session_id}").delete(end),
        Address::at("/api/v1/users/{user_id}/sessions").get(list_of_user).delete(end_all_of_user),
        Address::at("/api/v1/users/{user_id}/sessions/{session_id}").delete(end_of_user),
    ]
}

/// A sign-in that is still good.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// The session's id.
    #[schema(value_type = uuid::Uuid)]
    id: SessionId,
    /// The address that signed in.
    ip: Option<String>,
    /// Its `User-Agent`.
    user_agent: Option<String>,
    /// When somebody signed in.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// When it was last refreshed; access tokens are used for up to 15 minutes after that.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Instant,
    /// When it ends unless it is refreshed before.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Instant,
    /// Whether it is the session of this request.
    is_current: bool,
}

impl SessionView {
    fn of(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            ip: session.client,
            user_agent: session.user_agent,
            created_at: session.created_at,
            last_used_at: session.rotated_at,
            expires_at: session.idle_until.min(session.absolute_until),
            is_current: current == Some(session.id),
        }
    }
}

pub(crate) const SORT_KEYS: &[(&str, SessionSort)] =
    &[("created_at", SessionSort::CreatedAt), ("last_used_at", SessionSort::LastUsedAt)];

fn views(caller: &Caller, page: Page<Session>) -> List<SessionView> {
    List(page.map(|session| SessionView::of(session, caller.session())))
}

/// Your own sessions, the newest first.
#[utoipa::path(get, path = "/api/v1/auth/me/sessions", tag = "auth", operation_id = "listMySessions",
    params(PageParameters),
    responses((status = 200, description = "One page of sessions", body = Envelope<Vec<SessionView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<SessionView>, ApiError> {
    let mut query = caller.query();
    let listing = query.unsearched_listing((), SORT_KEYS);
    query.finish()?;
    Ok(views(&caller, platform.sessions().list_own(&caller, &listing).await?))
}

/// Ends one of your own sessions at once, on every node.
#[utoipa::path(delete, path = "/api/v1/auth/me/sessions/{session_id}", tag = "auth", operation_id = "endMySession",
    params(("session_id" = uuid::Uuid, Path)),
    responses((status = 204, description = "Ended")))]
pub(crate) async fn end(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let session = caller.id("session_id", "session")?;
    caller.no_query()?;
    platform.sessions().end_own(&caller, session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends all of your sessions at once, this one among them.
#[utoipa::path(post, path = "/api/v1/auth/logout-all", tag = "auth", operation_id = "logoutAll",
    responses((status = 204, description = "Signed out everywhere")))]
pub(crate) async fn logout_all(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    caller.no_query()?;
    platform.sessions().end_all_own(&caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The sessions of a user, the newest first: for himself and superusers.
#[utoipa::path(get, path = "/api/v1/users/{user_id}/sessions", tag = "users", operation_id = "listUserSessions",
    params(("user_id" = uuid::Uuid, Path), PageParameters),
    responses((status = 200, description = "One page of sessions", body = Envelope<Vec<SessionView>>)))]
pub(crate) async fn list_of_user(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<SessionView>, ApiError> {
    let user = caller.id("user_id", "user")?;
    let mut query = caller.query();
    let listing = query.unsearched_listing((), SORT_KEYS);
    query.finish()?;
    Ok(views(&caller, platform.sessions().list_of(&caller, user, &listing).await?))
}

/// Ends a session of a user at once, on every node.
#[utoipa::path(delete, path = "/api/v1/users/{user_id}/sessions/{session_id}", tag = "users",
    operation_id = "endUserSession",
    params(("user_id" = uuid::Uuid, Path), ("session_id" = uuid::Uuid, Path)),
    responses((status = 204, description = "Ended")))]
pub(crate) async fn end_of_user(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let user = caller.id("user_id", "user")?;
    let session = caller.id("session_id", "session")?;
    caller.no_query()?;
    platform.sessions().end_of(&caller, user, session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends all sessions of a user at once, on every node.
#[utoipa::path(delete, path = "/api/v1/users/{user_id}/sessions", tag = "users", operation_id = "endUserSessions",
    params(("user_id" = uuid::Uuid, Path)),
    responses((status = 204, description = "Ended")))]
pub(crate) async fn end_all_of_user(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let user = caller.id("user_id", "user")?;
    caller.no_query()?;
    platform.sessions().end_all_of(&caller, user).await?;
    Ok(HttpResponse::NoContent().finish())
}
