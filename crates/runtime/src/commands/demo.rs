//! `demo`: gives the demonstration a user through the data folder, and a server if none runs.

use std::{io::Write as _, process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sitewatch_domain::{
    Error, Platform, Rule,
    access::{Actor, RequestContext},
    ids::{OrgId, UserId},
    memberships::NewMembership,
    organizations::{NewOrganization, OrganizationFilter},
    page::Listing,
    ports::Entropy as _,
    text::Secret,
    users::{NewUser, UserFilter},
};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
};

use super::{CommandError, installation};
use crate::{
    client::ClientError,
    config::{Config, Overrides},
    demo::{ADMIN_EMAIL, ADMIN_NAME, DemoArgs, DemoError, ORGANIZATION, TIMEZONE, load_farm},
    system::OsEntropy,
};

/// How long a server that was started for the demonstration may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a server may take to show that it is there.
const FIRST_CONTACT: Duration = Duration::from_secs(5);

/// Runs the command. A signal that is meant for it alone ends its server with it.
pub(crate) async fn run(config: &Config, settings: &Overrides, args: DemoArgs) -> Result<(), CommandError> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = show(config, settings, args) => outcome,
        _ = terminate.recv() => Err(CommandError::Refused("the demonstration was told to stop".into())),
    }
}

async fn show(config: &Config, settings: &Overrides, args: DemoArgs) -> Result<(), CommandError> {
    let own = config.server.local_address();
    let url = args.url.unwrap_or_else(|| own.clone());
    let server = if answers(&url).await {
        None
    } else if url.trim_end_matches('/') == own {
        Some(start_server(settings, &url).await?)
    } else {
        return Err(CommandError::Refused(format!(
            "no server answers at {url}; start it, or leave --url out to have one started at {own}"
        )));
    };
    let password = random_password();
    let organization = prepare(config, &password).await?;
    let loaded = load_farm(&url, &organization.to_string(), &password).await;
    loaded.map_err(|error| CommandError::Refused(sentence(&error, &url, config)))?;
    let Some(mut server) = server else { return Ok(()) };
    let notice = "\nNo server was running, so this command runs one until you press Ctrl-C.\n";
    std::io::stdout().write_all(notice.as_bytes())?;
    // Ctrl-C reaches the server as well, which stops by itself.
    server.wait().await?;
    Ok(())
}

/// The sentence for what stopped it.
fn sentence(error: &DemoError, url: &str, config: &Config) -> String {
    match error {
        DemoError::SignIn(ClientError::Unauthenticated) => format!(
            "the server at {url} has another database than the one of these settings, {}, and so does not know the \
             demonstration's user; give this command the settings of that server, or have another one started with --bind",
            config.database.target
        ),
        other => other.to_string(),
    }
}

async fn answers(url: &str) -> bool {
    let health = format!("{}/health", url.trim_end_matches('/'));
    let asked = tokio::time::timeout(FIRST_CONTACT, reqwest::get(health)).await;
    asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status().is_success()))
}

async fn start_server(settings: &Overrides, url: &str) -> Result<Child, CommandError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve");
    settings.hand_on(&mut command);
    // It ends with this command, whatever comes between.
    let mut server = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let give_up = tokio::time::Instant::now() + PATIENCE;
    while !answers(url).await {
        if server.try_wait()?.is_some() {
            return Err(CommandError::Refused(
                "the server that was started has ended; its own words are above".into(),
            ));
        }
        if tokio::time::Instant::now() > give_up {
            return Err(CommandError::Refused(format!(
                "the server that was started does not answer at {url}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(server)
}

fn random_password() -> Secret<String> {
    let mut bytes = [0; 18];
    OsEntropy.fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// Makes the organization and its admin, or gives the admin a new password: what only whoever can open the database may do.
#[expect(clippy::disallowed_methods, reason = "whoever can open the database acts for the system")]
async fn prepare(config: &Config, password: &Secret<String>) -> Result<OrgId, CommandError> {
    let platform = installation(config).await?.platform;
    let system = Actor::system(RequestContext::default());
    let organization = organization(&platform, &system).await?;
    let user = admin(&platform, &system, password).await?;
    let membership = NewMembership { user_id: user, role: "admin".into() };
    match platform.memberships().create(&system, organization, membership).await {
        Ok(_) | Err(Error::Conflict(Rule::Membership)) => Ok(organization),
        Err(error) => Err(error.into()),
    }
}

async fn organization(platform: &Platform, system: &Actor) -> Result<OrgId, Error> {
    let filter = OrganizationFilter { name: Some(ORGANIZATION.into()), ..OrganizationFilter::default() };
    let found = platform.organizations().list(system, &Listing { filter, ..Listing::default() }).await?;
    if let Some(organization) = found.items.first() {
        return Ok(organization.id);
    }
    let new = NewOrganization { name: ORGANIZATION.into(), slug: None, timezone: Some(TIMEZONE.into()) };
    Ok(platform.organizations().create(system, new).await?.id)
}

async fn admin(platform: &Platform, system: &Actor, password: &Secret<String>) -> Result<UserId, Error> {
    let filter = UserFilter { email: Some(ADMIN_EMAIL.into()), ..UserFilter::default() };
    let found = platform.users().list(system, &Listing { filter, ..Listing::default() }).await?;
    if let Some(user) = found.items.first() {
        platform.users().set_password(system, user.id, password.clone()).await?;
        return Ok(user.id);
    }
    let new = NewUser {
        email: ADMIN_EMAIL.into(),
        full_name: ADMIN_NAME.into(),
        password: Some(password.clone()),
        locale: None,
        timezone: Some(TIMEZONE.into()),
        is_superuser: false,
    };
    Ok(platform.users().create(system, new).await?.id)
}
