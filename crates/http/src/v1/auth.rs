//! Signing in and out; the signed-in user himself.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    Error, FieldErrors, Platform, Rule,
    access::RequestContext,
    error::TokenFault,
    limits::RequestClass,
    sessions::{Credentials, SessionTokens},
    text::Secret,
};
use utoipa::ToSchema;

use super::users::{MeView, UpdateUserBody, me_view};
use crate::{
    body::{Body, Field},
    caller::{Caller, Visitor},
    deprecations::OWN_USER,
    envelope::{Envelope, One, Plain},
    error::{ApiError, ErrorBody},
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/auth/login").post(login).limited_as(RequestClass::Auth),
        Address::at("/api/v1/auth/token").post(token).limited_as(RequestClass::Auth),
        Address::at("/api/v1/auth/refresh").post(refresh),
        Address::at("/api/v1/auth/logout").post(logout),
        Address::at("/api/v1/auth/me").get(me).patch(update_me),
        // Before the users, among whose ids it would be looked for.
        Address::at(OWN_USER.path).get(own_user).deprecated(&OWN_USER),
    ]
}

/// How long a refresh waits for another one of the same session.
const REFRESH_PATIENCE: Duration = Duration::from_secs(3);
/// Between its looks, the later the longer.
const REFRESH_PAUSES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(30);

/// What somebody signs in with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"email": "ada@example.org", "password": "plum tandem gravel"}))]
pub(crate) struct LoginBody {
    /// The e-mail address.
    #[schema(value_type = String, required = true, example = "demo@example.com")]
    email: Field<String>,
    /// The password.
    #[schema(value_type = String, format = Password, required = true)]
    password: Field<Secret<String>>,
}

impl Body for LoginBody {
    type Input = Credentials;

    fn into_input(self, faults: &mut FieldErrors) -> Credentials {
        Credentials {
            email: self.email.required("email", faults),
            password: self.password.required("password", faults),
        }
    }
}

/// What a session is carried on with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"refresh_token": "the refresh token of the newest answer"}))]
pub(crate) struct RefreshBody {
    /// The newest refresh token of the session.
    #[schema(value_type = String, required = true)]
    refresh_token: Field<Secret<String>>,
}

impl Body for RefreshBody {
    type Input = Secret<String>;

    fn into_input(self, faults: &mut FieldErrors) -> Secret<String> {
        self.refresh_token.required("refresh_token", faults)
    }
}

/// What signing out may say; the session is that of the access token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({}))]
pub(crate) struct LogoutBody {
    /// Accepted for clients that send it, and not needed.
    #[schema(value_type = Option<String>)]
    refresh_token: Field<Secret<String>>,
}

impl Body for LogoutBody {
    type Input = Option<Secret<String>>;

    fn into_input(self, faults: &mut FieldErrors) -> Self::Input {
        self.refresh_token.optional("refresh_token", faults)
    }
}

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensView {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// Good for one refresh.
    refresh_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds until the access token ends.
    #[schema(example = 900)]
    expires_in: u64,
}

impl From<SessionTokens> for TokensView {
    fn from(tokens: SessionTokens) -> Self {
        Self {
            access_token: tokens.access_token.expose().clone(),
            refresh_token: tokens.refresh_token.expose().clone(),
            token_type: "bearer",
            expires_in: tokens.expires_in,
        }
    }
}

/// Signs in with e-mail address and password.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", operation_id = "login", request_body = LoginBody,
    responses((status = 200, description = "A pair of tokens", body = Envelope<TokensView>)))]
pub(crate) async fn login(
    platform: web::Data<Platform>,
    visitor: Visitor,
) -> Result<Plain<TokensView>, ApiError> {
    let body = visitor.credentials().await?.json::<LoginBody>();
    let tokens = platform.sessions().login(visitor.context(), body).await?;
    Ok(Plain(tokens.into()))
}

/// Signs in with the OAuth2 password form (RFC 6749, section 4.3). Answers in that protocol's own form.
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "auth", operation_id = "createToken",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A pair of tokens", body = TokensView),
        (status = 400, description = "The form or the credentials are wrong", body = TokenFailure),
    ))]
pub(crate) async fn token(platform: web::Data<Platform>, visitor: Visitor) -> Result<HttpResponse, ApiError> {
    let form = visitor.form().await?;
    let field = |name: &str| {
        let mut values = url::form_urlencoded::parse(&form).filter(|(key, _)| key == name);
        values.next().map(|(_, value)| value.into_owned())
    };
    if field("grant_type").as_deref() != Some("password") {
        return Ok(TokenFailure::answer("unsupported_grant_type", "grant_type must be password"));
    }
    let (Some(email), Some(password)) = (field("username"), field("password")) else {
        return Ok(TokenFailure::answer("invalid_request", "username and password are required"));
    };
    let credentials = Credentials { email, password: Secret::new(password) };
    match platform.sessions().login(visitor.context(), credentials).await {
        Ok(tokens) => Ok(HttpResponse::Ok().json(TokensView::from(tokens))),
        Err(Error::Unauthenticated(TokenFault::Credentials)) => {
            Ok(TokenFailure::answer("invalid_grant", "wrong e-mail address or password"))
        }
        Err(Error::Invalid(_)) => Ok(TokenFailure::answer("invalid_request", "username is too long")),
        Err(error) => Err(error.into()),
    }
}

