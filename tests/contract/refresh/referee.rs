//! The rule of refresh tokens, told once more and from outside: what the server must make of each token, by what it was sent so far.

use std::time::Duration;

use sitewatch_domain::{
    Platform,
    sessions::{LOST_ANSWER_GRACE, MOST_GRACE_USES, TABS_GRACE},
    time::Instant,
};

use super::{Kept, counter, is_let_in, refresh};

/// Sees every token that is sent, and checks every answer.
pub(super) struct Referee {
    pub(super) newest: i64,
    text_of_newest: String,
    pub(super) exchanged_at: Instant,
    used_at: Option<Instant>,
    asked_again: u32,
    agent: String,
    pub(super) is_over: bool,
}

impl Referee {
    pub(super) fn of(first: &Kept, agent: &str) -> Self {
        Self {
            newest: counter(&first.refresh),
            text_of_newest: first.refresh.clone(),
            exchanged_at: first.since,
            used_at: None,
            asked_again: 0,
            agent: agent.to_owned(),
            is_over: false,
        }
    }

    /// Whether the token before the newest is still taken for one of a lost answer or of another tab.
    fn has_grace(&self, now: Instant, agent: &str) -> bool {
        let age = now.since(self.exchanged_at);
        let in_time = match self.used_at {
            None => age <= LOST_ANSWER_GRACE,
            Some(at) => {
                age <= TABS_GRACE || (now.since(at) <= TABS_GRACE && age <= LOST_ANSWER_GRACE + TABS_GRACE)
            }
        };
        in_time && self.asked_again < MOST_GRACE_USES && agent == self.agent
    }

    /// Sends a token, and checks what comes back.
    pub(super) async fn refresh(&mut self, platform: &Platform, token: &str, agent: &str) -> Option<Kept> {
        let (shown, now) = (counter(token), platform.now());
        let answer = refresh(platform, token, agent).await;
        if self.is_over {
            assert!(answer.is_none(), "nothing works once the session is ended");
        } else if shown == self.newest {
            let next = answer.as_ref().expect("the newest token is exchanged");
            assert_eq!(counter(&next.refresh), shown + 1);
            (self.newest, self.text_of_newest, self.exchanged_at) = (shown + 1, next.refresh.clone(), now);
            (self.used_at, self.asked_again, self.agent) = (None, 0, agent.to_owned());
        } else if shown + 1 == self.newest && self.has_grace(now, agent) {
            let same = answer.as_ref().expect("whoever lost an answer gets it again");
            assert_eq!(same.refresh, self.text_of_newest, "there is one successor and no other");
            self.asked_again += 1;
        } else {
            assert!(answer.is_none(), "{shown} was used before; {} is the newest", self.newest);
            self.is_over = true;
        }
        answer
    }

    /// Uses an access token, and checks whether that was right.
    pub(super) async fn call(&mut self, platform: &Platform, of: &Kept) {
        let is_expired = platform.now().since(of.since) >= Duration::from_mins(15);
        assert_eq!(is_let_in(platform, &of.access).await, !self.is_over && !is_expired);
        if counter(&of.refresh) == self.newest && !is_expired && !self.is_over {
            self.used_at.get_or_insert(platform.now());
        }
    }
}
