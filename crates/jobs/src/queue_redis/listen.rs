//! The workers' side: an apalis worker a lane, which does nothing but wake, and somebody who watches over it.

use std::{
    future::ready,
    task::{Context, Poll},
    time::Duration,
};

use apalis::prelude::{BackendExt as _, PollSnapshot, PollStrategy, WorkerBuilder};
use apalis_redis::{Config, RedisStorage};
use redis::aio::ConnectionManager;
use serde_json::Value;
use sitewatch_domain::jobs::Lane;
use tokio::{
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{Connections, keys};
use crate::{bell::Bells, health::RedisHealth, name};

/// How often Redis is asked for ids.
const TICK: Duration = Duration::from_millis(50);
/// How often what is done is deleted, which is also how an end of Redis is noticed.
const CLEAN_EVERY: Duration = Duration::from_secs(1);
/// A listener that lived so long has recovered from whatever ended the one before.
const LONG_LIFE: Duration = Duration::from_secs(10);
/// So many short lives in a row, and it is what Redis holds that ends them: a list too long to be taken, ids without their data.
const SHORT_LIVES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Listens for ever, whatever happens.
pub(super) async fn listen(connections: Connections, health: RedisHealth, here: Bells, lane: Lane) {
    let mut short_lives: u32 = 0;
    loop {
        let began = Instant::now();
        let why = live(&connections, &health, &here, lane).await;
        if health.failed() {
            tracing::warn!(error = why, lane = lane.name(), "Redis does not ring; jobs are looked for");
        } else {
            tracing::debug!(error = why, lane = lane.name(), "a listener ended and is started again");
        }
        metrics::counter!("job_bell_restarts_total", "lane" => lane.name()).increment(1);
        short_lives = if began.elapsed() > LONG_LIFE { 0 } else { short_lives.saturating_add(1) };
        if short_lives >= SHORT_LIVES && forget(&connections, lane).await {
            short_lives = 0;
        }
        let doublings = short_lives.min(4);
        tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)).await;
    }
}

/// One life of a listener; what ended it. In a task of its own, since a panic in the libraries must end nothing else.
async fn live(connections: &Connections, health: &RedisHealth, here: &Bells, lane: Lane) -> String {
    let connection = match connections.lazy() {
        Ok(connection) => connection,
        Err(error) => return error.to_string(),
    };
    let (config, worker) = (keys::config(lane), name::fresh());
    let mut life = JoinSet::new();
    life.spawn(hear(connection.clone(), config.clone(), worker.clone(), here.clone(), lane));
    life.spawn(keep(connection, config, worker, health.clone()));
    match life.join_next().await {
        Some(Ok(why)) => why,
        Some(Err(error)) => error.to_string(),
        None => "nothing was started".to_owned(),
    }
}

/// The apalis worker. Its name is a new one in each life: a name that Redis remembers would be refused.
async fn hear(
    connection: ConnectionManager,
    config: Config,
    worker: String,
    here: Bells,
    lane: Lane,
) -> String {
    let storage = RedisStorage::<Value>::new(connection).with_config(config).poll_with_strategy(Ticks::new());
    // The job is claimed from the ledger, so that which one it is does not matter. Never fails: apalis would try again.
    let wake = move |_job: Value| {
        here.wake(lane);
        ready(())
    };
    match WorkerBuilder::new(worker.as_str()).backend(storage).build(wake).run().await {
        Ok(()) => "it ended by itself".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Deletes what is done, as long as Redis answers.
async fn keep(
    mut connection: ConnectionManager,
    config: Config,
    worker: String,
    health: RedisHealth,
) -> String {
    loop {
        tokio::time::sleep(CLEAN_EVERY).await;
        if let Err(error) = keys::clean(&mut connection, &config, &worker).await {
            return error.to_string();
        }
        if health.answered() {
            tracing::info!("Redis rings again");
        }
    }
}

async fn forget(connections: &Connections, lane: Lane) -> bool {
    let Ok(mut connection) = connections.lazy() else { return false };
    let forgotten = keys::forget(&mut connection, &keys::config(lane)).await.is_ok();
    if forgotten {
        tracing::info!(
            lane = lane.name(),
            "what Redis held for a lane was deleted, since it ended listeners"
        );
    }
    forgotten
}

/// Asks at every tick. The library's own strategy misses the timer that it makes anew, and then sleeps until the next heartbeat.
struct Ticks(Interval);

impl Ticks {
    fn new() -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(ticks)
    }
}

impl PollStrategy for Ticks {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _snapshot: &PollSnapshot) -> Poll<Option<()>> {
        let mut ticked = Poll::Pending;
        // Until it is pending: only then is the waker registered.
        while self.0.poll_tick(cx).is_ready() {
            ticked = Poll::Ready(Some(()));
        }
        ticked
    }
}
