//! What mails say, from templates that are compiled in: text as it is, HTML escaped.

use askama::Template;
use sitewatch_domain::{
    mail::{Content, Invitation, ReportReady, SecurityEvent, SecurityNotice},
    text::Secret,
};
use url::Url;

use super::letter::is_steering;

/// A name in a subject.
const IN_SUBJECT: usize = 80;
/// A name in the text.
const IN_TEXT: usize = 200;

/// A mail's words.
pub(super) struct Worded {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

#[derive(Template)]
#[template(path = "mail/test.txt")]
struct TestText<'a> {
    public_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/test.html")]
struct TestHtml<'a> {
    public_url: &'a str,
}

/// What a mail about a report is filled with.
struct About {
    organization: String,
    report: String,
    period: String,
    link: String,
    is_attached: bool,
}

#[derive(Template)]
#[template(path = "mail/report_ready.txt")]
struct ReportReadyText<'a> {
    about: &'a About,
}

#[derive(Template)]
#[template(path = "mail/report_ready.html")]
struct ReportReadyHtml<'a> {
    about: &'a About,
}

/// What a notice is filled with.
struct Told {
    title: &'static str,
    what: String,
    advice: &'static str,
    at: String,
    client: Option<String>,
    user_agent: Option<String>,
    public_url: String,
}

#[derive(Template)]
#[template(path = "mail/security_notice.txt")]
struct SecurityNoticeText<'a> {
    told: &'a Told,
}

#[derive(Template)]
#[template(path = "mail/security_notice.html")]
struct SecurityNoticeHtml<'a> {
    told: &'a Told,
}

#[derive(Template)]
#[template(path = "mail/password_reset.txt")]
struct PasswordResetText<'a> {
    link: &'a str,
    minutes: u64,
}

#[derive(Template)]
#[template(path = "mail/password_reset.html")]
struct PasswordResetHtml<'a> {
    link: &'a str,
    minutes: u64,
}

#[derive(Template)]
#[template(path = "mail/welcome.txt")]
struct WelcomeText<'a> {
    link: &'a str,
    hours: u64,
}

#[derive(Template)]
#[template(path = "mail/welcome.html")]
struct WelcomeHtml<'a> {
    link: &'a str,
    hours: u64,
}

#[derive(Template)]
#[template(path = "mail/invitation.txt")]
struct InvitationText<'a> {
    organization: &'a str,
    inviter: &'a str,
    link: &'a str,
    hours: u64,
}

#[derive(Template)]
#[template(path = "mail/invitation.html")]
struct InvitationHtml<'a> {
    organization: &'a str,
    inviter: &'a str,
    link: &'a str,
    hours: u64,
}

/// Why a mail cannot be worded.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWords {
    /// A defect of a template.
    #[error(transparent)]
    Template(#[from] askama::Error),
    /// It carries a token, and the token is not known any more.
    #[error("the token that it carries is forgotten; cause a new mail")]
    Forgotten,
}

/// Words a mail; `secret` is the token that its link carries.
pub(super) fn word(
    content: &Content,
    public_url: &Url,
    secret: Option<&Secret<String>>,
    is_attached: bool,
) -> Result<Worded, NoWords> {
    match content {
        Content::Test {} => {
            let public_url = public_url.as_str();
            Ok(Worded {
                subject: "Sitewatch: mail works".to_owned(),
                text: TestText { public_url }.render()?,
                html: TestHtml { public_url }.render()?,
            })
        }
        Content::ReportReady(ready) => Ok(report_ready(ready, public_url, is_attached)?),
        Content::SecurityNotice(notice) => Ok(security_notice(notice, public_url)?),
        Content::PasswordReset(reset) => {
            let link = link_with(public_url, &reset.path, secret.ok_or(NoWords::Forgotten)?);
            let (link, minutes) = (link.as_str(), reset.minutes);
            Ok(Worded {
                subject: "Choose a new password for Sitewatch".to_owned(),
                text: PasswordResetText { link, minutes }.render()?,
                html: PasswordResetHtml { link, minutes }.render()?,
            })
        }
        Content::Welcome(welcome) => {
            let link = link_with(public_url, &welcome.path, secret.ok_or(NoWords::Forgotten)?);
            let (link, hours) = (link.as_str(), welcome.hours);
            Ok(Worded {
                subject: "Your account on Sitewatch".to_owned(),
                text: WelcomeText { link, hours }.render()?,
                html: WelcomeHtml { link, hours }.render()?,
            })
        }
        Content::Invitation(invitation) => {
            let link = link_with(public_url, &invitation.path, secret.ok_or(NoWords::Forgotten)?);
            Ok(invitation_to(invitation, &link)?)
        }
    }
}

fn invitation_to(invitation: &Invitation, link: &str) -> Result<Worded, askama::Error> {
    let organization = &one_line(&invitation.organization, IN_TEXT);
    let inviter = &one_line(&invitation.inviter, IN_TEXT);
    let hours = invitation.hours;
    Ok(Worded {
        subject: format!("Invitation to {}", one_line(&invitation.organization, IN_SUBJECT)),
        text: InvitationText { organization, inviter, link, hours }.render()?,
        html: InvitationHtml { organization, inviter, link, hours }.render()?,
    })
}

