use std::{net::IpAddr, time::Duration};

use super::RequestClass;
use crate::{
    access::{Actor, RequestContext},
    error::Error,
    platform::Platform,
    ports::{Bucket, Level, Quota, Verdict},
    throttle::Place,
};

/// Use cases of limits: what is asked before a request is looked at.
pub struct Limits<'a> {
    platform: &'a Platform,
}

/// What a request was counted against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    /// That of the caller first; empty if nothing is limited.
    pub policies: Vec<Policy>,
    /// How long to wait, if the request is one too many.
    pub retry_after: Option<Duration>,
}

/// A limit, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: &'static str,
    /// What it gives.
    pub quota: Quota,
    /// What is left.
    pub level: Level,
}

impl Counted {
    /// Whether the request may be looked at.
    ///
    /// # Errors
    /// `Limited`.
    pub fn admitted(&self) -> Result<(), Error> {
        match self.retry_after {
            None => Ok(()),
            Some(retry_after) => Err(Error::Limited { retry_after }),
        }
    }
}

impl<'a> Limits<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// One more request of somebody who has proven who he is.
    pub async fn of_caller(&self, actor: &Actor, class: RequestClass) -> Counted {
        let quota = self.platform.thresholds().of_caller(class);
        let quota = self.platform.shares().of(actor.horizon(), class, quota);
        let caller = actor.counted_as().map(|caller| (quota, caller));
        self.count(caller, actor.author().client, class).await
    }

    /// One more request of somebody who has not.
    pub async fn of_visitor(&self, request: &RequestContext, class: RequestClass) -> Counted {
        self.count(None, request.client, class).await
    }

    async fn count(
        &self,
        caller: Option<(Quota, String)>,
        client: Option<IpAddr>,
        class: RequestClass,
    ) -> Counted {
        let (thresholds, group) = (self.platform.thresholds(), class.name());
        let caller = caller.map(|(quota, caller)| (class.name(), quota, format!("{group}:{caller}")));
        let address = client.map(|client| {
            let name = format!("{group}:address:{}", Place::of(client).digest());
            (class.name_of_address(), thresholds.of_address(class), name)
        });
        let limits: Vec<_> = caller.into_iter().chain(address).collect();
        let buckets: Vec<_> = limits.iter().map(|(_, quota, name)| Bucket { name, quota: *quota }).collect();
        let (levels, retry_after) = match self.platform.ports().limiter.take(&buckets).await {
            Verdict::Unlimited => (Vec::new(), None),
            Verdict::Admitted(levels) => (levels, None),
            Verdict::Refused { retry_after, levels } => (levels, Some(retry_after)),
        };
        let policies = limits.iter().zip(levels);
        let policies = policies.map(|((name, quota, _), level)| Policy { name, quota: *quota, level });
        Counted { policies: policies.collect(), retry_after }
    }
}
