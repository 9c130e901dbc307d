//! The rule of a family of refresh tokens: which token is exchanged, which is answered once more, which betrays a theft.
//!
//! A client that lost the answer, and one with several tabs, shows the token before the newest in good faith; so does a thief
//! who was quicker. The rule lets the first two through as long as nobody can have used what the answer held, and after that
//! only for a moment.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::Session;
use crate::time::Instant;

/// How long the token before the newest is answered once more while the newest was not used.
pub const LOST_ANSWER_GRACE: Duration = Duration::from_mins(1);
/// How long it is answered once more in any case: several tabs that refresh at once. So long also after the newest was first used,
/// since what others had sent by then may still be on its way.
pub const TABS_GRACE: Duration = Duration::from_secs(10);
/// How often it is.
pub const MOST_GRACE_USES: u32 = 64;

/// What a refresh token comes to, its MAC being right and its session live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the newest: it has a successor from now on.
    Exchange,
    /// It is the one before, shown in good faith: the newest is sent once more.
    SendAgain,
    /// The same, too often in a short time: it has to wait.
    Wait,
    /// It was used before, and this is somebody else.
    Reused,
    /// It is newer than the newest: forged with the session's own key, or the database is an old copy.
    Ahead,
}

impl Session {
    /// What a token with this counter comes to, shown at this moment by a client of this kind.
    pub(crate) fn judge(&self, counter: i64, client_kind: &[u8], now: Instant) -> Verdict {
        if counter == self.refresh_counter {
            return Verdict::Exchange;
        }
        if counter > self.refresh_counter {
            return Verdict::Ahead;
        }
        let age = now.since(self.rotated_at);
        let is_confirmed = self.refresh_confirmed >= self.refresh_counter;
        let is_used_just_now = self.confirmed_at.is_some_and(|at| now.since(at) <= TABS_GRACE);
        let is_in_time = age <= TABS_GRACE
            || (!is_confirmed && age <= LOST_ANSWER_GRACE)
            || (is_used_just_now && age <= LOST_ANSWER_GRACE + TABS_GRACE);
        let is_same_client = self.client_kind.as_deref() == Some(client_kind);
        let is_one_before = counter == self.refresh_counter.saturating_sub(1);
        match (is_one_before && is_in_time && is_same_client, self.grace_uses < MOST_GRACE_USES) {
            (true, true) => Verdict::SendAgain,
            // So many in so short a time may be many tabs: they are not signed out, and told no token either.
            (true, false) => Verdict::Wait,
            (false, _) => Verdict::Reused,
        }
    }
}

/// What a client has in common with itself after it moved to another network or was updated: the words of its `User-Agent` without
/// versions. Its address is no part of it, since answers are lost above all where addresses change.
pub(crate) fn client_kind(user_agent: Option<&str>) -> Vec<u8> {
    let words: String = user_agent
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_numeric() && !matches!(c, '.' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect();
    Sha256::new().chain_update("client kind:").chain_update(words).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    const START: Instant = Instant::from_secs(1_767_225_600);

    /// A session whose fifth token was issued at the start to a client of the kind `a`.
    fn session() -> Session {
        Session {
            id: Id::from_uuid(uuid::Uuid::from_u128(1)),
            user_id: Id::from_uuid(uuid::Uuid::from_u128(2)),
            created_at: START,
            idle_until: START.plus(super::super::IDLE_LIFETIME),
            absolute_until: START.plus(super::super::ABSOLUTE_LIFETIME),
            refresh_counter: 5,
            refresh_confirmed: 4,
            confirmed_at: None,
            rotated_at: START,
            grace_uses: 0,
            sealed_key: Vec::new(),
            client_kind: Some(client_kind(Some("a"))),
            client: None,
            user_agent: None,
            revoked_at: None,
            revoke_reason: None,
        }
    }

    fn judged(session: &Session, counter: i64, agent: &str, seconds: u64) -> Verdict {
        session.judge(counter, &client_kind(Some(agent)), START.plus(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_newest_is_exchanged_whoever_shows_it_and_whenever() {
        for seconds in [0, 10, 61, 1_000_000] {
            assert_eq!(judged(&session(), 5, "b", seconds), Verdict::Exchange);
        }
        assert_eq!(judged(&session(), 6, "a", 0), Verdict::Ahead);
    }

    #[test]
    fn the_one_before_is_answered_again_until_the_newest_was_used_or_a_minute_is_over() {
        let confirmed = Session { refresh_confirmed: 5, confirmed_at: Some(START), ..session() };
        for (seconds, unused, used) in [
            (0, Verdict::SendAgain, Verdict::SendAgain),
            (10, Verdict::SendAgain, Verdict::SendAgain),
            (11, Verdict::SendAgain, Verdict::Reused),
            (60, Verdict::SendAgain, Verdict::Reused),
            (61, Verdict::Reused, Verdict::Reused),
        ] {
            assert_eq!(judged(&session(), 4, "a", seconds), unused, "{seconds}");
            assert_eq!(judged(&confirmed, 4, "a", seconds), used, "{seconds}");
        }
        let late = |second| Session {
            refresh_confirmed: 5,
            confirmed_at: Some(START.plus(Duration::from_secs(second))),
            ..session()
        };
        assert_eq!(
            judged(&late(20), 4, "a", 30),
            Verdict::SendAgain,
            "sent before the newest was used elsewhere"
        );
        assert_eq!(judged(&late(20), 4, "a", 31), Verdict::Reused);
        assert_eq!(judged(&late(65), 4, "a", 70), Verdict::SendAgain);
        assert_eq!(judged(&late(65), 4, "a", 71), Verdict::Reused, "in no case longer");
    }

    #[test]
    fn older_ones_and_other_clients_are_taken_for_theft_and_too_many_wait() {
        for counter in [0, 1, 2, 3] {
            assert_eq!(judged(&session(), counter, "a", 0), Verdict::Reused, "{counter}");
        }
        assert_eq!(judged(&session(), 4, "b", 0), Verdict::Reused);
        assert_eq!(judged(&Session { client_kind: None, ..session() }, 4, "a", 0), Verdict::Reused);
        let uses = |grace_uses| judged(&Session { grace_uses, ..session() }, 4, "a", 0);
        let most = MOST_GRACE_USES;
        assert_eq!((uses(most - 1), uses(most)), (Verdict::SendAgain, Verdict::Wait));
    }

    #[test]
    fn a_client_stays_of_its_kind_when_it_is_updated() {
        let firefox = |version: &str| {
            client_kind(Some(&format!(
                "Mozilla/5.0 (X11; Linux x86_64; rv:{version}) Gecko/20100101 Firefox/{version}"
            )))
        };
        assert_eq!(firefox("128.0"), firefox("129.0.1"));
        assert_ne!(firefox("128.0"), client_kind(Some("curl/8.5.0")));
        assert_eq!(client_kind(Some("curl/8.5.0")), client_kind(Some("curl/8.14")));
        assert_eq!(client_kind(None), client_kind(Some("")));
    }
}
