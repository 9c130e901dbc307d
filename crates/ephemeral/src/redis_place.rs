//! Where a Redis is: on one server, on the nodes of a Cluster, or on the server that Sentinels name.

use std::time::Duration;

use deadpool_redis::{
    Manager, Pool, PoolError, RedisConnectionInfo, cluster,
    redis::{
        Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value,
        aio::{ConnectionLike, PubSub},
        sentinel::SentinelClient,
    },
    sentinel::{self, SentinelNodeConnectionInfo, SentinelServerType, TlsMode},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::time::timeout;
use url::Url;

/// How long one of several servers may take to be listened to before the next is tried.
const EACH_WITHIN: Duration = Duration::from_secs(2);

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

/// Looks whether a Redis can be where this URL says, without asking anybody.
///
/// # Errors
/// What is wrong with it, without the URL.
pub fn check_redis_url(url: &str) -> Result<(), RedisUrlError> {
    RedisPlace::at(url, 1).and_then(|_| ListeningPost::at(url)).map(drop)
}

impl RedisPlace {
    /// `redis://user:password@host:6379/database`, `redis-cluster://…@host:6379?node=another:6379`, or
    /// `redis-sentinel://…@host:26379/master?node=another:26379&db=0&sentinel_password=…`; each with `rediss` for TLS. User and password are
    /// those of the Redis servers.
    pub(crate) fn at(url: &str, connections: usize) -> Result<Self, RedisUrlError> {
        let unusable = |error: deadpool_redis::BuildError| RedisUrlError(error.to_string());
        Ok(match Named::by(url)? {
            Named::Cluster(nodes) => {
                let manager = cluster::Manager::new(nodes, false)?;
                let pool = cluster::Pool::builder(manager).max_size(connections).build();
                Self::Cluster(pool.map_err(unusable)?)
            }
            Named::Sentinels(Sentinels { nodes, master, servers }) => {
                let manager =
                    sentinel::Manager::new(nodes, master, Some(servers), SentinelServerType::Master)?;
                let pool = sentinel::Pool::builder(manager).max_size(connections).build();
                Self::Sentinels(pool.map_err(unusable)?)
            }
            Named::Server => {
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

/// The parameters as they were meant; a `+` is none of a form.
fn parameters(url: &Url) -> impl Iterator<Item = (&str, String)> {
    url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name, percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

/// That nothing is asked for that would not be heeded.
fn expect_alone(url: &Url, known: &[&str]) -> Result<(), RedisUrlError> {
    match parameters(url).find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(RedisUrlError(format!("it knows no parameter {name}"))),
        None => Ok(()),
    }
}

/// The URL of each node that is named: by the host, and by each `node` in the parameters.
fn nodes(url: &Url, userinfo: &str) -> Result<Vec<String>, RedisUrlError> {
    let scheme = if url.scheme().starts_with("rediss") { "rediss" } else { "redis" };
    let host = url.host_str().ok_or_else(|| RedisUrlError("it names no host".to_owned()))?;
    let first = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let others = parameters(url).filter(|(name, _)| *name == "node").map(|(_, node)| node);
    let all: Vec<String> = [first].into_iter().chain(others).collect();
    if all.iter().any(|node| node.is_empty() || node.contains(['@', '/', '?', '#'])) {
        return Err(RedisUrlError("a node is host:port, and nothing more".to_owned()));
    }
    Ok(all.into_iter().map(|node| format!("{scheme}://{userinfo}{node}")).collect())
}

/// The nodes of a Cluster, which has one database only.
fn nodes_of_cluster(url: &Url) -> Result<Vec<String>, RedisUrlError> {
    expect_alone(url, &["node"])?;
    if !matches!(url.path(), "" | "/") {
        return Err(RedisUrlError("a Cluster has no numbered databases".to_owned()));
    }
    nodes(url, &userinfo(url))
}

/// What a URL names.
enum Named {
    Server,
    Cluster(Vec<String>),
    Sentinels(Sentinels),
}

impl Named {
    fn by(url: &str) -> Result<Self, RedisUrlError> {
        let url = Url::parse(url).map_err(|error| RedisUrlError(error.to_string()))?;
        Ok(match url.scheme() {
            "redis-cluster" | "rediss-cluster" => Self::Cluster(nodes_of_cluster(&url)?),
            "redis-sentinel" | "rediss-sentinel" => Self::Sentinels(Sentinels::of(&url)?),
            "redis" | "rediss" => {
                expect_alone(&url, &["protocol"])?;
                Self::Server
            }
            _ => Self::Server,
        })
    }
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
        expect_alone(url, &["node", "db", "sentinel_password"])?;
        let parameter =
            |wanted: &str| parameters(url).find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let master = decoded(url.path().trim_matches('/'));
        if master.is_empty() || url.path().trim_matches('/').contains('/') {
            return Err(RedisUrlError("it names no master: redis-sentinel://host:26379/master".to_owned()));
        }
        let db = match parameter("db") {
            None => 0,
            Some(number) => {
                i64::from(number.parse::<u32>().map_err(|_| RedisUrlError("db is no number".to_owned()))?)
            }
        };
        let of_sentinels = parameter("sentinel_password")
            .map(|password| format!(":{}@", utf8_percent_encode(&password, NON_ALPHANUMERIC)))
            .unwrap_or_default();
        let servers = SentinelNodeConnectionInfo {
            tls_mode: url.scheme().starts_with("rediss").then_some(TlsMode::Secure),
            redis_connection_info: Some(RedisConnectionInfo {
                db,
                username: Some(decoded(url.username())).filter(|name| !name.is_empty()),
                password: url.password().map(decoded),
                ..RedisConnectionInfo::default()
            }),
        };
        let nodes = nodes(url, &of_sentinels)?.into_iter().map(|node| {
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
        Ok(match Named::by(url)? {
            Named::Cluster(nodes) => {
                Self::Servers(nodes.into_iter().map(Client::open).collect::<Result<_, _>>()?)
            }
            Named::Sentinels(Sentinels { nodes, master, servers }) => {
                let client = SentinelClient::build(
                    nodes,
                    master,
                    Some(servers.into()),
                    SentinelServerType::Master.into(),
                );
                Self::Sentinels(Box::new(client?))
            }
            Named::Server => Self::Servers(vec![Client::open(url)?]),
        })
    }

    /// A connection to listen on.
    pub(crate) async fn connection(&mut self) -> Result<PubSub, RedisError> {
        match self {
            Self::Servers(servers) => {
                let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no node is named"));
                for server in servers {
                    match timeout(EACH_WITHIN, server.get_async_pubsub()).await {
                        Ok(Ok(connection)) => return Ok(connection),
                        Ok(Err(error)) => last = error,
                        Err(_) => last = RedisError::from((ErrorKind::Io, "no answer in time")),
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
        nodes(&url, &userinfo(&url)).expect("nodes")
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
    fn a_password_of_sentinels_is_the_one_that_is_meant() {
        for (given, meant) in [("a+b/c=", "a%2Bb%2Fc%3D"), ("%2541", "%2541"), ("p%40ss", "p%40ss")] {
            let url = format!("redis-sentinel://ann:x@h/m?node=two:2&sentinel_password={given}");
            let Sentinels { nodes, servers, .. } =
                Sentinels::of(&Url::parse(&url).expect("a URL")).expect("nodes");
            assert_eq!(nodes, [format!("redis://:{meant}@h:26379"), format!("redis://:{meant}@two:2")]);
            let of_servers = servers.redis_connection_info.expect("told");
            assert_eq!(
                (of_servers.username.as_deref(), of_servers.password.as_deref()),
                (Some("ann"), Some("x"))
            );
        }
    }

    #[test]
    fn a_url_of_no_redis_is_told_without_its_password() {
        for url in [
            "http://h:1",
            "redis-sentinel://:hunter2@h:1",
            "redis-sentinel://:hunter2@h:1/m?db=many",
            "redis-sentinel://:hunter2@h:1/m?db=-1",
            "redis-sentinel://:hunter2@h:1/m/0",
            "redis://:hunter2@h:1?node=two:2",
            "redis-cluster:hunter2",
            "redis-cluster://:hunter2@h?node=a:b:c",
            "redis-cluster://:hunter2@h?nodes=a:1",
            "redis-cluster://:hunter2@h/3",
            "redis-cluster://h?node=x:hunter2%40a:1",
            "redis-sentinel://:hunter2@h:1/m?sentinel_password=hunter2&tls=none",
        ] {
            let error = RedisPlace::at(url, 1).err().expect(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
