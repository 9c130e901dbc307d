//! Several Redis that work together: a Cluster, and a pair that Sentinels look after.

use std::time::Duration;

use tokio::time::Instant;

use crate::{ports::free_port, redis::RedisServer};

const START_LIMIT: Duration = Duration::from_mins(1);
/// What the Sentinels call their pair.
const MASTER: &str = "planted";

/// Three nodes that share the keys. Dropping it stops them.
pub struct RedisCluster {
    nodes: [RedisServer; 3],
}

impl RedisCluster {
    /// Starts one and waits until all of its nodes serve.
    pub async fn start() -> Self {
        let nodes = [(); 3].map(|()| {
            let bus = free_port().to_string();
            let words =
                ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus];
            (RedisServer::stopped_with(&words), bus)
        });
        for (node, _) in &nodes {
            node.start_again().await;
        }
        let [(first, bus), ..] = &nodes;
        let (port, bus) = (first.port().to_string(), bus.as_str());
        for ((node, _), (from, to)) in
            nodes.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")])
        {
            assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", from, to]).as_deref(), Some("+OK"));
            if node.port() != first.port() {
                assert_eq!(node.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).as_deref(), Some("+OK"));
            }
        }
        let cluster = Self { nodes: nodes.map(|(node, _)| node) };
        until("all nodes serve", || {
            cluster.nodes.iter().all(|node| node.text(&["CLUSTER", "INFO"]).starts_with("cluster_state:ok"))
        })
        .await;
        cluster
    }

    /// The address, which names two of the nodes.
    pub fn url(&self) -> String {
        let [one, two, _] = &self.nodes;
        format!("redis-cluster://127.0.0.1:{}?node=127.0.0.1:{}", one.port(), two.port())
    }
}

/// A master, its replica, and a Sentinel that makes the one of the other. Dropping it stops them.
pub struct RedisPair {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl RedisPair {
    /// Starts them and waits until the replica could take over.
    pub async fn start() -> Self {
        let master = RedisServer::start().await;
        let port = master.port().to_string();
        let replica = RedisServer::stopped_with(&[
            "--replicaof",
            "127.0.0.1",
            &port,
            "--repl-diskless-sync-delay",
            "0",
        ]);
        replica.start_again().await;
        let sentinel = RedisServer::sentinel(&format!(
            "sentinel monitor {MASTER} 127.0.0.1 {port} 1\nsentinel down-after-milliseconds {MASTER} 1000\n\
             sentinel failover-timeout {MASTER} 3000\n"
        ));
        sentinel.start_again().await;
        let pair = Self { master, replica, sentinel };
        until("the replica follows", || pair.master.ask(&["WAIT", "1", "100"]).as_deref() == Some(":1"))
            .await;
        until("the Sentinel knows it", || {
            pair.sentinel.ask(&["SENTINEL", "REPLICAS", MASTER]).as_deref() == Some("*1")
        })
        .await;
        pair
    }

    /// The address, which names the Sentinel.
    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/{MASTER}", self.sentinel.port())
    }

    /// The address, which names something first that takes connections and answers nothing.
    pub fn url_after(&self, frozen: &RedisServer) -> String {
        format!(
            "redis-sentinel://127.0.0.1:{}/{MASTER}?node=127.0.0.1:{}",
            frozen.port(),
            self.sentinel.port()
        )
    }

    /// Ends the master without warning, and waits until the replica has its place.
    pub async fn lose_master(&self) {
        self.master.kill();
        let place = self.replica.port().to_string();
        until("the replica takes over", || {
            let told = self.sentinel.lines(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER], 5);
            told.last() == Some(&place)
        })
        .await;
        until("it takes writes", || self.replica.ask(&["SET", "taken", "over"]).as_deref() == Some("+OK"))
            .await;
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + START_LIMIT;
    while !is_so() {
        assert!(Instant::now() < give_up, "{what}: not within {START_LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
