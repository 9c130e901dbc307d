//! A mail server as a URL names it.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use percent_encoding::percent_decode_str;
use sitewatch_domain::text::Secret;
use url::{Host, Url};

const TIMEOUT: Duration = Duration::from_mins(1);
/// A job that sends a mail is given up by its worker later than this.
const LONGEST_TIMEOUT_S: u64 = 120;

/// How a connection is kept from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS from the first byte.
    Tls,
    /// Plain at first, and TLS before anything is said: a server that does not offer it is not used.
    StartTls,
    /// Not at all.
    None,
}

/// Who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Secret<String>,
    pub(super) password: Secret<String>,
}

/// A mail server, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credentials: Option<Login>,
    pub(super) timeout: Duration,
}

/// Why a URL names no mail server. The text repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAnSmtpServer(&'static str);

impl FromStr for SmtpServer {
    type Err = NotAnSmtpServer;

    /// `smtp://[user:password@]host[:port]` with STARTTLS, which a loopback host may do without; `smtps://…` with TLS from the
    /// first byte. `?tls=none` does without, `?tls=starttls` never does, `?timeout_s=` (1 to 120) is the time for one mail.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| NotAnSmtpServer("is not a URL"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NotAnSmtpServer("names no host"))?;
        let host = Host::parse(host).map_err(|_| NotAnSmtpServer("names a host that cannot be one"))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(NotAnSmtpServer("has a path or a fragment"));
        }
        let (tls, timeout) = parameters(&url)?;
        let security = match (url.scheme(), tls.as_deref()) {
            ("smtps", None) => Security::Tls,
            ("smtp", Some("none")) => Security::None,
            ("smtp", None) if is_loopback(&host) => Security::None,
            ("smtp", None | Some("starttls")) => Security::StartTls,
            ("smtp", Some(_)) => return Err(NotAnSmtpServer("knows tls=none and tls=starttls only")),
            ("smtps", Some(_)) => return Err(NotAnSmtpServer("has tls= although smtps:// is TLS")),
            _ => return Err(NotAnSmtpServer("does not begin with smtp:// or smtps://")),
        };
        let usual_port = match security {
            Security::Tls => 465,
            Security::StartTls => 587,
            Security::None => 25,
        };
        Ok(Self {
            host: match host {
                Host::Domain(domain) => domain,
                Host::Ipv4(address) => address.to_string(),
                Host::Ipv6(address) => address.to_string(),
            },
            port: url.port().unwrap_or(usual_port),
            security,
            credentials: credentials(&url)?,
            timeout,
        })
    }
}

impl fmt::Display for SmtpServer {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Tls { "smtps" } else { "smtp" };
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => write!(f, "{scheme}://[{address}]:{}", self.port),
            _ => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

fn parameters(url: &Url) -> Result<(Option<String>, Duration), NotAnSmtpServer> {
    let (mut tls, mut timeout) = (None, TIMEOUT);
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "tls" => tls = Some(value.into_owned()),
            "timeout_s" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=LONGEST_TIMEOUT_S).contains(seconds));
                let seconds = seconds.ok_or(NotAnSmtpServer("has a timeout_s that is not 1 to 120"))?;
                timeout = Duration::from_secs(seconds);
            }
            _ => return Err(NotAnSmtpServer("has parameters other than tls and timeout_s")),
        }
    }
    Ok((tls, timeout))
}

fn credentials(url: &Url) -> Result<Option<Login>, NotAnSmtpServer> {
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_| NotAnSmtpServer("has a user or password that is not UTF-8"))?;
        Ok(Secret::new(text.into_owned()))
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(NotAnSmtpServer("has a password and no user")),
        (_, None) => Err(NotAnSmtpServer("has a user and no password")),
        (user, Some(password)) => Ok(Some(Login { user: decoded(user)?, password: decoded(password)? })),
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(domain) => domain == "localhost" || domain.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> SmtpServer {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn tls_is_required_unless_the_host_is_this_machine_or_the_operator_says_so() {
        for (url, shown, security) in [
            ("smtp://mail.example.org", "smtp://mail.example.org:587", Security::StartTls),
            ("smtp://mail.example.org:25", "smtp://mail.example.org:25", Security::StartTls),
            ("smtp://10.0.0.5", "smtp://10.0.0.5:587", Security::StartTls),
            ("smtp://mail.example.org?tls=none", "smtp://mail.example.org:25", Security::None),
            ("smtp://localhost", "smtp://localhost:25", Security::None),
            ("smtp://127.0.0.1:2525", "smtp://127.0.0.1:2525", Security::None),
            ("smtp://[::1]", "smtp://[::1]:25", Security::None),
            ("smtp://localhost?tls=starttls", "smtp://localhost:587", Security::StartTls),
            ("smtp://localhost.example.org", "smtp://localhost.example.org:587", Security::StartTls),
            ("smtps://mail.example.org", "smtps://mail.example.org:465", Security::Tls),
            ("smtps://localhost", "smtps://localhost:465", Security::Tls),
            ("smtp://MÜNCHEN.example", "smtp://xn--mnchen-3ya.example:587", Security::StartTls),
        ] {
            let server = server(url);
            assert_eq!((server.to_string().as_str(), server.security), (shown, security), "{url}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let server = server("smtp://a%40b:p%3Ass@mail.example.org:587?timeout_s=5");
        assert_eq!(server.timeout, Duration::from_secs(5));
        let login = server.credentials.as_ref().expect("credentials");
        assert_eq!((login.user.expose().as_str(), login.password.expose().as_str()), ("a@b", "p:ss"));
        for shown in [server.to_string(), format!("{server:?}")] {
            assert!(!shown.contains("p:ss") && !shown.contains("a@b"), "{shown}");
        }
    }

    #[test]
    fn odd_urls_are_refused_without_being_repeated() {
        for odd in [
            "mail.example.org",
            "http://hunter2",
            "smtp://",
            "smtp://bob@host",
            "smtp://:hunter2@host",
            "smtp://host/hunter2",
            "smtp://host?hunter2=1",
            "smtp://host?tls=hunter2",
            "smtps://host?tls=none",
            "smtp://host?timeout_s=0",
            "smtp://host?timeout_s=3600",
        ] {
            let error = odd.parse::<SmtpServer>().expect_err(odd);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
