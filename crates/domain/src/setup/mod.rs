//! The first superuser: made once, with a one-time token that only the server's own console shows.

mod repository;
mod service;

use validator::Validate;

pub use repository::SetupRepository;
pub use service::Setup;

use crate::{
    text::{self, Secret},
    users::NewUser,
};

/// What the first superuser is made from.
#[derive(Debug, Clone, Validate)]
pub struct FirstSuperuser {
    /// The one-time token.
    #[validate(skip)]
    pub token: Secret<String>,
    /// The address.
    #[validate(custom(function = text::email))]
    pub email: String,
    /// The name to show.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub full_name: String,
    /// The password.
    #[validate(skip)]
    pub password: Secret<String>,
}

impl FirstSuperuser {
    pub(crate) fn to_new_user(&self) -> NewUser {
        NewUser {
            email: self.email.clone(),
            full_name: self.full_name.clone(),
            password: Some(self.password.clone()),
            locale: None,
            timezone: None,
            is_superuser: true,
        }
    }
}
