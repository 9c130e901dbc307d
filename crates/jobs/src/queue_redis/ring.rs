//! The ringing side: ids of jobs that were just committed, pushed by a task of its own, so that no commit waits for Redis.

use std::time::Duration;

use apalis::prelude::TaskSink as _;
use apalis_redis::RedisStorage;
use redis::aio::ConnectionManager;
use serde_json::Value;
use sitewatch_domain::jobs::{Lane, Ticket};
use tokio::sync::mpsc;

use super::keys;
use crate::health::RedisHealth;

/// Ids of a lane that may wait; beyond, workers are awake anyway. With more than some 8,000 apalis could never take one again.
const OUTSTANDING: u64 = 1_000;
/// Ids of a lane that are pushed together. A worker that wakes claims whatever is due, so a few ring for all.
const TOGETHER: usize = 16;
/// Tickets that are looked at together.
const LOOKED_AT: usize = 1_000;
/// Between two pushes, so that a stream of small commits does not become a stream of pushes.
const BREATH: Duration = Duration::from_millis(5);
/// After a push that failed. What was to be rung for meanwhile is dropped: the workers look more often now.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn ring(
    connection: ConnectionManager,
    health: RedisHealth,
    mut rings: mpsc::Receiver<Ticket>,
) {
    let mut tickets = Vec::new();
    while rings.recv_many(&mut tickets, LOOKED_AT).await > 0 {
        match push(&connection, &tickets).await {
            Ok(()) => {
                if health.answered() {
                    tracing::info!("Redis answers again; workers are rung for");
                }
                tokio::time::sleep(BREATH).await;
            }
            Err(error) => {
                if health.failed() {
                    tracing::warn!(error, "Redis does not answer; workers look for jobs by themselves");
                }
                metrics::counter!("job_rings_dropped_total").increment(1);
                tokio::time::sleep(PAUSE).await;
                while rings.try_recv().is_ok() {}
            }
        }
        tickets.clear();
    }
}

async fn push(connection: &ConnectionManager, tickets: &[Ticket]) -> Result<(), String> {
    for lane in Lane::ALL {
        let of_lane = tickets.iter().filter(|ticket| ticket.lane == *lane);
        let ids: Vec<Value> =
            of_lane.take(TOGETHER).map(|ticket| Value::from(ticket.job.to_string())).collect();
        if ids.is_empty() {
            continue;
        }
        let (mut connection, config) = (connection.clone(), keys::config(*lane));
        let outstanding = keys::outstanding(&mut connection, &config).await;
        if outstanding.map_err(|error| error.to_string())? >= OUTSTANDING {
            continue;
        }
        let mut lane = RedisStorage::<Value>::new(connection).with_config(config);
        lane.push_bulk(ids).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