/// The OAuth2 password form.
#[derive(ToSchema)]
#[schema(example = json!({"grant_type": "password", "username": "ada@example.org", "password": "plum tandem gravel"}))]
#[expect(dead_code, reason = "documents the form that `token` reads")]
pub(crate) struct TokenForm {
    /// Always `password`.
    #[schema(example = "password")]
    grant_type: String,
    /// The e-mail address.
    username: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
}

/// A refusal as RFC 6749, section 5.2, wants it.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenFailure {
    /// `invalid_request`, `invalid_grant` or `unsupported_grant_type`.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    /// For people.
    error_description: &'static str,
}

impl TokenFailure {
    fn answer(error: &'static str, error_description: &'static str) -> HttpResponse {
        HttpResponse::build(StatusCode::BAD_REQUEST).json(Self { error, error_description })
    }
}

/// Exchanges a refresh token for a new pair; the old one is dead afterwards.
///
/// A client that lost the answer asks again with the same token, within a minute. 409 means that another request of the same
/// session is under way: keep the tokens, and ask again after `Retry-After`.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", operation_id = "refresh", request_body = RefreshBody,
    responses(
        (status = 200, description = "A pair of tokens", body = Envelope<TokensView>),
        (status = 409, description = "Another refresh of the session is under way", body = ErrorBody),
    ))]
pub(crate) async fn refresh(
    platform: web::Data<Platform>,
    visitor: Visitor,
) -> Result<Plain<TokensView>, ApiError> {
    let body = visitor.credentials().await?.parse::<RefreshBody>()?;
    let token = body.shape()?;
    let tokens = refreshed(&platform, &visitor.context(), token.expose()).await?;
    Ok(Plain(tokens.into()))
}

/// Waits in line without holding a connection of the database meanwhile.
async fn refreshed(
    platform: &Platform,
    context: &RequestContext,
    token: &str,
) -> Result<SessionTokens, Error> {
    let began = Instant::now();
    let mut pause = REFRESH_PAUSES.start().to_owned();
    loop {
        match platform.sessions().refresh(context.clone(), token).await {
            Err(Error::Conflict(Rule::RefreshInFlight)) if began.elapsed() < REFRESH_PATIENCE => {
                actix_web::rt::time::sleep(pause).await;
                pause = (pause + Duration::from_millis(5)).min(*REFRESH_PAUSES.end());
            }
            answer => return answer,
        }
    }
}

/// Signs out: ends the session of the access token.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", operation_id = "logout",
    request_body(content = Option<LogoutBody>),
    responses((status = 204, description = "Signed out")))]
pub(crate) async fn logout(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    caller.person()?;
    caller.no_query()?;
    let body = caller.body().await?;
    if !body.is_empty() {
        body.parse::<LogoutBody>()?.shape()?;
    }
    platform.sessions().logout(&caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The signed-in user, or whose API key it is, with his organizations and assignments.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", operation_id = "getMe",
    responses((status = 200, description = "The user", body = Envelope<MeView>)))]
pub(crate) async fn me(platform: web::Data<Platform>, caller: Caller) -> Result<One<MeView>, ApiError> {
    caller.no_query()?;
    let user = platform.sessions().me(&caller).await?;
    // Whose key it is, is told to whoever shows it.
    Ok(One(me_view(&platform, &caller.as_oneself()?, user).await?))
}

/// The signed-in user: what `GET /auth/me` answers, under the name that many a client tries first.
#[utoipa::path(get, path = "/api/v1/users/me", tag = "users", operation_id = "getOwnUser",
    responses((status = 200, description = "The user", body = Envelope<MeView>)))]
pub(crate) async fn own_user(platform: web::Data<Platform>, caller: Caller) -> Result<One<MeView>, ApiError> {
    me(platform, caller).await
}

/// Changes name, locale or time zone of the signed-in user.
#[utoipa::path(patch, path = "/api/v1/auth/me", tag = "auth", operation_id = "patchMe",
    params(super::views::IfMatch),
    request_body(content = UpdateUserBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The user", body = Envelope<MeView>)))]
pub(crate) async fn update_me(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MeView>, ApiError> {
    let id = caller.person()?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateUserBody>();
    let user = platform.users().update(&caller, id, body, caller.if_match()).await?;
    Ok(One(me_view(&platform, &caller, user).await?))
}
