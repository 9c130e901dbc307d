//! Events that all nodes hear, over a channel of Redis.
//!
//! Each node tells its own listeners by itself. What others did not hear, because Redis was away for whoever told it or for whoever listened, is
//! told afterwards: they may have missed something.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use deadpool_redis::redis::{AsyncCommands, RedisError, aio::PubSub};
use futures_util::StreamExt as _;
use sitewatch_domain::{
    ids::{Id, OrgId},
    ports::{EventBus, Heard, Subscription},
};
use tokio::{
    sync::oneshot,
    time::{Instant, interval, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    events_local::LocalBus,
    redis_place::{Connection, ListeningPost, RedisUrlError},
    redis_service::{Asking, Purpose, RedisService},
};

const PREFIX: &str = "sitewatch:events:";
const LOST: &[u8] = b"-";
const PURPOSE: Purpose = Purpose {
    name: "the Redis of the events",
    meanwhile: "each server tells its own listeners alone",
    gauge: "events_redis_up",
};
/// Between two tries to listen.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long one may take.
const LISTEN_WITHIN: Duration = Duration::from_secs(10);
/// How often a node tells itself something, to hear whether it still hears.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// A node that does not hear itself for so long listens anew.
const DEAF_AFTER: Duration = Duration::from_secs(5);

/// Tells everybody in this process and, over Redis, on other nodes.
pub struct RedisBus {
    shared: Arc<Shared>,
    /// Dropped with the bus, which ends the listening.
    _listening: oneshot::Sender<()>,
}

struct Shared {
    redis: Arc<RedisService>,
    here: LocalBus,
    channel: String,
    /// Tells what this node has told from what others have.
    node: Uuid,
    /// Whether something was told that others did not hear.
    is_lost: AtomicBool,
    is_listening: AtomicBool,
}

/// What is told over Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Changed(OrgId),
    /// Others may have missed something.
    Lost,
    /// Nothing but that this node is there.
    Beat,
}

impl RedisBus {
    /// A bus at this URL, of one server, a Cluster or Sentinels (docs/configuration.md); `node` is this process alone, and `installation`
    /// those that hear each other. To be made within a runtime.
    ///
    /// # Errors
    /// If the URL cannot be read. Whether anybody answers is found out later.
    pub fn new(url: &str, installation: &str, node: Uuid) -> Result<Self, RedisUrlError> {
        Self::over(RedisService::new(url, PURPOSE, probe)?, url, installation, node)
    }

    /// The same, which waits for Redis so long.
    ///
    /// # Errors
    /// As [`RedisBus::new`].
    pub fn waiting_for(
        url: &str,
        installation: &str,
        node: Uuid,
        patience: Duration,
    ) -> Result<Self, RedisUrlError> {
        let redis = RedisService::new(url, PURPOSE, probe)?.waiting_for(patience);
        Self::over(redis, url, installation, node)
    }

    fn over(redis: RedisService, url: &str, installation: &str, node: Uuid) -> Result<Self, RedisUrlError> {
        let shared = Arc::new(Shared {
            redis: Arc::new(redis),
            here: LocalBus::new(),
            channel: format!("{PREFIX}{installation}"),
            node,
            is_lost: AtomicBool::new(false),
            is_listening: AtomicBool::new(false),
        });
        let post = ListeningPost::at(url)?;
        let (listening, ended) = oneshot::channel();
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            tokio::select! {
                () = listen(weak, post) => {}
                _ = ended => {}
            }
        });
        Ok(Self { shared, _listening: listening })
    }
}

fn probe(connection: &mut Connection) -> Asking<'_, ()> {
    Box::pin(async move { connection.publish([PREFIX, "probe"].concat(), "").await })
}

/// Listens until the bus is gone, again and again.
async fn listen(bus: Weak<Shared>, mut post: ListeningPost) {
    while let Some(shared) = bus.upgrade() {
        // Whoever cannot tell anything has no reason to hope that he would hear.
        if !shared.redis.is_away() {
            match timeout(LISTEN_WITHIN, heard_on(&mut post, &shared.channel)).await {
                Ok(Ok(channel)) => {
                    shared.here.tell(Heard::Missed);
                    shared.hear(channel).await;
                    shared.listens(false, "the connection ended");
                }
                Ok(Err(error)) => shared.listens(false, error.category()),
                Err(_) => shared.listens(false, "no answer in time"),
            }
        }
        drop(shared);
        sleep(AGAIN_AFTER).await;
    }
}

