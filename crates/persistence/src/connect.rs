//! The store: what it is told, why it cannot be had, and handing out sessions.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sea_orm::{DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions};
use sitewatch_domain::{
    access::Actor,
    keys::KeyUse,
    ports::{Entropy, Notary, Reader, Store, StoreError, Tx},
    text::Secret,
    time::Clock,
};
use tracing::Instrument as _;

use crate::{
    deadline::{Patience, Silence},
    error::{damage, denial, store_error},
    file::OpenedFile,
    migrate::{self, MigrateError},
    observe::{Observer, PoolState},
    open::{check_sqlite, open_postgres, open_sqlite, unreachable, warn_of_superuser},
    repositories::{keys, setup, standing::Questions},
    session::{Session, Shared},
    wall::{self, View},
};

/// Connections that read an SQLite file.
const SQLITE_READERS: u32 = 4;
/// Connections of one node; a server that allows a hundred takes a few nodes and tools beside.
const POSTGRES_CONNECTIONS: u32 = 20;

/// How a database is reached.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    pub(crate) target: Target,
    /// How long a statement may take before the log tells of it; none if it never does.
    slow: Option<Duration>,
}

#[derive(Debug, Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres { url: Secret<String>, admin_url: Secret<String>, has_wall: bool },
}

impl StoreSettings {
    /// A file, which is made if there is none.
    pub fn sqlite(path: &Path) -> Self {
        Self { target: Target::Sqlite(path.to_owned()), slow: None }
    }

    /// A server; migrations run under `admin_url`.
    pub const fn postgres(url: Secret<String>, admin_url: Secret<String>) -> Self {
        Self { target: Target::Postgres { url, admin_url, has_wall: false }, slow: None }
    }

    /// The same; the log tells of statements that take longer, without their values.
    pub fn telling_of_statements_over(self, slow: Option<Duration>) -> Self {
        Self { slow, ..self }
    }

    /// Whether PostgreSQL itself keeps the rows of organizations apart. SQLite cannot.
    pub fn with_row_level_security(mut self, is_on: bool) -> Self {
        if let Target::Postgres { has_wall, .. } = &mut self.target {
            *has_wall = is_on;
        }
        self
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It does not answer, or refuses the credentials.
    #[error("the database cannot be reached")]
    Unreachable(#[source] DbErr),
    /// A PostgreSQL server that can be named does not take the connection.
    #[error("{address}: {reason}")]
    Refused {
        /// Host and port, or the socket.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The role lacks a right.
    #[error("the database refused: {0}")]
    Denied(String),
    /// The SQLite file is damaged, or none of SQLite's.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The SQLite library has known faults that destroy data.
    #[error("the SQLite library is {0}, which is too old")]
    SqliteTooOld(String),
    /// Row level security is asked for, and some table lacks it.
    #[error("row level security is not in force")]
    Unwalled,
    /// Row level security is asked for, and the role that serves is exempt from it.
    #[error("the role {0} is exempt from row level security")]
    SeesAll(String),
    /// The schema cannot be brought up to date, or is newer than this program.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl ConnectError {
    /// What keeps a database from being used that could be opened, or was about to be.
    pub(crate) fn of(error: DbErr) -> Self {
        if let Some(said) = damage(&error) {
            Self::Damaged(said)
        } else if let Some(said) = denial(&error) {
            Self::Denied(said)
        } else {
            Self::Unreachable(error)
        }
    }
}

/// Repositories on SQLite or PostgreSQL.
pub struct SeaStore {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// Whether PostgreSQL keeps rows apart, for whoever sees only a part.
    has_wall: bool,
    /// Of SQLite.
    file: Option<OpenedFile>,
    /// With the pool for reading.
    patience: Patience,
    /// With that for writing, which is the same on PostgreSQL.
    writing: Patience,
    shared: Arc<Shared>,
    standings: Option<Arc<Questions>>,
    is_current: AtomicBool,
    /// When the last sign of life was asked for, and whether it came.
    last_ping: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl SeaStore {
    /// Opens a database.
    ///
    /// # Errors
    /// [`ConnectError`], as its variants say.
    pub async fn connect(
        settings: StoreSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        notary: Arc<dyn Notary>,
    ) -> Result<Self, ConnectError> {
        let observer = |system| Observer::new(system, settings.slow);
        let (read, write, has_wall, file, patience, writing) = match &settings.target {
            Target::Sqlite(path) => {
                // One writer: a second one would only wait inside SQLite, where waiting can fail.
                let write = open_sqlite(path, 1).await?;
                check_sqlite(&write).await?;
                let file = OpenedFile::at(path).map_err(unreachable)?;
                let read = open_sqlite(path, SQLITE_READERS).await?;
                let [patience, writing] = [(); 2].map(|()| Patience::of_sqlite(observer("sqlite")));
                (read, write, false, Some(file), patience, writing)
            }
            Target::Postgres { url, has_wall, .. } => {
                let silence = Silence::default();
                let pool = open_postgres(url, POSTGRES_CONNECTIONS, &silence).await?;
                warn_of_superuser(&pool).await;
                let patience = Patience::of_postgres(silence, observer("postgresql"));
                (pool.clone(), pool, *has_wall, None, patience.clone(), patience)
            }
        };
        migrate::refuse_newer(&write).await?;
        let shared = Arc::new(Shared {
            clock,
            entropy,
            notary,
            remembered: crate::repositories::readings::Remembered::default(),
            uses: crate::repositories::keys::recent_uses(),
        });
        // A statement of SQLite's is a call within the process: nothing is gained by gathering them.
        let standings = (read.get_database_backend() == DbBackend::Postgres)
            .then(|| Arc::new(Questions::new(|| patience.standings(read.clone()))));
        let (is_current, last_ping) = (AtomicBool::new(false), tokio::sync::Mutex::default());
        Ok(Self { read, write, has_wall, file, patience, writing, shared, standings, is_current, last_ping })
    }

    /// Whether the database was made with a secret, as every one is that was ever served.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`SeaStore::connect`].
    pub async fn has_secret(settings: &StoreSettings) -> Result<bool, ConnectError> {
        let connection = match &settings.target {
            Target::Sqlite(path) => {
                let connection = open_sqlite(path, 1).await?;
                check_sqlite(&connection).await?;
                connection
            }
            Target::Postgres { url, .. } => open_postgres(url, 1, &Silence::default()).await?,
        };
        migrate::refuse_newer(&connection).await?;
        let has_secret = setup::has_key_fingerprints(&connection).await.map_err(ConnectError::of)?;
        connection.close().await.map_err(ConnectError::of)?;
        Ok(has_secret)
    }

    /// The pools of connections, as they are at this moment.
    pub fn pools(&self) -> Vec<PoolState> {
        match self.read.get_database_backend() {
            DbBackend::Postgres => vec![self.patience.pool("all", &self.read)],
            _ => vec![self.patience.pool("read", &self.read), self.writing.pool("write", &self.write)],
        }
    }

    /// Whether the database keeps rows apart, if that is what the settings ask for. Asked when the schema is complete.
    ///
    /// # Errors
    /// [`ConnectError::Unwalled`] and [`ConnectError::SeesAll`] if it does not.
    pub async fn check_row_level_security(&self) -> Result<(), ConnectError> {
        if self.has_wall { wall::check(&self.read).await } else { Ok(()) }
    }

    /// Runs the migrations that the database lacks, and sees to it that row level security is as the settings say; the names of
    /// those that ran.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn migrate_up(settings: &StoreSettings) -> Result<Vec<String>, ConnectError> {
        migrate::up(settings).await
    }

    /// Takes back the last migrations, and with them the data of their tables; their names.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn migrate_down(settings: &StoreSettings, steps: u32) -> Result<Vec<String>, ConnectError> {
        migrate::down(settings, steps).await
    }

    /// Takes back everything and runs every migration again; all data is lost. The names of what ran.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn migrate_fresh(settings: &StoreSettings) -> Result<Vec<String>, ConnectError> {
        migrate::fresh(settings).await
    }

    /// Every migration that the program knows, in order, and whether it has run.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn migration_status(settings: &StoreSettings) -> Result<Vec<(String, bool)>, ConnectError> {
        migrate::status(settings).await
    }
}

