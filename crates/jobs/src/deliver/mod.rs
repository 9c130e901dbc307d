//! Handing mails over: what they look like, and where they go.

mod file;
mod letter;
mod smtp;
mod smtp_server;
mod templates;

use std::sync::Arc;

use async_trait::async_trait;
use sitewatch_domain::{
    error::BoxError,
    mail::{Content, Delivery},
    text::{EmailAddress, Secret},
};
use url::{Host, Url};
use uuid::Uuid;

pub use file::FileMailer;
pub use letter::{Attachment, HeaderText, Letter, NotHeaderText};
pub use smtp::SmtpMailer;
pub use smtp_server::{NotAnSmtpServer, SmtpServer};

/// Takes letters, to send them on or to keep them.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a letter over; what was said to it, or where it lies.
    async fn send(&self, letter: &Letter) -> Result<String, MailFailure>;

    /// Where letters go, fit for logs.
    fn destination(&self) -> String;
}

/// Why a letter was not taken. The texts are for operators: they may quote the mail server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFailure {
    /// It may work later.
    #[error("put off: {0}")]
    PutOff(String),
    /// It never will.
    #[error("refused: {0}")]
    Refused(String),
    /// Its recipient is not to get it any more.
    #[error("withheld: {0}")]
    Withheld(String),
    /// The address takes no mail.
    #[error("refused for this recipient: {0}")]
    NoSuchRecipient(String),
}

/// Reads the files that mails carry, at the time when they are sent.
#[async_trait]
pub trait Attachments: Send + Sync {
    /// What goes along with the mail that tells this recipient of a run of a report.
    async fn read(&self, run: Uuid, to: &EmailAddress) -> Result<Enclosed, BoxError>;
}

/// What goes along with a mail.
#[derive(Debug, Clone)]
pub enum Enclosed {
    /// A file.
    File(Attachment),
    /// Nothing.
    Nothing,
    /// The mail is not to be sent; the text says why.
    Withheld(String),
}

/// Words mails and hands them over.
#[derive(Clone)]
pub struct Post {
    mailer: Arc<dyn Mailer>,
    attachments: Option<Arc<dyn Attachments>>,
    sender: EmailAddress,
    public_url: Url,
}

impl Post {
    /// A post that writes as `sender`, with links below `public_url`.
    pub fn new(mailer: Arc<dyn Mailer>, sender: EmailAddress, public_url: Url) -> Self {
        Self { mailer, attachments: None, sender, public_url }
    }

    /// With files that go along.
    #[must_use]
    pub fn with_attachments(self, attachments: Arc<dyn Attachments>) -> Self {
        Self { attachments: Some(attachments), ..self }
    }

    /// What Message-IDs end in.
    pub fn domain(&self) -> String {
        mail_domain(&self.public_url)
    }

    /// Where letters go, fit for logs.
    pub fn destination(&self) -> String {
        self.mailer.destination()
    }

    /// Words a mail, with the token that its link carries, and hands it over; what was said to it, or where it lies.
    ///
    /// # Errors
    /// [`MailFailure`], which says whether to try again.
    pub async fn send(
        &self,
        delivery: &Delivery,
        secret: Option<&Secret<String>>,
    ) -> Result<String, MailFailure> {
        // During a change of versions, a newer worker can word what this one cannot.
        let content = delivery
            .content()
            .ok_or_else(|| MailFailure::PutOff(format!("no template here is named {}", delivery.template)))?;
        let attachment = self.attachment(delivery).await?;
        self.mailer.send(&self.letter(delivery, &content, secret, attachment)?).await
    }

    async fn attachment(&self, delivery: &Delivery) -> Result<Option<Attachment>, MailFailure> {
        let (Some(run), Some(attachments)) = (delivery.attachment, &self.attachments) else {
            return Ok(None);
        };
        match attachments.read(run, &delivery.recipient).await {
            Ok(Enclosed::File(file)) => Ok(Some(file)),
            Ok(Enclosed::Nothing) => Ok(None),
            Ok(Enclosed::Withheld(why)) => Err(MailFailure::Withheld(why)),
            Err(error) => Err(MailFailure::PutOff(format!("the file cannot be read: {error}"))),
        }
    }

    fn letter(
        &self,
        delivery: &Delivery,
        content: &Content,
        secret: Option<&Secret<String>>,
        attachment: Option<Attachment>,
    ) -> Result<Letter, MailFailure> {
        let worded = templates::word(content, &self.public_url, secret, attachment.is_some());
        let worded = worded.map_err(|error| MailFailure::Refused(format!("it cannot be worded: {error}")))?;
        let message_id = delivery
            .message_id
            .clone()
            .unwrap_or_else(|| Delivery::first_message_id(delivery.id, &self.domain()));
        let header = |text: String| {
            text.parse::<HeaderText>().map_err(|error| MailFailure::Refused(error.to_string()))
        };
        Ok(Letter {
            id: delivery.id.uuid(),
            message_id: header(message_id)?,
            written_at: delivery.created_at,
            from: self.sender.clone(),
            to: delivery.recipient.clone(),
            subject: header(worded.subject)?,
            text: worded.text,
            html: worded.html,
            attachment,
        })
    }
}

/// The domain that an installation mails from: the host of its public URL, `localhost` where that is a bare address.
pub fn mail_domain(public_url: &Url) -> String {
    match public_url.host() {
        Some(Host::Domain(domain)) => domain.to_owned(),
        _ => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests;
