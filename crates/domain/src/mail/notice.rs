//! Notices to users of what happens to their accounts.

use super::{Content, NewMail, SecurityEvent, SecurityNotice};
use crate::{access::Author, error::Error, ids::UserId, platform::Platform, ports::Tx};

/// What a user is told of his account.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    /// Who is told.
    pub(crate) user: UserId,
    /// What happened.
    pub(crate) event: SecurityEvent,
    /// To what, as a part of the mail's key: of two notices of the same event of the same thing, the second is none.
    pub(crate) of: String,
    /// The name of that thing, where it says something to the user.
    pub(crate) about: Option<String>,
    /// How many API keys of the user are still good, where he is to think of them.
    pub(crate) keys_left: u64,
    /// The `User-Agent` that it came from; the address is the author's.
    pub(crate) user_agent: Option<&'a str>,
}

/// Writes a notice into the transaction of what it tells of. False if it was written before, or the user is not active.
pub(crate) async fn notify(
    platform: &Platform,
    tx: &mut dyn Tx,
    author: &Author,
    notice: Notice<'_>,
) -> Result<bool, Error> {
    let Some(recipient) = tx.find_address(notice.user).await? else { return Ok(false) };
    let key = format!("notice:{}:{}", notice.event.name(), notice.of);
    let content = Content::SecurityNotice(SecurityNotice {
        event: notice.event,
        at: platform.now(),
        client: author.client.map(|address| address.to_string()),
        user_agent: notice.user_agent.map(str::to_owned),
        about: notice.about,
        keys_left: notice.keys_left,
    });
    super::send(platform, tx, author, NewMail::new(recipient, key, content)).await
}
