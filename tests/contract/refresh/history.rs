//! One history: a client with tabs that share what it keeps, answers that are lost, perhaps a thief who copies what it keeps.

use std::{collections::BTreeMap, time::Duration};

use sitewatch_domain::{
    Platform,
    sessions::{LOST_ANSWER_GRACE, MOST_GRACE_USES, TABS_GRACE},
    time::{Clock as _, Instant},
};

use super::{ACCESS_S, Kept, Set, TABS, counter, is_let_in, referee::Referee, refresh, sign_in};
use crate::rollups_plant::Random;

/// What happens next, in the order of its time; the number tells apart what happens at the same.
type Plan = BTreeMap<(Instant, u64), Event>;

enum Event {
    /// A tab looks at what the client keeps, and asks for the next pair if that is old.
    Look,
    /// What it sent reaches the server.
    Reaches(String),
    /// The answer reaches the tab.
    Answers(Kept),
    /// The thief asks for the next pair with what he has.
    Steals,
}

/// One history: a client with tabs that share what it keeps, perhaps a thief who copies it once.
struct History<'a> {
    platform: &'a Platform,
    clock: &'a Set,
    random: &'a mut Random,
    referee: Referee,
    client: Kept,
    client_agent: &'static str,
    thief: Option<(Kept, &'static str)>,
    plan: Plan,
    planned: u64,
    /// Answers that may still be lost before the next exchange.
    losses: u64,
    was_signed_out: bool,
}

impl History<'_> {
    fn plan(&mut self, after_ms: u64, event: Event) {
        self.planned += 1;
        self.plan.insert((self.clock.now().plus(Duration::from_millis(after_ms)), self.planned), event);
    }

    /// Everything until nobody waits any more.
    async fn go_on(&mut self) {
        while let Some(((at, _), event)) = self.plan.pop_first() {
            self.clock.to(at);
            match event {
                Event::Look if self.was_signed_out => {}
                Event::Look => {
                    if self.clock.now().since(self.client.since) >= Duration::from_secs(ACCESS_S) {
                        let (token, on_the_way) = (self.client.refresh.clone(), self.random.below(2_000));
                        self.plan(on_the_way, Event::Reaches(token));
                    } else if self.random.below(2) == 0 {
                        let kept = self.client.clone();
                        self.referee.call(self.platform, &kept).await;
                    }
                }
                Event::Reaches(token) => self.reaches(token).await,
                Event::Answers(next) => {
                    // A late answer never replaces a newer one: tabs compare what they keep.
                    if counter(&next.refresh) >= counter(&self.client.refresh) {
                        self.client = next;
                    }
                    self.plan(1, Event::Look);
                }
                Event::Steals => {
                    let (kept, agent) = self.thief.clone().expect("a thief");
                    if let Some(next) = self.referee.refresh(self.platform, &kept.refresh, agent).await {
                        self.referee.call(self.platform, &next).await;
                        self.thief = Some((next, agent));
                    }
                }
            }
        }
    }

    async fn reaches(&mut self, token: String) {
        let before = self.referee.newest;
        let answer = self.referee.refresh(self.platform, &token, self.client_agent).await;
        match answer {
            None => {
                assert!(self.thief.is_some(), "an honest client is never signed out");
                self.was_signed_out = true;
            }
            Some(_) if self.losses > 0 && self.random.below(3) == 0 => {
                self.losses -= 1;
                // Out of patience, the tab looks again, and sees what the others have got meanwhile. The last one to do so finds a
                // network that works again while the grace lasts.
                let left = 45_u64.saturating_sub(self.clock.now().since(self.referee.exchanged_at).as_secs());
                let patience = 3_000 + self.random.below(1 + left * 1_000 / (self.losses + 1));
                self.plan(patience, Event::Look);
            }
            Some(next) => {
                let on_the_way = self.random.below(2_000);
                self.plan(on_the_way, Event::Answers(next));
            }
        }
        if self.referee.newest > before {
            // All tabs together never ask for the same pair more often than it is given.
            self.losses = u64::from(MOST_GRACE_USES).saturating_sub(TABS);
        }
    }

    /// The access token grows old; the tabs notice within a few seconds of each other.
    async fn round(&mut self) {
        let began = self.client.since.max(self.clock.now());
        self.clock.to(began);
        let tabs = 1 + self.random.below(TABS);
        for _ in 0..tabs {
            let after = ACCESS_S * 1_000 + self.random.below(4_000);
            self.plan(after, Event::Look);
        }
        if self.thief.is_some() && self.random.below(3) > 0 {
            let after = self.random.below((ACCESS_S + 120) * 1_000);
            self.plan(after, Event::Steals);
        }
        self.go_on().await;
    }

    /// Sooner or later one of the two shows a token that the other has used.
    async fn ends_for_both(&mut self) {
        let Some((mut stolen, agent)) = self.thief.clone() else { return };
        let exchanges = self.referee.newest + 4;
        while !self.referee.is_over {
            let later = self.clock.now().plus(LOST_ANSWER_GRACE + TABS_GRACE + Duration::from_secs(1));
            self.clock.to(later);
            if let Some(next) = self.referee.refresh(self.platform, &stolen.refresh, agent).await {
                stolen = next;
            }
            let later = self.clock.now().plus(LOST_ANSWER_GRACE + TABS_GRACE + Duration::from_secs(1));
            self.clock.to(later);
            let own = self.client.refresh.clone();
            if let Some(next) = self.referee.refresh(self.platform, &own, self.client_agent).await {
                self.client = next;
            }
            assert!(self.referee.newest <= exchanges, "two who have the same token are found out");
        }
        for kept in [&stolen, &self.client] {
            assert!(refresh(self.platform, &kept.refresh, self.client_agent).await.is_none(), "both are out");
        }
        for kept in [&stolen, &self.client] {
            assert!(!is_let_in(self.platform, &kept.access).await, "both are out");
        }
    }
}

/// Plays a history to its end. Whether there was a thief.
pub(super) async fn history(platform: &Platform, clock: &Set, random: &mut Random) -> bool {
    let client_agent = "Mozilla/5.0 Firefox/128.0";
    let client = sign_in(platform, client_agent).await;
    let mut history = History {
        platform,
        clock,
        referee: Referee::of(&client, client_agent),
        client,
        client_agent,
        thief: None,
        plan: Plan::new(),
        planned: 0,
        losses: u64::from(MOST_GRACE_USES).saturating_sub(TABS),
        was_signed_out: false,
        random,
    };
    let theft = history.random.below(4);
    for round in 0..2 {
        if theft == round {
            let agent = if history.random.below(3) == 0 { "curl/8.5.0" } else { client_agent };
            history.thief = Some((history.client.clone(), agent));
        }
        history.round().await;
    }
    history.ends_for_both().await;
    history.thief.is_some()
}
