//! `mail test`: one mail, at once, past the ledger of jobs.

use sitewatch_domain::{
    ids::Id,
    mail::{Content, Delivery, NewMail},
    ports::credentials::Entropy as _,
    text::EmailAddress,
    time::Clock as _,
};

use super::CommandError;
use crate::{
    assemble::{choose_cryptography, post},
    cli::print,
    config::Config,
    system::{OsEntropy, SystemClock},
};

/// Arguments of `mail test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Who gets it
    #[arg(long, value_name = "ADDRESS")]
    to: EmailAddress,
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
