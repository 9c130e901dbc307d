//! What mails say, as values; how it is worded is the sender's business.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Instant;

/// What a mail says: its template and what is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", content = "params", rename_all = "snake_case")]
pub enum Content {
    /// That mail arrives.
    Test {},
    /// That a report is ready.
    ReportReady(ReportReady),
    /// That something happened to the recipient's account.
    SecurityNotice(SecurityNotice),
    /// How to choose a new password. The mail's secret is the token.
    PasswordReset(PasswordReset),
    /// How to choose the first password of a new account. The mail's secret is the token.
    Welcome(Welcome),
    /// How to join an organization. The mail's secret is the token.
    Invitation(Invitation),
}

/// A report that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportReady {
    /// The name of the organization.
    pub organization: String,
    /// The name of the report.
    pub report: String,
    /// The label of the period: `2014-03`.
    pub period: String,
    /// Where the report is, below the public URL: `/reports/…`.
    pub path: String,
}

/// Something that happened to an account, told to its user so that he notices what was not him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityNotice {
    /// What happened.
    pub event: SecurityEvent,
    /// When.
    pub at: Instant,
    /// The address that it came from.
    pub client: Option<String>,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// The name of what it was about, like that of a key.
    pub about: Option<String>,
    /// How many API keys of the user are good for as long as nobody revokes them, where that is to be thought of.
    #[serde(default)]
    pub keys_left: u64,
}

/// What can happen to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityEvent {
    /// Somebody signed in from an address that none of the account's earlier sessions had.
    NewSignIn,
    /// A refresh token was used again, and its session ended.
    TokenReused,
    /// The password was changed by somebody who knew the old one.
    PasswordChanged,
    /// The password was changed with a token that was sent by mail.
    PasswordReset,
    /// An API key of the user was made.
    ApiKeyCreated,
    /// An API key of an organization was made, of which the user is an admin, or by the user.
    OrganizationKeyCreated,
    /// The account got another address.
    AddressChanged,
}

impl SecurityEvent {
    /// The name, as it is stored and as it begins the keys of mails.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewSignIn => "new_sign_in",
            Self::TokenReused => "token_reused",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::ApiKeyCreated => "api_key_created",
            Self::OrganizationKeyCreated => "organization_key_created",
            Self::AddressChanged => "address_changed",
        }
    }
}

/// A way to a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    /// The page, below the public URL; the token is added as its fragment.
    pub path: String,
    /// For how many minutes it is good.
    pub minutes: u64,
}

/// A way into a new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The page, below the public URL; the token is added as its fragment.
    pub path: String,
    /// For how many hours it is good.
    pub hours: u64,
}

/// A way into an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The name of the organization.
    pub organization: String,
    /// The name of who invites.
    pub inviter: String,
    /// The page, below the public URL; the token is added as its fragment.
    pub path: String,
    /// For how many hours it is good.
    pub hours: u64,
}

impl Content {
    /// The name of the template, never used again for another.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::Test {} => "test",
            Self::ReportReady(_) => "report_ready",
            Self::SecurityNotice(_) => "security_notice",
            Self::PasswordReset(_) => "password_reset",
            Self::Welcome(_) => "welcome",
            Self::Invitation(_) => "invitation",
        }
    }

    /// What is filled in, as an object.
    pub(super) fn params(&self) -> Result<Value, serde_json::Error> {
        let mut whole = serde_json::to_value(self)?;
        Ok(whole.get_mut("params").map_or_else(|| Value::Object(Map::new()), Value::take))
    }

    /// The content of these parts; `None` if a newer version wrote them.
    pub(super) fn of_parts(template: &str, params: &Value) -> Option<Self> {
        serde_json::from_value(serde_json::json!({ "template": template, "params": params })).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_the_same_after_they_were_stored() {
        let report = ReportReady {
            organization: "A".into(),
            report: "B".into(),
            period: "2014-03".into(),
            path: "/r".into(),
        };
        let notice = SecurityNotice {
            event: SecurityEvent::ApiKeyCreated,
            at: Instant::from_secs(1_400_000_000),
            client: Some("192.0.2.1".into()),
            user_agent: None,
            about: Some("key".into()),
            keys_left: 2,
        };
        let reset = PasswordReset { path: "/r".into(), minutes: 30 };
        let invitation =
            Invitation { organization: "A".into(), inviter: "B".into(), path: "/i".into(), hours: 72 };
        for content in [
            Content::Test {},
            Content::ReportReady(report),
            Content::SecurityNotice(notice),
            Content::PasswordReset(reset),
            Content::Welcome(Welcome { path: "/r".into(), hours: 72 }),
            Content::Invitation(invitation),
        ] {
            let params = content.params().expect("JSON");
            assert!(params.is_object());
            assert_eq!(Content::of_parts(content.template(), &params), Some(content));
        }
        assert_eq!(Content::of_parts("of_a_newer_version", &Value::Null), None);
    }
}
