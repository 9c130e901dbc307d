use serde_json::{Value, json};

use super::{Content, Delivery, DeliveryState, NewMail, SendMail, Sending, Suppression};
use crate::{
    access::{Actor, Author, RunJobs},
    audit::Audit,
    error::Error,
    ids::DeliveryId,
    jobs::{self, Run, When},
    platform::Platform,
    ports::Tx,
    text::{EmailAddress, Secret},
};

const OWN_RECORD: Audit = Audit::none("a delivery is the record of its own");

/// Use cases of mail.
pub struct Mail<'a> {
    platform: &'a Platform,
}

impl<'a> Mail<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Writes a mail that no other change causes. False if there is one with its key.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers.
    pub async fn send(&self, actor: &Actor, new: NewMail) -> Result<bool, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let written = super::send(self.platform, tx.as_mut(), grant.author(), new).await?;
        self.platform.commit(tx, OWN_RECORD).await?;
        Ok(written)
    }

    /// The mail with this key, and what came of it.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `NotFound`.
    pub async fn find(&self, actor: &Actor, dedupe_key: &str) -> Result<Delivery, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let found = self.platform.read(actor).await?.find_delivery(&grant, dedupe_key).await?;
        found.ok_or(Error::NotFound { what: "mail" })
    }

    /// Begins a try, committed before anything is sent; `domain` is what a first Message-ID ends in. `None` if there is
    /// nothing to send: it was sent, its address takes no mail, or it is gone.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn claim(&self, run: &Run, id: DeliveryId, domain: &str) -> Result<Option<Delivery>, Error> {
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(&actor).await?;
        let message_id = Delivery::first_message_id(id, domain);
        let Some(delivery) = tx.claim_delivery(&grant, id, &message_id).await? else { return Ok(None) };
        self.platform.commit(tx, OWN_RECORD).await?;
        Ok((delivery.state == DeliveryState::Claimed).then_some(delivery))
    }

    /// Why a mail that was claimed is not to be sent any more, if it is not: what it is about is asked when it goes, not when it
    /// was written.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reason_to_withhold(&self, run: &Run, delivery: &Delivery) -> Result<Option<String>, Error> {
        if delivery.good_until.is_some_and(|good_until| self.platform.now() >= good_until) {
            return Ok(Some("what it offers is over".to_owned()));
        }
        if !matches!(delivery.content(), Some(Content::PasswordReset(_) | Content::Welcome(_))) {
            return Ok(None);
        }
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let reader = self.platform.read(&actor).await?;
        let is_his = reader.is_address_of_user(&grant, &delivery.recipient).await?;
        Ok((!is_his).then(|| "no active user has this address any more".to_owned()))
    }

    /// The token that a claimed mail carries. `None` if it carries none, or none that can be opened: it was forgotten, or the
    /// secret key that sealed it is gone.
    pub fn secret_of(&self, delivery: &Delivery) -> Option<Secret<String>> {
        let sealed = delivery.sealed_secret.as_ref()?;
        let opened = self.platform.ports().sealer.open(&secret_context(delivery.id), sealed);
        let opened = opened.inspect_err(|error| {
            tracing::warn!(delivery.id = %delivery.id, error = %error, "what a mail carries cannot be opened");
        });
        String::from_utf8(opened.ok()?.expose().clone()).ok().map(Secret::new)
    }

    /// The addresses that take no mail, newest first, at most so many.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Unavailable`.
    pub async fn suppressions(&self, actor: &Actor, limit: u32) -> Result<Vec<Suppression>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        Ok(self.platform.read(actor).await?.list_suppressions(&grant, limit).await?)
    }

    /// Lets mail go to an address again. What was suppressed meanwhile is not sent.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `NotFound` if the address takes mail; `Unavailable`.
    pub async fn lift_suppression(&self, actor: &Actor, address: &EmailAddress) -> Result<(), Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let Some(lifted) = tx.lift_suppression(&grant, address).await? else {
            return Err(Error::NotFound { what: "suppressed address" });
        };
        self.platform.commit(tx, Audit::deleted(&grant, &lifted)).await?;
        Ok(())
    }

    /// Notes what came of a try; a mail that was sent or withheld also settles its job. What is put off beyond
    /// [`Delivery::tried_until`] is given up.
    /// The state that the mail is in then.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`: somebody else sends it; `Unavailable`: it will be sent once more.
    pub async fn settle(
        &self,
        run: &Run,
        delivery: &Delivery,
        sending: &Sending,
    ) -> Result<DeliveryState, Error> {
        let now = self.platform.now();
        let (state, error, actor) = match sending {
            Sending::Sent => (DeliveryState::Sent, None, run.closing_actor(Some(told(DeliveryState::Sent)))),
            Sending::Withheld(why) => {
                let told = told(DeliveryState::Suppressed);
                (DeliveryState::Suppressed, Some(why), run.closing_actor(Some(told)))
            }
            Sending::PutOff(why) if now < delivery.tried_until() => {
                (DeliveryState::Queued, Some(why), run.actor())
            }
            Sending::PutOff(why) | Sending::Refused { why, .. } => {
                (DeliveryState::Failed, Some(why), run.actor())
            }
        };
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(&actor).await?;
        tx.settle_delivery(&grant, delivery.id, state, error.map(String::as_str), now).await?;
        if let Sending::Refused { why, by_address: true } = sending {
            tx.suppress_address(&grant, &delivery.recipient, why, now).await?;
        }
        self.platform.commit(tx, OWN_RECORD).await?;
        Ok(state)
    }
}

/// What the job of a mail tells of it.
pub fn told(state: DeliveryState) -> Value {
    json!({ "mail": state.name() })
}

/// Writes a mail and the job that sends it into the transaction of the change that causes it: what every sender uses. False if
/// there is a mail with its key.
pub(crate) async fn send(
    platform: &Platform,
    tx: &mut dyn Tx,
    author: &Author,
    new: NewMail,
) -> Result<bool, Error> {
    let secret = new.secret.clone().filter(|_| new.withheld.is_none());
    let mut delivery = Delivery::new(platform.mint(), new, platform.now())?;
    if let Some(secret) = secret {
        let sealed = platform.ports().sealer.seal(&secret_context(delivery.id), secret.expose().as_bytes());
        delivery.sealed_secret = Some(sealed.map_err(Error::Internal)?);
    }
    if !tx.insert_delivery(&delivery).await? {
        return Ok(false);
    }
    if delivery.state == DeliveryState::Queued {
        let job = SendMail { delivery: delivery.id, organization_id: delivery.organization_id };
        jobs::enqueue(platform, tx, author, &job, When::Now).await?;
    }
    Ok(true)
}

/// What the token of a mail is sealed for: no other mail can carry it.
fn secret_context(delivery: DeliveryId) -> Vec<u8> {
    format!("mail:{delivery}").into_bytes()
}
