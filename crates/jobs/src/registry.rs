//! Which handler does which kind of job.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::Value;
use sitewatch_domain::{
    Error,
    jobs::{ClaimedJob, Job, Lane, Run},
};

use crate::handlers::Tools;

/// Does a kind of job. May be called twice for one job, by two workers at once even: what it writes it writes through
/// [`Run::actor`], so that only one of them counts, and whatever leaves the database it prepares for that.
#[async_trait]
pub trait Handler: Job {
    /// Does it; what the job tells of its result.
    ///
    /// # Errors
    /// [`JobFailure`], which says whether to try again.
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure>;
}

/// Why a job could not be done. The text stands in the ledger, where tenants read it: nothing of the inside belongs into it;
/// that goes to the log.
#[derive(Debug)]
pub enum JobFailure {
    /// It may work later.
    Retry(String),
    /// It never will.
    GiveUp(String),
}

impl From<Error> for JobFailure {
    /// What a caller could do better about is given up; what the platform could do better about is tried again.
    fn from(error: Error) -> Self {
        let text = error.to_string();
        if std::error::Error::source(&error).is_some() {
            tracing::warn!(error.cause = chain(&error), "a job met a fault");
        }
        match error {
            Error::Unavailable { .. }
            | Error::Limited { .. }
            | Error::Internal(_)
            | Error::Stale
            | Error::Conflict(_) => Self::Retry(text),
            Error::Unauthenticated(_)
            | Error::Forbidden(_)
            | Error::NotFound { .. }
            | Error::Gone { .. }
            | Error::Malformed(_)
            | Error::UnsupportedForm(_)
            | Error::Invalid(_) => Self::GiveUp(text),
        }
    }
}

/// An error with its sources in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| std::error::Error::source(*error));
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

type Call = Box<
    dyn Fn(Value, Arc<Tools>, Run) -> BoxFuture<'static, Result<Option<Value>, JobFailure>> + Send + Sync,
>;

/// A registered kind.
pub(crate) struct Entry {
    pub(crate) lane: Lane,
    pub(crate) timeout: Duration,
    pub(crate) call: Call,
}

/// All kinds that this program can do.
#[derive(Default)]
pub struct Registry(BTreeMap<&'static str, Entry>);

impl Registry {
    /// With one more kind.
    ///
    /// # Panics
    /// If a kind of that name is there already, which a test would see.
    #[must_use]
    pub fn with<H: Handler>(mut self) -> Self {
        let call: Call = Box::new(|payload, tools, run| {
            Box::pin(async move {
                let job: H = serde_json::from_value(payload).map_err(|error| {
                    tracing::warn!(job.id = %run.job().id, error = %error, "the payload of a job cannot be read");
                    JobFailure::GiveUp("the payload cannot be read".to_owned())
                })?;
                job.handle(&tools, &run).await
            })
        });
        let entry = Entry { lane: H::LANE, timeout: H::TIMEOUT, call };
        assert!(self.0.insert(H::KIND, entry).is_none(), "two handlers for the kind {}", H::KIND);
        self
    }

    /// The kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// The kinds of a lane, by name.
    pub fn kinds_of(&self, lane: Lane) -> Vec<&'static str> {
        self.0.iter().filter(|(_, entry)| entry.lane == lane).map(|(kind, _)| *kind).collect()
    }

    /// Calls the handler of a claimed job, and nothing else: neither its time is limited nor is it settled.
    ///
    /// # Errors
    /// What the handler failed of; a kind without one is to be tried again, by a worker that has it.
    pub async fn call(&self, tools: Arc<Tools>, job: ClaimedJob) -> Result<Option<Value>, JobFailure> {
        let Some(entry) = self.find(&job.kind) else {
            return Err(JobFailure::Retry("this worker does not know the kind".to_owned()));
        };
        (entry.call)(job.payload.clone(), tools, Run::of(job)).await
    }

    pub(crate) fn find(&self, kind: &str) -> Option<&Entry> {
        self.0.get(kind)
    }
}
