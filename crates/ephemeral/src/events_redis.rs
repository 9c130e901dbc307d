//! Events that all nodes hear, over a channel of Redis.
//!
//! Each node tells its own listeners by itself. While Redis is away others hear nothing, and are told afterwards that they may have missed
//! something.

use std::{
    sync::{Arc, Weak},
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
    time::{interval, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    events_local::LocalBus,
    redis_place::{Connection, ListeningPost, RedisUrlError},
    redis_service::{Asking, Purpose, RedisService},
};

const PREFIX: &str = "sitewatch:events:";
const PURPOSE: Purpose = Purpose {
    name: "the Redis of the events",
    meanwhile: "each server tells its own listeners alone",
    gauge: "events_redis_up",
};
/// Between two tries to listen.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long one may take.
const LISTEN_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks whether the one that is listened to is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
}

impl RedisBus {
    /// A bus at this URL, as for [`RedisCache`](crate::RedisCache::new); `node` is this process alone, and `installation` those that hear
    /// each other. To be made within a runtime.
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
        if let Ok(Ok(channel)) = timeout(LISTEN_WITHIN, heard_on(&mut post, &shared.channel)).await {
            shared.here.tell(Heard::Missed);
            shared.hear(channel).await;
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
    /// Passes on what is told, until the connection ends or leads nowhere.
    async fn hear(&self, mut channel: PubSub) {
        let mut messages = channel.on_message();
        let mut looks = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return };
                    if let Some((node, organization)) = read(message.get_payload_bytes())
                        && node != self.node
                    {
                        self.here.publish(organization);
                    }
                }
                _ = looks.tick() => {
                    if self.redis.is_away() {
                        return;
                    }
                }
            }
        }
    }
}

/// What is told: who tells it, and the organization.
fn written(node: Uuid, organization: OrgId) -> Vec<u8> {
    [node.as_bytes().as_slice(), organization.uuid().as_bytes()].concat()
}

fn read(payload: &[u8]) -> Option<(Uuid, OrgId)> {
    let (node, organization) = payload.split_at_checked(16)?;
    Some((Uuid::from_slice(node).ok()?, Id::from_uuid(Uuid::from_slice(organization).ok()?)))
}

#[async_trait]
impl EventBus for RedisBus {
    fn publish(&self, organization: OrgId) {
        let Shared { redis, here, channel, node } = &*self.shared;
        here.publish(organization);
        let (channel, payload) = (channel.clone(), written(*node, organization));
        redis.tell(move |connection| Box::pin(async move { connection.publish(channel, payload).await }));
    }

    fn subscribe(&self) -> Box<dyn Subscription> {
        self.shared.here.subscribe()
    }

    fn is_degraded(&self) -> bool {
        self.shared.redis.is_away()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_notice_is_not_heard() {
        let (node, organization) = (Uuid::max(), Id::from_uuid(Uuid::from_u128(7)));
        let payload = written(node, organization);
        assert_eq!(read(&payload), Some((node, organization)));
        for odd in [&b""[..], &payload[..31], &[payload.as_slice(), b"x"].concat()] {
            assert_eq!(read(odd), None);
        }
    }
}
