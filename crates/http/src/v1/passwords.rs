//! Passwords: changing one's own, and getting back in without one.

use actix_web::{CustomizeResponder, HttpResponse, Responder as _, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    limits::RequestClass,
    passwords::{NewPassword, PasswordChange, PasswordForgotten},
    text::Secret,
};
use utoipa::ToSchema;

use crate::{
    body::{Body, Field},
    caller::{Caller, Visitor},
    envelope::{Envelope, Plain},
    error::{ApiError, ErrorBody},
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/auth/password/change").post(change).limited_as(RequestClass::Auth),
        Address::at("/api/v1/auth/password/forgot").post(forgot).limited_as(RequestClass::Auth),
        Address::at("/api/v1/auth/password/reset").post(reset).limited_as(RequestClass::Auth),
    ]
}

/// A new password for somebody who knows his old one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"current_password": "plum tandem gravel", "new_password": "velvet orbit cactus"}))]
pub(crate) struct ChangePasswordBody {
    /// The password until now.
    #[schema(value_type = String, format = Password, required = true)]
    current_password: Field<Secret<String>>,
    /// The password from now on: long enough (12 characters unless the installation asks for more) and not easy to guess.
    #[schema(value_type = String, format = Password, required = true, max_length = 1024)]
    new_password: Field<Secret<String>>,
}

impl Body for ChangePasswordBody {
    type Input = PasswordChange;

    fn into_input(self, faults: &mut FieldErrors) -> PasswordChange {
        PasswordChange {
            current_password: self.current_password.required("current_password", faults),
            new_password: self.new_password.required("new_password", faults),
        }
    }
}

/// Somebody who cannot sign in.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"email": "ada@example.org"}))]
pub(crate) struct ForgotPasswordBody {
    /// The e-mail address of the account.
    #[schema(value_type = String, required = true, format = "email", max_length = 254)]
    email: Field<String>,
}

impl Body for ForgotPasswordBody {
    type Input = PasswordForgotten;

    fn into_input(self, faults: &mut FieldErrors) -> PasswordForgotten {
        PasswordForgotten { email: self.email.required("email", faults) }
    }
}

/// A new password for somebody who was sent a token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"token": "what stands behind #token= in the link", "new_password": "velvet orbit cactus"}))]
pub(crate) struct ResetPasswordBody {
    /// The token: what stands after `#token=` in the link of the mail.
    #[schema(value_type = String, required = true)]
    token: Field<Secret<String>>,
    /// The new password: long enough (12 characters unless the installation asks for more) and not easy to guess.
    #[schema(value_type = String, format = Password, required = true, max_length = 1024)]
    new_password: Field<Secret<String>>,
}

impl Body for ResetPasswordBody {
    type Input = NewPassword;

    fn into_input(self, faults: &mut FieldErrors) -> NewPassword {
        NewPassword {
            token: self.token.required("token", faults),
            new_password: self.new_password.required("new_password", faults),
        }
    }
}

/// What is said to everybody who cannot sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = ForgotPassword)]
pub(crate) struct ForgotPasswordView {
    /// For people.
    #[schema(example = "if there is an account with this address, a mail is on its way")]
    message: &'static str,
}

/// Changes your password, and ends all of your sessions but this one. You are told by mail.
#[utoipa::path(post, path = "/api/v1/auth/password/change", tag = "auth", operation_id = "changePassword",
    request_body = ChangePasswordBody,
    responses((status = 204, description = "Changed")))]
pub(crate) async fn change(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    caller.no_query()?;
    let body = caller.credentials().await?.json::<ChangePasswordBody>();
    platform.passwords().change(&caller, body).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Has a link to a new password sent to an address, if it is that of an account; the answer is the same if it is not.
#[utoipa::path(post, path = "/api/v1/auth/password/forgot", tag = "auth", operation_id = "forgotPassword",
    request_body = ForgotPasswordBody,
    responses((status = 202, description = "Taken", body = Envelope<ForgotPasswordView>)))]
pub(crate) async fn forgot(
    platform: web::Data<Platform>,
    visitor: Visitor,
) -> Result<CustomizeResponder<Plain<ForgotPasswordView>>, ApiError> {
    visitor.no_query()?;
    let body = visitor.credentials().await?.json::<ForgotPasswordBody>();
    platform.passwords().forgot(visitor.context(), body).await?;
    let message = "if there is an account with this address, a mail is on its way";
    Ok(Plain(ForgotPasswordView { message }).customize().with_status(StatusCode::ACCEPTED))
}

/// Sets a new password with the token of a mail, which is good once and for 30 minutes, and ends all sessions. You are told by mail.
#[utoipa::path(post, path = "/api/v1/auth/password/reset", tag = "auth", operation_id = "resetPassword",
    request_body = ResetPasswordBody,
    responses(
        (status = 204, description = "Set"),
        (status = 401, description = "The token is unknown, was used, or is over", body = ErrorBody),
    ))]
pub(crate) async fn reset(platform: web::Data<Platform>, visitor: Visitor) -> Result<HttpResponse, ApiError> {
    visitor.no_query()?;
    let body = visitor.credentials().await?.json::<ResetPasswordBody>();
    platform.passwords().reset(visitor.context(), body).await?;
    Ok(HttpResponse::NoContent().finish())
}
