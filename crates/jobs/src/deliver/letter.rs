//! A letter, and its form on the wire.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use sitewatch_domain::{error::BoxError, text::EmailAddress, time::Instant};
use url::Host;
use uuid::Uuid;

/// The name beside the sender's address.
const SENDER: &str = "Sitewatch";

/// A text that can stand in a header: one line without control characters, so that it cannot begin another header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderText(String);

/// A text that would end its header, or hide in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header must not contain line breaks or control characters")]
pub struct NotHeaderText;

/// Whether a character ends lines, steers terminals or turns the direction of what follows.
pub(super) fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl HeaderText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderText {
    type Err = NotHeaderText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().any(is_steering) { Err(NotHeaderText) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The name to save it under.
    pub name: HeaderText,
    /// Its media type: `application/pdf`.
    pub media_type: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A mail, worded and addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The delivery's id.
    pub id: Uuid,
    /// The Message-ID without brackets: the same however often the letter is sent.
    pub message_id: HeaderText,
    /// When it was written.
    pub written_at: Instant,
    /// Who sends it.
    pub from: EmailAddress,
    /// Who gets it.
    pub to: EmailAddress,
    /// The subject.
    pub subject: HeaderText,
    /// What it says, as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// What goes along.
    pub attachment: Option<Attachment>,
}

impl Letter {
    /// The letter as it is sent: ASCII alone, the same bytes each time.
    ///
    /// # Errors
    /// If an address or the attachment's media type cannot be written.
    pub fn bytes(&self) -> Result<Vec<u8>, BoxError> {
        let mailbox = |name: Option<&str>, address: &EmailAddress| {
            Ok::<_, BoxError>(Mailbox::new(name.map(str::to_owned), wire_address(address)?))
        };
        let generated =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let message = Message::builder()
            .message_id(Some(format!("<{}>", self.message_id)))
            .date(moment(self.written_at))
            .from(mailbox(Some(SENDER), &self.from)?)
            .to(mailbox(None, &self.to)?)
            .subject(self.subject.as_str())
            .raw_header(generated)
            .multipart(self.body()?)?;
        Ok(message.formatted())
    }

    fn body(&self) -> Result<MultiPart, BoxError> {
        let worded = MultiPart::alternative()
            .boundary(self.boundary("worded"))
            .singlepart(SinglePart::plain(self.text.clone()))
            .singlepart(SinglePart::html(self.html.clone()));
        let Some(file) = &self.attachment else { return Ok(worded) };
        let media_type = ContentType::parse(&file.media_type)?;
        let part =
            lettre::message::Attachment::new(file.name.to_string()).body(file.bytes.clone(), media_type);
        Ok(MultiPart::mixed().boundary(self.boundary("whole")).multipart(worded).singlepart(part))
    }

    /// What cannot stand in a part: none of the encodings writes an equals sign before an underscore.
    fn boundary(&self, part: &str) -> String {
        format!("=_{part}_{}", self.id.simple())
    }
}

/// An address as servers without any extension take it: its domain in ASCII.
pub(super) fn wire_address(address: &EmailAddress) -> Result<Address, BoxError> {
    let (user, domain) = address.as_str().rsplit_once('@').ok_or("an address without a domain")?;
    if !user.is_ascii() {
        return Err("an address with other than ASCII letters before the @".into());
    }
    let domain = if domain.is_ascii() { domain.to_owned() } else { Host::parse(domain)?.to_string() };
    Ok(Address::new(user, domain)?)
}

fn moment(at: Instant) -> SystemTime {
    let since = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}
