//! The first superuser: from the settings, or through a one-time link that is shown once.

use std::io::Write as _;

use sitewatch_domain::{
    Error, Platform, Rule,
    access::{Actor, RequestContext},
    text::Secret,
    users::NewUser,
};

use crate::{
    config::{Config, FirstAdmin},
    exit::StartError,
};

/// Makes sure that somebody can get in: the superuser of the settings, or a way to make one.
///
/// # Errors
/// If the database fails, or the settings name a user that cannot be made.
#[expect(clippy::disallowed_methods, reason = "before the first superuser there is nobody else to act")]
pub async fn ensure(platform: &Platform, config: &Config) -> Result<(), StartError> {
    let system = Actor::system(RequestContext::default());
    let internal = |error: Error| StartError::Internal(error.into());
    if platform.setup().has_superuser(&system).await.map_err(internal)? {
        return Ok(());
    }
    if let Some(admin) = &config.admin {
        return match platform.users().create(&system, new_superuser(admin)).await {
            Ok(user) => {
                tracing::info!(user.id = %user.id, "made the superuser of the settings");
                Ok(())
            }
            // Another node that started at the same moment was faster.
            Err(Error::Conflict(Rule::UserEmail)) => Ok(()),
            Err(Error::Invalid(faults)) => Err(StartError::FirstAdmin { problem: faults.to_string() }),
            Err(error) => Err(internal(error)),
        };
    }
    if let Some(token) = platform.setup().open(&system).await.map_err(internal)? {
        invite(config, &token);
    }
    Ok(())
}

fn new_superuser(admin: &FirstAdmin) -> NewUser {
    NewUser {
        email: admin.email.to_string(),
        full_name: "Administrator".into(),
        password: Some(admin.password.clone()),
        locale: None,
        timezone: None,
        is_superuser: true,
    }
}

/// Shows the one-time link and the command that uses it. Each start makes a fresh token and forgets the one before.
fn invite(config: &Config, token: &Secret<String>) {
    let url = config.server.public_url.as_str().trim_end_matches('/');
    let folder = &config.storage.data_dir;
    // Quoted for a shell, as the other settings cannot be: they may hold secrets.
    let folder = format!(" --data-dir '{}'", folder.display().to_string().replace('\'', "'\\''"));
    let text = format!(
        "\n  There is no superuser yet. Make one, in one of two ways:\n\n    \
         sitewatch-api create-superuser{folder} --email you@example.org --full-name \"Your Name\"\n\n    \
         curl -X POST {url}/api/v1/setup -H 'Content-Type: application/json' \\\n      \
         -d '{{\"token\":\"{token}\",\"email\":\"you@example.org\",\"full_name\":\"Your Name\",\"password\":\"at least twelve characters\"}}'\n\n  \
         The first one wants this server's other settings as well (in the environment, a file, or as the same flags); after\n  \
         `make run` it is `cargo run --release --bin sitewatch-api -- create-superuser …`. The token in the second one is good for\n  \
         one use, until the next start.\n",
        token = token.expose(),
    );
    // Straight to the terminal: a log is kept and shipped, and this token should not be.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
