//! `mail`: one to try things out, at once, past the ledger of jobs; and the addresses that get none.

use sitewatch_domain::{
    Error,
    ids::Id,
    mail::{Content, Delivery, NewMail, Suppression},
    ports::credentials::Entropy as _,
    text::EmailAddress,
    time::Clock as _,
};

use super::{CommandError, installation};
use crate::{
    assemble::{choose_cryptography, post},
    cli::print,
    config::Config,
    system::{OsEntropy, SystemClock},
    work,
};

/// So many addresses are listed; who has more has another trouble.
const MOST_LISTED: u32 = 10_000;

/// Arguments of `mail test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Who gets it
    #[arg(long, value_name = "ADDRESS")]
    to: EmailAddress,
}

/// Arguments of `mail allow`.
#[derive(Debug, clap::Args)]
pub(crate) struct AllowArgs {
    /// Whose
    #[arg(long, value_name = "ADDRESS")]
    to: EmailAddress,
}

/// Prints the addresses that get no mail, one a line: address, when, what the server said.
pub(crate) async fn suppressions(config: &Config) -> Result<(), CommandError> {
    let runtime = installation(config).await?;
    let suppressed = runtime.platform.mail().suppressions(&work::actor(), MOST_LISTED).await?;
    if suppressed.is_empty() {
        return print("every address gets its mail");
    }
    let line = |one: &Suppression| format!("{}\t{}\t{}", one.address, one.created_at, one.reason);
    print(&suppressed.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Lets mail go to an address again.
pub(crate) async fn allow(config: &Config, args: &AllowArgs) -> Result<(), CommandError> {
    let runtime = installation(config).await?;
    match runtime.platform.mail().lift_suppression(&work::actor(), &args.to).await {
        Ok(()) => print(&format!("{} gets mail again; what was suppressed meanwhile is not sent", args.to)),
        Err(Error::NotFound { .. }) => Err(CommandError::Refused(format!("{} is not suppressed", args.to))),
        Err(error) => Err(error.into()),
    }
}

/// Sends a mail as the settings say, whatever was learned of its address, and prints where it went.
pub(crate) async fn test(config: &Config, args: TestArgs) -> Result<(), CommandError> {
    choose_cryptography();
    let post = post(config)?;
    let now = SystemClock.now();
    let mut random = [0; 10];
    OsEntropy.fill(&mut random);
    let id = Id::mint(now, random);
    let new = NewMail::new(args.to.clone(), format!("test:{id}"), Content::Test {});
    let delivery = Delivery::new(id, new, now)?;
    let message_id = Delivery::first_message_id(id, &post.domain());
    let (from, to) = (&config.mail.from, &args.to);
    match post.send(&delivery, None).await {
        Ok(said) => print(&format!("a mail from {from} to {to}, <{message_id}>: {said}")),
        Err(failure) => {
            let destination = post.destination();
            Err(CommandError::Refused(format!(
                "the mail from {from} to {to} was not taken by {destination}: {failure}"
            )))
        }
    }
}
