//! Where a Redis is: on one server, on the nodes of a Cluster, or on the server that Sentinels name.

use deadpool_redis::{
    Manager, Pool, PoolError, RedisConnectionInfo, cluster,
    redis::{
        Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value,
        aio::{ConnectionLike, PubSub},
        sentinel::SentinelClient,
    },
    sentinel::{self, SentinelNodeConnectionInfo, SentinelServerType, TlsMode},
};
use percent_encoding::percent_decode_str;
use url::Url;

/// The URL is of no Redis.
#[derive(Debug, thiserror::Error)]
#[error("the URL of Redis cannot be used: {0}")]
pub struct RedisUrlError(String);

impl From<RedisError> for RedisUrlError {
    /// Without the URL, which may hold a password.
    fn from(error: RedisError) -> Self {
        Self(error.category().to_owned())
    }
}

/// Connections to a Redis, so many at most.
pub(crate) enum RedisPlace {
    Server(Pool),
    Cluster(cluster::Pool),
    /// The server that is the master now is asked for with each new connection.
    Sentinels(sentinel::Pool),
}

/// One connection.
pub(crate) enum Connection {
    Server(deadpool_redis::Connection),
    Cluster(cluster::Connection),
    Sentinels(sentinel::Connection),
}

impl RedisPlace {
    /// `redis://user:password@host:6379/database`, `redis-cluster://…@host:6379?node=another:6379`, or
    /// `redis-sentinel://…@host:26379/master?node=another:26379&db=0&sentinel_password=…`; each with `rediss` for TLS. User and password are
    /// those of the Redis servers.
    pub(crate) fn at(url: &str, connections: usize) -> Result<Self, RedisUrlError> {
        let parsed = Url::parse(url).map_err(|error| RedisUrlError(error.to_string()))?;
        let unusable = |error: deadpool_redis::BuildError| RedisUrlError(error.to_string());
        Ok(match parsed.scheme() {
            "redis-cluster" | "rediss-cluster" => {
                let manager = cluster::Manager::new(nodes(&parsed, userinfo(&parsed))?, false)?;
                let pool = cluster::Pool::builder(manager).max_size(connections).build();
                Self::Cluster(pool.map_err(unusable)?)
            }
            "redis-sentinel" | "rediss-sentinel" => {
                let Sentinels { nodes, master, servers } = Sentinels::of(&parsed)?;
                let manager =
                    sentinel::Manager::new(nodes, master, Some(servers), SentinelServerType::Master)?;
                let pool = sentinel::Pool::builder(manager).max_size(connections).build();
                Self::Sentinels(pool.map_err(unusable)?)
            }
            _ => {
                let pool = Pool::builder(Manager::new(url)?).max_size(connections).build();
                Self::Server(pool.map_err(unusable)?)
            }
        })
    }

    pub(crate) async fn connection(&self) -> Result<Connection, String> {
        match self {
            Self::Server(pool) => pool.get().await.map(Connection::Server),
            // Their futures are too large to be a part of every other one.
            Self::Cluster(pool) => Box::pin(pool.get()).await.map(Connection::Cluster),
            Self::Sentinels(pool) => Box::pin(pool.get()).await.map(Connection::Sentinels),
        }
        .map_err(told)
    }

    /// Closes the connections that nobody uses now.
    pub(crate) fn forget(&self) {
        match self {
            Self::Server(pool) => drop(pool.retain(|_, _| false)),
            Self::Cluster(pool) => drop(pool.retain(|_, _| false)),
            Self::Sentinels(pool) => drop(pool.retain(|_, _| false)),
        }
    }
}

/// What is wrong, without the URL.
fn told(error: PoolError) -> String {
    match error {
        PoolError::Backend(error) => error.category().to_owned(),
        other => other.to_string(),
    }
}

/// User and password as they stand before a host.
fn userinfo(url: &Url) -> String {
    match (url.username(), url.password()) {
        ("", None) => String::new(),
        (user, None) => format!("{user}@"),
        (user, Some(password)) => format!("{user}:{password}@"),
    }
}

/// The URL of each node that is named: by the host, and by each `node` in the parameters.
fn nodes(url: &Url, userinfo: String) -> Result<Vec<String>, RedisUrlError> {
    let scheme = if url.scheme().starts_with("rediss") { "rediss" } else { "redis" };
    let host = url.host_str().ok_or_else(|| RedisUrlError("it names no host".to_owned()))?;
    let first = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let others = url.query_pairs().filter(|(name, _)| name == "node").map(|(_, node)| node.into_owned());
    Ok([first].into_iter().chain(others).map(|node| format!("{scheme}://{userinfo}{node}")).collect())
}

