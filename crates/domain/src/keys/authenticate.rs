use subtle::ConstantTimeEq as _;

use super::{KeyUse, USE_NOTED_EVERY, text::ShownKey};
use crate::{
    access::{Actor, RequestContext},
    error::{Error, TokenFault},
    platform::Platform,
};

/// Who shows this key, with the rights that it has at this moment.
///
/// # Errors
/// `Unauthenticated`; `Unavailable` if the database cannot be asked: no decision without it.
pub(crate) async fn authenticate(
    platform: &Platform,
    request: RequestContext,
    text: &str,
) -> Result<Actor, Error> {
    let refused = || Error::Unauthenticated(TokenFault::Invalid);
    let shown = ShownKey::parse(text).ok_or_else(refused)?;
    let nobody = Actor::anonymous(RequestContext::default());
    let found = platform.read(&nobody).await?.find_key(shown.kind, shown.prefix).await?;
    let found = found.ok_or_else(refused)?;
    if !bool::from(found.digest.as_slice().ct_eq(shown.digest.as_slice())) {
        return Err(refused());
    }
    let now = platform.now();
    if found.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::Unauthenticated(TokenFault::Expired));
    }
    if found.last_used_at.is_none_or(|last| last.plus(USE_NOTED_EVERY) <= now) {
        let client = request.client.map(|address| address.to_string());
        platform.ports().store.note_use(KeyUse { credential: found.credential, at: now, client });
    }
    Ok(Actor::from_bearer(found.credential, found.bearer, request))
}
