//! The bell over Redis, for workers in other processes: apalis carries the ids of jobs that are due.
//!
//! Nothing depends on it. An id that is lost costs the time until the next look at the ledger, one that comes twice costs a look;
//! so Redis may be absent, flushed, restarted, full or frozen at any moment, and everything that is kept in it may be deleted.
//! What apalis does by itself when something goes wrong is known from measurements: it ends, for ever and without a word. Hence
//! the watching over it in `listen`, the limit on what is outstanding in `ring`, and the cleaning up in `keys`.

mod keys;
mod listen;
mod ring;

use std::time::Duration;

use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use sitewatch_domain::{
    jobs::{Lane, Ticket},
    ports::JobQueue,
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{bell::Bells, health::RedisHealth};

/// Rings that wait to be sent; those beyond are left to the workers' own looking.
const WAITING: usize = 4_096;
/// The library's own half second is taken for the end of a worker.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Rings workers of this and of other processes.
#[derive(Debug, Clone)]
pub struct RedisBell {
    rings: mpsc::Sender<Ticket>,
    connections: Connections,
    here: Bells,
    health: RedisHealth,
}

/// The URL is of no Redis.
#[derive(Debug, thiserror::Error)]
#[error("the URL of Redis cannot be used: {0}")]
pub struct RedisUrlError(String);

impl RedisBell {
    /// A bell at this URL (`redis://` or `rediss://`), which also rings `here`. Nothing is connected yet, so that a Redis that
    /// is away stops no start. Runs a task on the current runtime until the last clone is gone.
    ///
    /// # Errors
    /// If the URL cannot be read. Whether anybody answers is found out later.
    pub fn new(url: &str, here: Bells) -> Result<Self, RedisUrlError> {
        let client = Client::open(url).map_err(|error| RedisUrlError(error.category().to_owned()))?;
        let connections = Connections(client);
        let health = RedisHealth::default();
        let (rings, waiting) = mpsc::channel(WAITING);
        let connection = connections.lazy().map_err(|error| RedisUrlError(error.category().to_owned()))?;
        tokio::spawn(ring::ring(connection, health.clone(), waiting));
        Ok(Self { rings, connections, here, health })
    }

    /// How Redis does.
    pub fn health(&self) -> RedisHealth {
        self.health.clone()
    }

    /// Hands on what rings to the bells of this process, until the set is dropped.
    pub fn listen(&self) -> JoinSet<()> {
        let mut listeners = JoinSet::new();
        for lane in Lane::ALL {
            let (connections, health, here) =
                (self.connections.clone(), self.health.clone(), self.here.clone());
            listeners.spawn(listen::listen(connections, health, here, *lane));
        }
        listeners
    }
}

impl JobQueue for RedisBell {
    fn ring(&self, tickets: &[Ticket]) {
        self.here.ring(tickets);
        for ticket in tickets {
            if self.rings.try_send(*ticket).is_err() {
                metrics::counter!("job_rings_dropped_total").increment(1);
                return;
            }
        }
    }
}

/// Makes connections that come back by themselves.
#[derive(Debug, Clone)]
struct Connections(Client);

impl Connections {
    /// One that connects when it is first used.
    fn lazy(&self) -> redis::RedisResult<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        ConnectionManager::new_lazy_with_config(self.0.clone(), config)
    }
}