fn security_notice(notice: &SecurityNotice, public_url: &Url) -> Result<Worded, askama::Error> {
    let about = one_line(notice.about.as_deref().unwrap_or("without a name"), IN_TEXT);
    let change = "If that was not you, choose a new password at once: it ends all other sessions.";
    let (title, what, advice) = match notice.event {
        SecurityEvent::NewSignIn => (
            "New sign-in to Sitewatch",
            "Somebody signed in to your account from an address that was not used before.".to_owned(),
            change,
        ),
        SecurityEvent::TokenReused => (
            "A session was ended for safety",
            "A refresh token of one of your sessions was used a second time, which may mean that it was stolen. \
             The session was ended."
                .to_owned(),
            "Sign in again to go on. If this happens again, look at the devices that you are signed in on.",
        ),
        SecurityEvent::PasswordChanged => (
            "Your Sitewatch password was changed",
            "The password of your account was changed, and all other sessions were ended.".to_owned(),
            "If that was not you, ask for a new password at once and tell your administrator.",
        ),
        SecurityEvent::AddressChanged => (
            "Your Sitewatch account has another address",
            format!("The address of your account is {about} from now on; this one is not used any more."),
            "If that was not agreed with you, tell your administrator at once.",
        ),
        SecurityEvent::PasswordReset => (
            "Your Sitewatch password was reset",
            "The password of your account was changed with a link that was sent to this address, and all sessions \
             were ended."
                .to_owned(),
            "If that was not you, somebody else reads your mail: tell your administrator.",
        ),
        SecurityEvent::ApiKeyCreated => (
            "A Sitewatch API key was made",
            format!("An API key that acts for you was made: {about}."),
            "If that was not you, revoke the key and choose a new password at once.",
        ),
        SecurityEvent::OrganizationKeyCreated => (
            "A Sitewatch API key of an organization was made",
            format!("An API key that acts for an organization as its admins do was made: {about}."),
            "If that was not agreed among its admins, revoke the key, and find out who made it in the audit log of the \
             organization.",
        ),
    };
    let what = match notice.keys_left {
        0 => what,
        keys => format!("{what} {}", keys_left(keys, public_url)),
    };
    let told = Told {
        title,
        what,
        advice,
        at: moment(&notice.at.to_string()),
        client: notice.client.as_deref().map(|client| one_line(client, IN_TEXT)),
        user_agent: notice.user_agent.as_deref().map(|agent| one_line(agent, IN_TEXT)),
        public_url: public_url.to_string(),
    };
    Ok(Worded {
        subject: title.to_owned(),
        text: SecurityNoticeText { told: &told }.render()?,
        html: SecurityNoticeHtml { told: &told }.render()?,
    })
}

/// What a new password does not end.
fn keys_left(keys: u64, public_url: &Url) -> String {
    let (keys, are) =
        if keys == 1 { ("1 API key".to_owned(), "is") } else { (format!("{keys} API keys"), "are") };
    let list = link(public_url, "/api/v1/auth/me/api-keys");
    format!("{keys} of yours {are} still good: look through {list} and revoke what you do not know.")
}

/// An RFC 3339 moment for people: `2014-05-13 16:53:20 UTC`.
fn moment(text: &str) -> String {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    format!("{} UTC", whole.replace('T', " "))
}

fn report_ready(ready: &ReportReady, public_url: &Url, is_attached: bool) -> Result<Worded, askama::Error> {
    let about = About {
        organization: one_line(&ready.organization, IN_TEXT),
        report: one_line(&ready.report, IN_TEXT),
        period: one_line(&ready.period, IN_TEXT),
        link: link(public_url, &ready.path),
        is_attached,
    };
    let subject = format!(
        "{}, {} ({})",
        one_line(&ready.report, IN_SUBJECT),
        one_line(&ready.period, IN_SUBJECT),
        one_line(&ready.organization, IN_SUBJECT)
    );
    Ok(Worded {
        subject,
        text: ReportReadyText { about: &about }.render()?,
        html: ReportReadyHtml { about: &about }.render()?,
    })
}

/// A name as a part of a line: what would end the line or turn it round is a space, what is too long is cut.
fn one_line(name: &str, length: usize) -> String {
    let clean: String = name.chars().map(|c| if is_steering(c) { ' ' } else { c }).collect();
    let clean = clean.trim();
    if clean.chars().count() <= length {
        return clean.to_owned();
    }
    let kept: String = clean.chars().take(length - 1).collect();
    format!("{kept}…")
}

/// A place of the installation; the installation itself, if the path leads out of it.
fn link(public_url: &Url, path: &str) -> String {
    place(public_url, path).to_string()
}

/// The same with a token in its fragment, which browsers keep to themselves: it reaches no log of a server or proxy.
fn link_with(public_url: &Url, path: &str, secret: &Secret<String>) -> String {
    let mut link = place(public_url, path);
    link.set_fragment(Some(&format!("token={}", secret.expose())));
    link.to_string()
}

fn place(public_url: &Url, path: &str) -> Url {
    let joined = public_url.join(path).ok().filter(|link| link.origin() == public_url.origin());
    joined.unwrap_or_else(|| public_url.clone())
}
