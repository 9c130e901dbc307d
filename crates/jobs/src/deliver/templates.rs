//! What mails say, from templates that are compiled in: text as it is, HTML escaped.

use askama::Template;
use sitewatch_domain::mail::{Content, ReportReady};
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

/// Words a mail.
pub(super) fn word(content: &Content, public_url: &Url, is_attached: bool) -> Result<Worded, askama::Error> {
    match content {
        Content::Test {} => {
            let public_url = public_url.as_str();
            Ok(Worded {
                subject: "Sitewatch: mail works".to_owned(),
                text: TestText { public_url }.render()?,
                html: TestHtml { public_url }.render()?,
            })
        }
        Content::ReportReady(ready) => report_ready(ready, public_url, is_attached),
    }
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
    let joined = public_url.join(path).ok().filter(|link| link.origin() == public_url.origin());
    joined.unwrap_or_else(|| public_url.clone()).to_string()
}
