//! Handing letters to a mail server, one conversation each.

use async_trait::async_trait;
use lettre::{
    Address,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use sitewatch_domain::error::BoxError;

use super::{
    Letter, MailFailure, Mailer,
    letter::wire_address,
    smtp_server::{Security, SmtpServer},
};

/// What is kept of a server's words.
const WORDS: usize = 300;

/// Sends letters over SMTP.
#[derive(Debug, Clone)]
pub struct SmtpMailer {
    server: SmtpServer,
    /// How this installation introduces itself.
    name: ClientId,
}

impl SmtpMailer {
    /// Sends by this server, to which it is introduced as `domain`.
    pub const fn new(server: SmtpServer, domain: String) -> Self {
        Self { server, name: ClientId::Domain(domain) }
    }

    /// A connection on which mails can be sent. Whatever fails up to here concerns no single mail, and may be set right by an
    /// operator.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let SmtpServer { host, port, security, credentials, timeout } = &self.server;
        let tls = |wanted| (*security == wanted).then(|| TlsParameters::new_rustls(host.clone())).transpose();
        let immediate = tls(Security::Tls)?;
        let server = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(*timeout), &self.name, immediate, None).await?;
        if let Some(later) = tls(Security::StartTls)? {
            connection.starttls(later, &self.name).await?;
        }
        if let Some(login) = credentials {
            let credentials = Credentials::new(login.user.expose().clone(), login.password.expose().clone());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    async fn converse(&self, from: Address, to: Address, letter: &[u8]) -> Result<String, MailFailure> {
        let connected = self.connect().await;
        let mut connection = connected.map_err(|error| MailFailure::PutOff(words(&error.to_string())))?;
        connection.command(Mail::new(Some(from), Vec::new())).await.map_err(|error| judged(&error))?;
        connection.command(Rcpt::new(to, Vec::new())).await.map_err(|error| recipient_judged(&error))?;
        connection.command(Data).await.map_err(|error| judged(&error))?;
        let taken = connection.message(letter).await.map_err(|error| judged(&error))?;
        // The letter is the server's by now, whatever becomes of the connection.
        let _left = connection.quit().await;
        let said: Vec<&str> = taken.message().collect();
        Ok(words(&format!("{} {}", taken.code(), said.join(" "))))
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<String, MailFailure> {
        let refused = |error: BoxError| MailFailure::Refused(error.to_string());
        let (from, to) =
            (wire_address(&letter.from).map_err(refused)?, wire_address(&letter.to).map_err(refused)?);
        let bytes = letter.bytes().map_err(refused)?;
        let conversation = self.converse(from, to, &bytes);
        match tokio::time::timeout(self.server.timeout, conversation).await {
            Ok(said) => said.map(|said| format!("{} said {said}", self.server)),
            Err(_elapsed) => {
                let seconds = self.server.timeout.as_secs();
                Err(MailFailure::PutOff(format!("{} took longer than {seconds} s", self.server)))
            }
        }
    }

    fn destination(&self) -> String {
        self.server.to_string()
    }
}

/// A server's no for good is one; everything else may work later.
fn judged(error: &Error) -> MailFailure {
    let said = words(&error.to_string());
    if error.is_permanent() { MailFailure::Refused(said) } else { MailFailure::PutOff(said) }
}

/// What a server says of an address that takes no mail (RFC 3463): no such mailbox or system, another form, moved, disabled.
const NO_SUCH_RECIPIENT: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];

/// A no for good to a recipient is the recipient's only if the server says so in its code: any other, like that nothing is relayed or
/// that the sender is not liked, it would say of others too.
fn recipient_judged(error: &Error) -> MailFailure {
    match judged(error) {
        MailFailure::Refused(said)
            if said.split(": ").skip(1).any(|words| NO_SUCH_RECIPIENT.contains(&first_word(words))) =>
        {
            MailFailure::NoSuchRecipient(said)
        }
        other => other,
    }
}

/// A code may stand alone.
fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// Somebody else's words: without what a terminal or a database would choke on, and not too many.
fn words(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}
