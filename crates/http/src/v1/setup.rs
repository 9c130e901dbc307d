//! The first superuser.

use actix_web::web;
use serde::Deserialize;
use sitewatch_domain::{FieldErrors, Platform, limits::RequestClass, setup::FirstSuperuser, text::Secret};
use utoipa::ToSchema;

use super::users::UserView;
use crate::{
    body::{Body, Field},
    caller::Visitor,
    envelope::{Created, Envelope},
    error::{ApiError, ErrorBody},
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![Address::at("/api/v1/setup").post(complete).limited_as(RequestClass::Auth)]
}

/// What the first superuser is made from.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"token": "what the server printed at its first start", "email": "ada@example.org", "full_name": "Ada Lovelace", "password": "plum tandem gravel"}))]
pub(crate) struct SetupBody {
    /// The one-time token that the server printed at its first start.
    #[schema(value_type = String, required = true)]
    token: Field<Secret<String>>,
    /// The e-mail address.
    #[schema(value_type = String, required = true)]
    email: Field<String>,
    /// The name to show.
    #[schema(value_type = String, required = true)]
    full_name: Field<String>,
    /// The password: long enough (12 characters unless the installation asks for more) and not easy to guess.
    #[schema(value_type = String, format = Password, required = true, max_length = 1024)]
    password: Field<Secret<String>>,
}

impl Body for SetupBody {
    type Input = FirstSuperuser;

    fn into_input(self, faults: &mut FieldErrors) -> FirstSuperuser {
        FirstSuperuser {
            token: self.token.required("token", faults),
            email: self.email.required("email", faults),
            full_name: self.full_name.required("full_name", faults),
            password: self.password.required("password", faults),
        }
    }
}

/// Makes the first superuser with the one-time token that the server printed.
#[utoipa::path(post, path = "/api/v1/setup", tag = "auth", operation_id = "completeSetup", request_body = SetupBody,
    responses(
        (status = 201, description = "The superuser", body = Envelope<UserView>),
        (status = 410, description = "There is a superuser already", body = ErrorBody),
    ))]
pub(crate) async fn complete(
    platform: web::Data<Platform>,
    visitor: Visitor,
) -> Result<Created<UserView>, ApiError> {
    let body = visitor.credentials().await?.json::<SetupBody>();
    let user = platform.setup().complete(visitor.context(), body).await?;
    Ok(Created(user.into()))
}
