//! A Redis that may be away, slow, flushed or frozen at any moment.
//!
//! Whoever asks waits a little while at most; after some failures in a row nobody asks any more, until a probe in the background is answered.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_redis::redis::RedisError;
use tokio::{runtime::Handle, time::timeout};

use crate::{
    breaker::Breaker,
    redis_place::{Connection, RedisPlace, RedisUrlError},
};

/// What a request waits for Redis at most.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long ago an answer may be that shows that Redis answers.
const RECENTLY: Duration = Duration::from_millis(500);
/// Between two looks whether Redis answers.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long a new connection may take: where several nodes are named, one that is gone costs a second or more.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long a question may hold its connection after whoever asked has gone on; a Cluster's has no end by itself.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 16;

/// What the asking itself comes to.
pub(crate) type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, RedisError>> + Send + 'a>>;

/// What such a service is for.
pub(crate) struct Purpose {
    /// In sentences: `the Redis of …`.
    pub(crate) name: &'static str,
    /// What is done while it is away, in a sentence.
    pub(crate) meanwhile: &'static str,
    /// The gauge that tells whether it answers.
    pub(crate) gauge: &'static str,
}

/// A Redis, and whether it is asked at all.
pub(crate) struct RedisService {
    purpose: Purpose,
    place: RedisPlace,
    breaker: Breaker,
    patience: Duration,
    /// Connections live in the runtime that this was made in: a thread that serves requests would drive them only between requests.
    runtime: Handle,
    probe: fn(&mut Connection) -> Asking<'_, ()>,
    is_watched: AtomicBool,
}

impl RedisService {
    /// The Redis at this URL. Nothing is connected yet, so that one that is away stops no start. To be made within a runtime. `probe` asks
    /// what requests ask.
    pub(crate) fn new(
        url: &str,
        purpose: Purpose,
        probe: fn(&mut Connection) -> Asking<'_, ()>,
    ) -> Result<Self, RedisUrlError> {
        Ok(Self {
            purpose,
            place: RedisPlace::at(url, CONNECTIONS)?,
            breaker: Breaker::default(),
            patience: PATIENCE,
            runtime: Handle::current(),
            probe,
            is_watched: AtomicBool::new(false),
        })
    }

    /// The same, asked so long at most.
    pub(crate) fn waiting_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether it is not asked for now.
    pub(crate) fn is_away(self: &Arc<Self>) -> bool {
        self.watch();
        self.breaker.is_open()
    }

    /// Asks, and waits so long as is bearable; `None` if there is no answer.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl for<'a> FnOnce(&'a mut Connection) -> Asking<'a, T> + Send + 'static,
    ) -> Option<T> {
        if self.is_away() {
            return None;
        }
        let (service, is_connected) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let connected = Arc::clone(&is_connected);
        // In a task of its own: whoever stops waiting breaks off no connection, neither in the middle of an answer nor while it is being made.
        let asking = self.runtime.spawn(async move {
            let held = timeout(ANSWER_WITHIN, service.put(question, &connected)).await;
            held.unwrap_or_else(|_| Err("no answer at all".to_owned()))
        });
        let answer = match timeout(self.patience, asking).await {
            // Where a node is gone, each new connection takes its time and is good then. While others are answered, that is no failure.
            Err(_) if !is_connected.load(Ordering::Relaxed) && self.breaker.has_answered_within(RECENTLY) => {
                return None;
            }
            Err(_) => Err("no answer in time".to_owned()),
            Ok(Err(broken_off)) => Err(broken_off.to_string()),
            Ok(Ok(answer)) => answer,
        };
        match answer {
            Ok(answer) => {
                self.breaker.answered();
                Some(answer)
            }
            Err(error) => {
                if self.breaker.failed() {
                    self.given_up(true, &error);
                }
                None
            }
        }
    }

    /// Tells it something, without waiting for an answer.
    pub(crate) fn tell(
        self: &Arc<Self>,
        message: impl for<'a> FnOnce(&'a mut Connection) -> Asking<'a, ()> + Send + 'static,
    ) {
        let service = Arc::clone(self);
        self.spawn(async move {
            // What becomes of it is told by the breaker.
            let _told = service.ask(message).await;
        });
    }

    /// Does something beside, where connections live.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    async fn put<T>(
        &self,
        question: impl for<'a> FnOnce(&'a mut Connection) -> Asking<'a, T>,
        is_connected: &AtomicBool,
    ) -> Result<T, String> {
        let mut connection = self.place.connection().await?;
        is_connected.store(true, Ordering::Relaxed);
        question(&mut connection).await.map_err(|error| error.category().to_owned())
    }

    /// Looks after it from the first question on, until this is dropped.
    fn watch(self: &Arc<Self>) {
        if self.is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let watched = Arc::downgrade(self);
        self.runtime.spawn(async move {
            while let Some(service) = watched.upgrade() {
                service.look().await;
                drop(service);
                tokio::time::sleep(PROBE_EVERY).await;
            }
        });
    }

    /// Asks as a request would, but waits for the connection.
    async fn look(&self) {
        let connected = async { self.place.connection().await.map(drop) };
        let answered = async {
            connected.await?;
            let began = Instant::now();
            self.put(self.probe, &AtomicBool::default()).await?;
            if began.elapsed() > self.patience { Err("it is slow".to_owned()) } else { Ok(()) }
        };
        let answered = timeout(CONNECT_WITHIN + self.patience, answered).await;
        match answered.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) => {
                if self.breaker.close() {
                    tracing::info!("{} answers again", self.purpose.name);
                }
                metrics::gauge!(self.purpose.gauge).set(1.0);
            }
            Err(error) => {
                let is_news = self.breaker.open();
                self.given_up(is_news, &error);
            }
        }
    }

    fn given_up(&self, is_news: bool, error: &str) {
        // Those that wait may lead nowhere.
        self.place.forget();
        metrics::gauge!(self.purpose.gauge).set(0.0);
        if is_news {
            tracing::warn!(error, "{} does not answer; {}", self.purpose.name, self.purpose.meanwhile);
        }
    }
}
