//! Sending mails.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sitewatch_domain::{
    Error,
    jobs::Run,
    mail::{Delivery, DeliveryState, Mail, SendMail, Sending, told},
};

use super::Tools;
use crate::{
    deliver::MailFailure,
    registry::{Handler, JobFailure},
};

/// Before the database is asked again after it did not answer.
const PAUSE: Duration = Duration::from_millis(500);

#[async_trait]
impl Handler for SendMail {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        let mail = tools.platform.mail();
        let Some(delivery) = mail.claim(run, self.delivery, &tools.post.domain()).await? else {
            return Ok(Some(told(DeliveryState::Suppressed)));
        };
        let secret = mail.secret_of(&delivery);
        let sent = match mail.reason_to_withhold(run, &delivery).await? {
            Some(why) => Err(MailFailure::Withheld(why)),
            None => tools.post.send(&delivery, secret.as_ref()).await,
        };
        let sending = match sent {
            Ok(said) => {
                tracing::info!(delivery.id = %delivery.id, template = delivery.template, said, "a mail was handed over");
                Sending::Sent
            }
            Err(failure) => {
                tracing::warn!(delivery.id = %delivery.id, template = delivery.template, %failure, "a mail was not taken");
                sending_of(failure)
            }
        };
        let state = settle(&mail, run, &delivery, &sending).await?;
        metrics::counter!("mails_total", "state" => state.name()).increment(1);
        // What the server said is for operators: the job is seen by tenants.
        match state {
            DeliveryState::Sent | DeliveryState::Suppressed => Ok(Some(told(state))),
            DeliveryState::Queued => {
                Err(JobFailure::Retry("the mail could not be handed over yet".to_owned()))
            }
            _ => Err(JobFailure::GiveUp(
                "the mail was refused, or could not be handed over in time".to_owned(),
            )),
        }
    }
}

/// Notes what came of it, as soon as the database is there: a mail that was taken and is not noted is sent once more.
async fn settle(
    mail: &Mail<'_>,
    run: &Run,
    delivery: &Delivery,
    sending: &Sending,
) -> Result<DeliveryState, Error> {
    loop {
        match mail.settle(run, delivery, sending).await {
            Err(Error::Unavailable { source, .. }) => {
                let cause = source.map(|source| source.to_string());
                tracing::warn!(delivery.id = %delivery.id, cause, "what came of a mail cannot be noted yet");
                tokio::time::sleep(PAUSE).await;
            }
            settled => return settled,
        }
    }
}

fn sending_of(failure: MailFailure) -> Sending {
    match failure {
        MailFailure::PutOff(why) => Sending::PutOff(why),
        MailFailure::Withheld(why) => Sending::Withheld(why),
        MailFailure::Refused(why) => Sending::Refused { why, by_address: false },
        MailFailure::NoSuchRecipient(why) => Sending::Refused { why, by_address: true },
    }
}
