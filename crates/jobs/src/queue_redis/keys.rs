//! What the bell keeps in Redis, and how it is kept small: apalis deletes nothing of what it has done.

use std::time::Duration;

use apalis_redis::Config;
use redis::{Script, aio::ConnectionManager};
use sitewatch_domain::jobs::Lane;

/// Ids that are deleted at a time, so that Redis is never held up.
const AT_ONCE: usize = 500;
/// How long Redis remembers a worker that is heard of no more.
const REMEMBERED: Duration = Duration::from_hours(1);

const CLEAN: &str = r"
local ids = redis.call('SPOP', KEYS[1], ARGV[1])
for _, id in ipairs(ids) do
    redis.call('HDEL', KEYS[2], id)
    redis.call('DEL', KEYS[3] .. ':' .. id)
end
return #ids";

/// How apalis is set up for a lane: a namespace of its own, and nothing that costs and is not needed.
pub(super) fn config(lane: Lane) -> Config {
    Config::default()
        .queue(format!("sitewatch:jobs:{}", lane.name()))
        .batch_size(100)
        .heartbeat_interval(Duration::from_secs(5))
        .missed_heartbeats(4)
        .lock_tasks(false)
        .emit_events(false)
}

/// How many ids wait in a lane.
pub(super) async fn outstanding(
    connection: &mut ConnectionManager,
    config: &Config,
) -> redis::RedisResult<u64> {
    let (scheduled, active): (u64, u64) = redis::pipe()
        .zcard(config.scheduled_jobs_set())
        .llen(config.active_jobs_list())
        .query_async(connection)
        .await?;
    Ok(scheduled + active)
}

/// Deletes what is done.
pub(super) async fn clean(
    connection: &mut ConnectionManager,
    config: &Config,
    worker: &str,
) -> redis::RedisResult<()> {
    let script = Script::new(CLEAN);
    for done in [config.done_jobs_set(), config.dead_jobs_set()] {
        loop {
            let mut call = script.key(&done);
            call.key(config.job_data_hash()).key(config.job_meta_hash()).arg(AT_ONCE);
            let deleted: usize = call.invoke_async(connection).await?;
            if deleted < AT_ONCE {
                break;
            }
        }
    }
    let of_worker = format!("{}:workers:metadata:{worker}", config.queue.as_ref());
    redis::cmd("EXPIRE").arg(of_worker).arg(REMEMBERED.as_secs()).query_async(connection).await
}

/// Deletes everything of a lane. Whoever listens starts afresh.
pub(super) async fn forget(connection: &mut ConnectionManager, config: &Config) -> redis::RedisResult<()> {
    let pattern = format!("{}:*", config.queue.as_ref());
    let mut cursor: u64 = 0;
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(AT_ONCE)
            .query_async(connection)
            .await?;
        if !keys.is_empty() {
            redis::cmd("UNLINK").arg(keys).query_async::<()>(connection).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
