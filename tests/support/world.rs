//! A whole installation for one test: its own database, its own server on a free port, its first superuser.

use std::{net::TcpListener, sync::Arc, time::Duration};

use serde_json::json;
use sitewatch_domain::{
    Platform,
    access::{Actor, RequestContext},
    jobs::{Act, Probe},
};
use sitewatch_http::{Api, Draining, HttpSettings, Transport};
use sitewatch_jobs::deliver::Post;
use sitewatch_runtime::{
    assemble::{Runtime, assemble},
    config::{Config, Overrides},
};

use crate::{
    client::Client,
    harness::is_walled_run,
    postgres::{DatabaseCopy, SharedPostgres},
};

/// The address and the password of every world's superuser.
pub const SUPERUSER: (&str, &str) = ("root@example.org", "correct horse battery");
/// The password of every other user that [`World::user`] makes.
pub const PASSWORD: &str = "a password of some length";

/// A secret for nodes that share a database, for their settings.
pub const SHARED_SECRET: &str = "c2VjcmV0LW9mLXR3by1ub2Rlcy0tLS0tLS0tLS0tLS0=";

/// The databases that a suite runs on.
#[derive(Debug)]
pub enum Backend {
    /// A file of each test's own.
    Sqlite,
    /// A copy of a migrated template on a server that the suite starts when a test first asks.
    Postgres(SharedPostgres),
}

impl Backend {
    /// A fresh database; none where the installation makes a file.
    pub async fn database(&self) -> Option<DatabaseCopy> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(shared) => Some(shared.copy(migrate).await),
        }
    }
}

/// One test's installation. Everything ends when it is dropped.
pub struct World {
    /// The use cases, for what has no door over HTTP.
    pub platform: Platform,
    /// Its post: files in the data folder, unless the settings name a mail server.
    pub post: Post,
    /// The server's address.
    pub base: String,
    /// The superuser.
    pub root: Client,
    /// The database, if it is not a file.
    pub database: Option<DatabaseCopy>,
    _server: ServerTask,
    folder: tempfile::TempDir,
}

/// The server, stopped when dropped.
struct ServerTask(tokio::task::JoinHandle<()>);

