//! Mail: written as deliveries in the transaction of the change that causes them, sent later by a job each.
//!
//! A delivery is claimed, committed, handed to a mail server, and committed as sent. Whoever dies in between leaves it to be
//! sent once more, under the same Message-ID.

mod content;
mod notice;
mod repository;
mod service;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use content::{Content, Invitation, PasswordReset, ReportReady, SecurityEvent, SecurityNotice, Welcome};
pub(crate) use notice::{Notice, notify};
pub use repository::MailRepository;
pub(crate) use service::send;
pub use service::{Mail, told};

use crate::{
    audit::Audited,
    error::Error,
    ids::{DeliveryId, OrgId},
    jobs::{Job, Lane, Once},
    text::{EmailAddress, Secret},
    time::Instant,
};

/// How long a mail that is put off is tried again, from when it was written.
pub const TRIED_FOR: Duration = Duration::from_hours(24);

/// An address that takes no mail, as a mail server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// The address.
    pub address: EmailAddress,
    /// What the server said.
    pub reason: String,
    /// When.
    pub created_at: Instant,
}

impl Audited for Suppression {
    const RESOURCE: &'static str = "mail_suppression";

    /// The nil id: it is known by its address.
    fn resource_id(&self) -> Uuid {
        Uuid::nil()
    }
}

/// A mail as somebody wants it sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// The tenant that it is about; `None` for the installation's own.
    pub organization_id: Option<OrgId>,
    /// A second mail with the same key is not written: `report:<run>:<user>`.
    pub dedupe_key: String,
    /// Who gets it.
    pub recipient: EmailAddress,
    /// What it says.
    pub content: Content,
    /// The run of the report whose file goes along.
    pub attachment: Option<Uuid>,
    /// Why nobody may get it after all: then it is only noted, as suppressed.
    pub withheld: Option<String>,
    /// A token that its link carries. It is stored sealed, and no longer than until the mail is sent or given up.
    pub secret: Option<Secret<String>>,
    /// From when on nobody needs it any more, if that is sooner than [`TRIED_FOR`].
    pub good_until: Option<Instant>,
}

impl NewMail {
    /// A mail of the installation's own to this address, without anything that goes along.
    pub fn new(recipient: EmailAddress, dedupe_key: String, content: Content) -> Self {
        Self {
            organization_id: None,
            dedupe_key,
            recipient,
            content,
            attachment: None,
            withheld: None,
            secret: None,
            good_until: None,
        }
    }
}

/// A mail and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id, which its Message-ID is made of.
    pub id: DeliveryId,
    /// The tenant that it is about.
    pub organization_id: Option<OrgId>,
    /// Its key among all.
    pub dedupe_key: String,
    /// Who gets it.
    pub recipient: EmailAddress,
    /// The template.
    pub template: String,
    /// What is filled in.
    pub params: Value,
    /// The run of the report whose file goes along.
    pub attachment: Option<Uuid>,
    /// The token that its link carries, sealed; `None` once it was sent or given up.
    pub sealed_secret: Option<Vec<u8>>,
    /// From when on nobody needs it any more.
    pub good_until: Option<Instant>,
    /// Its Message-ID without brackets, from the first try on.
    pub message_id: Option<String>,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// How often its sending was begun.
    pub attempts: u32,
    /// Why the last try failed, for operators: it may quote the mail server.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Instant,
    /// When a mail server took it.
    pub sent_at: Option<Instant>,
}

impl Delivery {
    /// A mail that waits to be sent, or was withheld. A secret has to be sealed beside.
    ///
    /// # Errors
    /// `Internal` if the content cannot be written as JSON, a defect of ours.
    pub fn new(id: DeliveryId, new: NewMail, now: Instant) -> Result<Self, Error> {
        let state = if new.withheld.is_some() { DeliveryState::Suppressed } else { DeliveryState::Queued };
        Ok(Self {
            id,
            organization_id: new.organization_id,
            dedupe_key: new.dedupe_key,
            recipient: new.recipient,
            template: new.content.template().to_owned(),
            params: new.content.params().map_err(|error| Error::Internal(error.into()))?,
            attachment: new.attachment,
            sealed_secret: None,
            good_until: new.good_until,
            message_id: None,
            state,
            attempts: 0,
            last_error: new.withheld,
            created_at: now,
            sent_at: None,
        })
    }

    /// Until when a mail that is put off is tried again.
    pub fn tried_until(&self) -> Instant {
        let usual = self.created_at.plus(TRIED_FOR);
        self.good_until.map_or(usual, |good_until| good_until.min(usual))
    }

    /// What it says; `None` if only a newer version can tell.
    pub fn content(&self) -> Option<Content> {
        Content::of_parts(&self.template, &self.params)
    }

    /// The Message-ID, without brackets, that its first try gets at this domain. Later ones keep it.
    pub fn first_message_id(id: DeliveryId, domain: &str) -> String {
        format!("{id}@{domain}")
    }
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its first or next try.
    Queued,
    /// Its sending was begun.
    Claimed,
    /// A mail server took it.
    Sent,
    /// It was given up.
    Failed,
    /// It was never tried: the address takes no mail, or was not to get it.
    Suppressed,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Queued, Self::Claimed, Self::Sent, Self::Failed, Self::Suppressed];

    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Suppressed => "suppressed",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.name() == name)
    }
}

/// What came of a try to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// A mail server took it.
    Sent,
    /// Its recipient is not to get it any more; the text says why.
    Withheld(String),
    /// It may work later.
    PutOff(String),
    /// It never will.
    Refused {
        /// What was said.
        why: String,
        /// Whether the address itself takes no mail, so that it gets none any more.
        by_address: bool,
    },
}

/// Sends one mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendMail {
    /// The mail.
    pub delivery: DeliveryId,
    /// The tenant, for the ledger.
    #[serde(skip)]
    pub organization_id: Option<OrgId>,
}

impl Job for SendMail {
    const KIND: &'static str = "mail.send.v1";
    const LANE: Lane = Lane::Mail;
    // With the ledger's pauses that is more than two days: the end of a mail's time comes first.
    const MAX_ATTEMPTS: u16 = 60;
    // A server gets two minutes. What it said is noted once the database takes it, however long that is away: a mail whose try ends before is sent again.
    const TIMEOUT: Duration = Duration::from_hours(1);

    fn once(&self) -> Once {
        Once::Forever(format!("mail:{}", self.delivery))
    }

    fn organization(&self) -> Option<OrgId> {
        self.organization_id
    }
}
