//! `create-superuser`: the first user, or one more.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::PathBuf,
};

use sitewatch_domain::{
    access::{Actor, RequestContext},
    text::Secret,
    users::NewUser,
};

use super::{CommandError, installation};
use crate::{cli::print, config::Config};

/// Arguments of `create-superuser`.
#[derive(Debug, clap::Args)]
pub(crate) struct SuperuserArgs {
    /// The e-mail address to sign in with
    #[arg(long)]
    email: String,
    /// The name to show
    #[arg(long, default_value = "Administrator")]
    full_name: String,
    /// Read the password from this file; without it, it is asked for, or read from standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Makes the user, in the database of the settings; a server may be running beside.
#[expect(clippy::disallowed_methods, reason = "whoever can open the database acts for the system")]
pub(crate) async fn run(config: &Config, args: SuperuserArgs) -> Result<(), CommandError> {
    let password = password(&args, config.security.password_min_length)?;
    let runtime = installation(config).await?;
    let system = Actor::system(RequestContext::default());
    let new = NewUser {
        email: args.email,
        full_name: args.full_name,
        password: Some(password),
        locale: None,
        timezone: None,
        is_superuser: true,
    };
    let user = runtime.platform.users().create(&system, new).await?;
    print(&format!("made the superuser {} in {}", user.email, config.database.target))
}

fn password(args: &SuperuserArgs, min_length: usize) -> Result<Secret<String>, CommandError> {
    let text = match &args.password_file {
        Some(path) => std::fs::read_to_string(path)?,
        None if io::stdin().is_terminal() => {
            rpassword::prompt_password(format!("Password ({min_length} characters or more): "))?
        }
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
    };
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