impl Drop for ServerTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// Starts an installation with a superuser.
    pub async fn start(backend: &Arc<Backend>) -> Self {
        Self::with(backend, &[]).await
    }

    /// Starts an installation with settings that differ from those of the others.
    pub async fn with(backend: &Arc<Backend>, settings: &[(&'static str, &str)]) -> Self {
        match backend.database().await {
            Some(database) if is_walled_run() => Self::behind_the_wall(database, settings).await,
            database => Self::assembled(database, settings).await,
        }
    }

    /// Starts an installation on a database of its own, or on an SQLite file.
    pub async fn on(database: Option<DatabaseCopy>) -> Self {
        Self::assembled(database, &[]).await
    }

    /// Starts an installation on PostgreSQL whose role is no superuser, and whose database keeps organizations apart by itself.
    pub async fn walled(backend: &Arc<Backend>) -> Self {
        Self::behind_the_wall(backend.database().await.expect("PostgreSQL"), &[]).await
    }

    async fn behind_the_wall(database: DatabaseCopy, settings: &[(&'static str, &str)]) -> Self {
        let (serving, owning) = (database.url_of_an_app_role().await, database.url());
        let walled = [
            ("SITEWATCH_DATABASE_URL", serving.as_str()),
            ("SITEWATCH_DATABASE_ADMIN_URL", &owning),
            ("SITEWATCH_DATABASE_ROW_LEVEL_SECURITY", "on"),
            ("SITEWATCH_MIGRATE", "on"),
        ];
        Self::assembled(Some(database), &[settings, &walled].concat()).await
    }

    async fn assembled(database: Option<DatabaseCopy>, settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = database.as_ref().map(DatabaseCopy::url);
        let config = config(folder.path(), url.as_deref(), settings);
        let runtime = assemble(&config).await.expect("an installation");
        sitewatch_runtime::serve::prepare(&runtime, &config).await.expect("a superuser");
        let world = Self::serving(runtime, config.server.transport(), database, folder);
        if config.server.require_https {
            // Nobody signs in over the plain HTTP that clients of tests speak.
            return world;
        }
        let root = world.anonymous().login(SUPERUSER.0, SUPERUSER.1).await;
        Self { root, ..world }
    }

    /// Starts another node on the same database, which is not a file; both need the same secret in their settings.
    pub async fn another(&self, settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(folder.path(), Some(&self.database_url()), settings);
        let runtime = assemble(&config).await.expect("an installation");
        let node = Self::serving(runtime, config.server.transport(), None, folder);
        let root = node.anonymous().with_token(self.root.token());
        Self { root, ..node }
    }

    /// Starts an installation that nobody has set up yet; the one-time token that makes its first superuser.
    #[expect(clippy::disallowed_methods, reason = "the server itself opens the set-up")]
    pub async fn unclaimed(backend: &Arc<Backend>) -> (Self, String) {
        let database = backend.database().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = database.as_ref().map(DatabaseCopy::url);
        let config = config(folder.path(), url.as_deref(), &[]);
        let runtime = assemble(&config).await.expect("an installation");
        let system = Actor::system(RequestContext::default());
        let token = runtime.platform.setup().open(&system).await.expect("a set-up").expect("no superuser");
        (Self::serving(runtime, config.server.transport(), database, folder), token.expose().clone())
    }

    /// Lets two nodes, each with a data folder and so a secret of its own, adopt an empty database at the same moment;
    /// whether each did.
    #[expect(clippy::disallowed_methods, reason = "the server itself adopts its keys")]
    pub async fn two_nodes_with_secrets_of_their_own(backend: &Arc<Backend>) -> [bool; 2] {
        let database = backend.database().await;
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        let file = format!("sqlite:{}", folders[0].path().join("shared.db").display());
        let url = database.as_ref().map_or(file, DatabaseCopy::url);
        let adopt = async |folder: &tempfile::TempDir| {
            let runtime = assemble(&config(folder.path(), Some(&url), &[])).await.expect("an installation");
            let system = Actor::system(RequestContext::default());
            (runtime, system)
        };
        let (one, two) = (adopt(&folders[0]).await, adopt(&folders[1]).await);
        let (setup, other) = (one.0.platform.setup(), two.0.platform.setup());
        let (first, second) = tokio::join!(
            setup.adopt_keys(&one.1, &one.0.key_fingerprints),
            other.adopt_keys(&two.1, &two.0.key_fingerprints)
        );
        [first.expect("an answer"), second.expect("an answer")]
    }

    fn serving(
        runtime: Runtime,
        transport: Transport,
        database: Option<DatabaseCopy>,
        folder: tempfile::TempDir,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let settings =
            HttpSettings { workers: 1, connections: 4096, shutdown_timeout: Duration::from_secs(1) };
        let Runtime { platform, post, trusted_proxies, .. } = runtime;
        let api = Api::new(platform.clone(), Draining::default()).behind(trusted_proxies).asked_by(transport);
        let (server, _stop) = api.serve(listener, &settings).expect("a server");
        let server = tokio::spawn(async move {
            let _ended = server.await;
        });
        let root = Client::anonymous(&base);
        Self { platform, post, base, root, database, _server: ServerTask(server), folder }
    }

    /// The database, for statements of the test's own.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", self.folder.path().join("sitewatch.db").display()),
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.base)
    }

    /// Makes an organization.
    pub async fn organization(&self, name: &str) -> String {
        self.root.post("/api/v1/organizations", json!({ "name": name })).await.expect(201).id()
    }

    /// Makes a user and signs him in.
    pub async fn user(&self, name: &str) -> (String, Client) {
        let email = format!("{name}@example.org");
        let body = json!({ "email": email, "full_name": name, "password": PASSWORD });
        let id = self.root.post("/api/v1/users", body).await.expect(201).id();
        (id, self.anonymous().login(&email, PASSWORD).await)
    }

    /// Makes a user who is a member (`admin` or `member`) of an organization, and signs him in.
    pub async fn member(&self, organization: &str, name: &str, role: &str) -> (String, Client) {
        let (user, client) = self.user(name).await;
        let body = json!({ "user_id": user, "role": role });
        self.root.post(&format!("/api/v1/organizations/{organization}/users"), body).await.expect(201);
        (user, client)
    }

    /// Assigns a member to a site or a module (`spot` is `site_id` or `module_id`).
    pub async fn assign(&self, organization: &str, user: &str, spot: &str, id: &str, access: &str) -> String {
        let body = json!({ "user_id": user, spot: id, "access": access });
        self.root
            .post(&format!("/api/v1/organizations/{organization}/assignments"), body)
            .await
            .expect(201)
            .id()
    }

    /// Writes a job of an organization that nobody works on, for there is no worker.
    #[expect(clippy::disallowed_methods, reason = "the system itself writes jobs")]
    pub async fn job(&self, organization: &str) -> String {
        let system = Actor::system(RequestContext::default());
        let organization_id = Some(organization.parse().expect("an id"));
        let probe = Probe { probe: uuid::Uuid::nil(), number: 0, act: Act::Count, organization_id };
        self.platform.jobs().enqueue_probes(&system, &[probe]).await.expect("a job");
        let path = format!("/api/v1/jobs?organization_id={organization}&sort=-created_at");
        self.root.get(&path).await.expect(200).data()[0]["id"].as_str().expect("an id").to_owned()
    }

    /// Makes a site.
    pub async fn site(&self, organization: &str, name: &str) -> String {
        let body = json!({ "name": name, "timezone": "Europe/Paris" });
        self.root.post(&format!("/api/v1/organizations/{organization}/sites"), body).await.expect(201).id()
    }

    /// Makes a module type of an organization with these metrics, which are made as well.
    pub async fn module_type(&self, organization: &str, name: &str, metrics: &[&str]) -> String {
        for key in metrics {
            let body = json!({ "organization_id": organization, "key": key, "name": key, "unit": "kW" });
            self.root.post("/api/v1/metrics", body).await.expect(201);
        }
        let body = json!({ "organization_id": organization, "name": name, "metrics": metrics });
        self.root.post("/api/v1/module-types", body).await.expect(201).id()
    }

    /// Makes a module whose serial number is its name.
    pub async fn module(&self, site: &str, module_type: &str, name: &str) -> String {
        let body = json!({ "name": name, "serial_number": name, "module_type_id": module_type });
        self.root.post(&format!("/api/v1/sites/{site}/modules"), body).await.expect(201).id()
    }
}

/// The settings of a test installation: the lowest bcrypt cost, and nothing of the environment.
pub fn config(folder: &std::path::Path, postgres: Option<&str>, settings: &[(&'static str, &str)]) -> Config {
    let mut environment = vec![
        ("SITEWATCH_DATA_DIR", folder.display().to_string()),
        ("SITEWATCH_BCRYPT_COST", "4".to_owned()),
        // All of a test's sign-ins come from one address, and as fast as they can.
        ("SITEWATCH_RATE_LIMITS", "off".to_owned()),
        ("SITEWATCH_ADMIN_EMAIL", SUPERUSER.0.to_owned()),
        ("SITEWATCH_ADMIN_PASSWORD", SUPERUSER.1.to_owned()),
    ];
    if let Some(url) = postgres {
        environment.push(("SITEWATCH_DATABASE_URL", url.to_owned()));
    }
    environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Config::load(&Overrides::default(), environment, folder).expect("legal settings").config
}

/// Brings a template database up to date.
pub async fn migrate(url: String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config(folder.path(), Some(&url), &[]);
    sitewatch_runtime::assemble::migrate(&config.database).await.expect("migrations run");
}