async fn heard_on(post: &mut ListeningPost, channel: &str) -> Result<PubSub, RedisError> {
    let mut connection = post.connection().await?;
    connection.subscribe(channel).await?;
    Ok(connection)
}

impl Shared {
    fn listens(&self, listens: bool, error: &str) {
        if self.is_listening.swap(listens, Ordering::Relaxed) && !listens {
            tracing::warn!(
                error,
                "{} is not listened to any more; this server hears nothing from others",
                PURPOSE.name
            );
        }
    }

    /// Passes on what is told, until the connection ends or leads nowhere.
    async fn hear(self: &Arc<Self>, mut channel: PubSub) {
        let mut messages = channel.on_message();
        let mut beats = interval(BEAT_EVERY);
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return };
                    match read(message.get_payload_bytes()) {
                        Some((node, _)) if node == self.node => {
                            heard_at = Instant::now();
                            self.listens(true, "");
                        }
                        Some((_, Message::Changed(organization))) => self.here.publish(organization),
                        Some((_, Message::Lost)) => self.here.tell(Heard::Missed),
                        Some((_, Message::Beat)) | None => {}
                    }
                }
                _ = beats.tick() => {
                    if self.redis.is_away() || heard_at.elapsed() > DEAF_AFTER {
                        return;
                    }
                    let message = if self.is_lost.swap(false, Ordering::Relaxed) { Message::Lost } else { Message::Beat };
                    self.send(message);
                }
            }
        }
    }

    /// Tells other nodes, or notes that they were not told.
    fn send(self: &Arc<Self>, message: Message) {
        let shared = Arc::clone(self);
        self.redis.spawn(async move {
            let (channel, payload) = (shared.channel.clone(), written(shared.node, message));
            let sent = shared
                .redis
                .ask(move |connection| Box::pin(async move { connection.publish(channel, payload).await }));
            let sent: Option<()> = sent.await;
            if sent.is_none() && message != Message::Beat {
                shared.is_lost.store(true, Ordering::Relaxed);
            }
        });
    }
}

/// Who tells it, and what: an organization, a byte that says that something was lost, or nothing more.
fn written(node: Uuid, message: Message) -> Vec<u8> {
    let node = node.as_bytes().as_slice();
    match message {
        Message::Changed(organization) => [node, organization.uuid().as_bytes()].concat(),
        Message::Lost => [node, LOST].concat(),
        Message::Beat => node.to_vec(),
    }
}

fn read(payload: &[u8]) -> Option<(Uuid, Message)> {
    let (node, rest) = payload.split_at_checked(16)?;
    let message = match rest {
        [] => Message::Beat,
        rest if rest == LOST => Message::Lost,
        rest => Message::Changed(Id::from_uuid(Uuid::from_slice(rest).ok()?)),
    };
    Some((Uuid::from_slice(node).ok()?, message))
}

#[async_trait]
impl EventBus for RedisBus {
    fn publish(&self, organization: OrgId) {
        self.shared.here.publish(organization);
        self.shared.send(Message::Changed(organization));
    }

    fn subscribe(&self) -> Box<dyn Subscription> {
        self.shared.here.subscribe()
    }

    fn is_degraded(&self) -> bool {
        self.shared.redis.is_away() || !self.shared.is_listening.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_notice_is_not_heard() {
        let (node, organization) = (Uuid::max(), Id::from_uuid(Uuid::from_u128(7)));
        for message in [Message::Changed(organization), Message::Lost, Message::Beat] {
            assert_eq!(read(&written(node, message)), Some((node, message)));
        }
        let payload = written(node, Message::Changed(organization));
        for odd in [&b""[..], &payload[..15], &payload[..31], &[payload.as_slice(), b"x"].concat()] {
            assert_eq!(read(odd), None);
        }
    }
}