/// Sentinels as a URL names them: their addresses, what they call the servers, and how these are spoken to.
struct Sentinels {
    nodes: Vec<String>,
    master: String,
    servers: SentinelNodeConnectionInfo,
}

impl Sentinels {
    fn of(url: &Url) -> Result<Self, RedisUrlError> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let parameter =
            |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let master = decoded(url.path().trim_matches('/'));
        if master.is_empty() {
            return Err(RedisUrlError("it names no master: redis-sentinel://host:26379/master".to_owned()));
        }
        let db = match parameter("db") {
            None => 0,
            Some(number) => number.parse().map_err(|_| RedisUrlError("db is no number".to_owned()))?,
        };
        let mut of_sentinels = url.clone();
        let given = of_sentinels.set_username("").and_then(|()| {
            let password = parameter("sentinel_password");
            of_sentinels.set_password(password.as_deref())
        });
        given.map_err(|()| RedisUrlError("it names no host".to_owned()))?;
        let servers = SentinelNodeConnectionInfo {
            tls_mode: url.scheme().starts_with("rediss").then_some(TlsMode::Secure),
            redis_connection_info: Some(RedisConnectionInfo {
                db,
                username: Some(decoded(url.username())).filter(|name| !name.is_empty()),
                password: url.password().map(decoded),
                ..RedisConnectionInfo::default()
            }),
        };
        let nodes = nodes(url, userinfo(&of_sentinels))?.into_iter().map(|node| {
            // Without a port a Sentinel is not where a Redis is.
            let has_port = node.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            if has_port { node } else { format!("{node}:26379") }
        });
        Ok(Self { nodes: nodes.collect(), master, servers })
    }
}

/// Where one can listen: any node of a Cluster, or the server that is the master.
pub(crate) enum ListeningPost {
    Servers(Vec<Client>),
    Sentinels(Box<SentinelClient>),
}

impl ListeningPost {
    /// At a URL, as for [`RedisPlace::at`].
    pub(crate) fn at(url: &str) -> Result<Self, RedisUrlError> {
        let parsed = Url::parse(url).map_err(|error| RedisUrlError(error.to_string()))?;
        Ok(match parsed.scheme() {
            "redis-cluster" | "rediss-cluster" => {
                let nodes = nodes(&parsed, userinfo(&parsed))?;
                Self::Servers(nodes.into_iter().map(Client::open).collect::<Result<_, _>>()?)
            }
            "redis-sentinel" | "rediss-sentinel" => {
                let Sentinels { nodes, master, servers } = Sentinels::of(&parsed)?;
                let client = SentinelClient::build(
                    nodes,
                    master,
                    Some(servers.into()),
                    SentinelServerType::Master.into(),
                );
                Self::Sentinels(Box::new(client?))
            }
            _ => Self::Servers(vec![Client::open(url)?]),
        })
    }

    /// A connection to listen on.
    pub(crate) async fn connection(&mut self) -> Result<PubSub, RedisError> {
        match self {
            Self::Servers(servers) => {
                let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no node is named"));
                for server in servers {
                    match server.get_async_pubsub().await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Self::Sentinels(client) => client.async_get_client().await?.get_async_pubsub().await,
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
            Self::Sentinels(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Sentinels(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
            Self::Sentinels(connection) => connection.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str) -> Vec<String> {
        let url = Url::parse(url).expect("a URL");
        nodes(&url, userinfo(&url)).expect("nodes")
    }

    #[test]
    fn each_node_is_named_with_user_and_password() {
        assert_eq!(
            named("redis-cluster://ann:p%40ss@one:7000?node=two:7001&node=three"),
            ["redis://ann:p%40ss@one:7000", "redis://ann:p%40ss@two:7001", "redis://ann:p%40ss@three"]
        );
        assert_eq!(named("rediss-cluster://:secret@one"), ["rediss://:secret@one"]);
        assert_eq!(named("redis-cluster://[::1]:7000"), ["redis://[::1]:7000"]);
    }

    #[test]
    fn a_url_of_no_redis_is_told_without_its_password() {
        for url in [
            "http://h:1",
            "redis-sentinel://:hunter2@h:1",
            "redis-sentinel://:hunter2@h:1/m?db=many",
            "redis-cluster:hunter2",
            "redis-cluster://:hunter2@h?node=a:b:c",
        ] {
            let error = RedisPlace::at(url, 1).err().expect(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