impl SeaStore {
    /// Checks that what is written can be found again.
    fn check_file(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), OpenedFile::check)
    }

    /// What an actor is behind the wall for; none if he sees everything, or there is no wall.
    fn view_of(&self, who: &Actor) -> Option<View> {
        self.has_wall.then(|| View::of(who)).flatten()
    }
}

#[async_trait]
impl Store for SeaStore {
    async fn read(&self, who: &Actor) -> Result<Reader, StoreError> {
        let (shared, standings) = (Arc::clone(&self.shared), self.standings.clone());
        let Some(view) = self.view_of(who) else {
            let connection = self.patience.reading(self.read.clone(), who);
            return Ok(Reader::new(Box::new(Session::reading(connection, shared, standings))));
        };
        let connection = self.patience.reading_behind_wall(&self.read, &view, who);
        Ok(Reader::new(Box::new(Session::reading(connection, shared, standings))))
    }

    fn note_use(&self, key_use: KeyUse) {
        if self.shared.uses.get(&key_use.credential.uuid()).is_some() {
            return;
        }
        self.shared.uses.insert(key_use.credential.uuid(), ());
        let connection = self.writing.standings(self.write.clone());
        let noting = async move { keys::note_use(&connection, &key_use).await };
        // A task of its own: the request goes on meanwhile.
        drop(tokio::spawn(noting.in_current_span()));
    }

    async fn write(&self, who: &Actor) -> Result<Box<dyn Tx>, StoreError> {
        self.check_file()?;
        // A deferred transaction that reads first cannot become a writer while another one writes; an immediate one waits.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.writing.begin(&self.write, options, who).await.map_err(store_error)?;
        let view = self.view_of(who);
        if let Some(view) = &view {
            view.open(&transaction).await.map_err(store_error)?;
        }
        let session = Session::writing(transaction, Arc::clone(&self.shared), who, view.is_some()).await?;
        Ok(Box::new(session))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.check_file()?;
        let asked_at = Instant::now();
        let mut last = self.last_ping.lock().await;
        // Many who ask at once are told by one sign of life that was asked for after all of them had come.
        if !last.is_some_and(|(began, _)| began >= asked_at) {
            let began = Instant::now();
            let answered = self.patience.probing(self.read.clone()).ping().await;
            *last = Some((began, answered.is_ok()));
            return answered.map_err(|error| StoreError::Unavailable(Box::new(error)));
        }
        match *last {
            Some((_, true)) => Ok(()),
            _ => Err(StoreError::Unavailable("the database gave no sign of life".into())),
        }
    }

    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        // Asked at every readiness probe; a schema that is current stays so for this program.
        if self.is_current.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let connection = self.patience.probing(self.read.clone());
        let pending = connection.ask(migrate::pending).await.map_err(store_error)?;
        self.is_current.store(pending.is_empty(), Ordering::Relaxed);
        Ok(pending)
    }

    fn kind(&self) -> &'static str {
        match self.read.get_database_backend() {
            DbBackend::Postgres => "postgresql",
            _ => "sqlite",
        }
    }
}
