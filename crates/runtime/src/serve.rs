//! The server's life: start, banner, serving, graceful stop.

use std::{
    convert::Infallible,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use sitewatch_domain::access::{Actor, RequestContext};
use sitewatch_http::{Api, Draining, HttpSettings, Preparing};
use sitewatch_jobs::Ended;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};

use crate::{
    assemble::{Runtime, assemble},
    checkpoints,
    config::{Config, Loaded},
    data_folder::DataFolder,
    exit::StartError,
    first_user,
    management::{self, Management},
    open_files,
    server_lock::ServerLock,
    work,
};

/// How long a stopping server still answers, so that whoever spreads the load sees that it is not ready any more.
const DRAIN_NOTICE: Duration = Duration::from_secs(1);
/// How long running requests may take once no new ones are accepted.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a server that waits for migrations looks whether they have run.
const MIGRATION_PAUSE: Duration = Duration::from_millis(250);
/// The exit code after a second signal, as shells report a death by SIGTERM.
const FORCED_EXIT: i32 = 143;

/// Serves until a signal stops it. Works jobs off as well if no Redis wakes others to do it, or if `all` is asked for.
///
/// # Errors
/// What stops the start; or that jobs took too many threads.
pub async fn serve(loaded: &Loaded, all: bool) -> Result<(), StartError> {
    let config = &loaded.config;
    // First of all: a taken port is told before anything is made or migrated.
    let listener = listen(config.server.bind)?;
    let address = listener.local_addr().map_err(|error| StartError::listen(config.server.bind, error))?;
    let management = Management::bind(management::API, config.server.management_bind)?;
    DataFolder::open(&config.storage.data_dir)?;
    // Before anything is migrated: the database may belong to a server that runs.
    let _lock = ServerLock::of_server(config).await?;
    let runtime = assemble(config).await?;
    let preparing = Preparing::default();
    if runtime.pending_migrations.is_empty() {
        prepare(&runtime, config).await?;
    } else {
        preparing.begin();
    }
    banner(config, address, management.as_ref().map(Management::address), &runtime);
    for note in loaded.notes() {
        tracing::warn!(note, "about the settings");
    }
    // To the end, so that a server that is stopping still tells its figures.
    let _management = management.map(|management| management.open(&runtime)).transpose()?;
    let works = all || runtime.redis.is_none();
    run(Arc::new(runtime), listener, config, preparing, works).await
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).map_err(|error| StartError::listen(address, error))?;
    listener.set_nonblocking(true).map_err(|error| StartError::listen(address, error))?;
    Ok(listener)
}

/// What a database needs before it serves: the keys of this node must be its own, and somebody must be able to get in.
///
/// # Errors
/// What stops the start, with the sentence for the operator.
pub async fn prepare(runtime: &Runtime, config: &Config) -> Result<(), StartError> {
    adopt(runtime).await?;
    first_user::ensure(&runtime.platform, config).await
}

/// Waits for the migrations that somebody else runs, then prepares; does not return if that was done before.
async fn prepare_later(
    runtime: &Runtime,
    config: &Config,
    preparing: &Preparing,
) -> Result<Infallible, StartError> {
    while preparing.is_going_on() {
        tokio::time::sleep(MIGRATION_PAUSE).await;
        // A database that is away for a while is asked again; readiness tells of it.
        let is_complete =
            runtime.platform.readiness().await.is_ok_and(|readiness| readiness.pending_migrations.is_empty());
        if is_complete {
            prepare(runtime, config).await?;
            preparing.end();
            tracing::info!("the schema is complete now; serving");
        }
    }
    std::future::pending().await
}

/// What every program does before it writes: checks that the database keeps rows apart if it is asked to, and that this node's secret is
/// the database's, which an empty database makes its own; and prepares the chains of the audit log, so that what is older than they are
/// comes first.
///
/// # Errors
/// [`StartError::Unwalled`], [`StartError::SeesAll`] and [`StartError::SecretsDiffer`] if it is not so.
#[expect(
    clippy::disallowed_methods,
    reason = "which keys belong to the database, and how its log is kept, is the system's own concern"
)]
pub(crate) async fn adopt(runtime: &Runtime) -> Result<(), StartError> {
    let system = Actor::system(RequestContext::default());
    runtime.require_row_level_security().await?;
    adopt_keys(runtime, &system).await?;
    let taken = runtime.platform.audit().take_up(&system).await;
    let taken = taken.map_err(|error| StartError::Internal(error.into()))?;
    if taken > 0 {
        tracing::info!(entries = taken, "the audit log is a chain now, which begins with what was there");
    }
    Ok(())
}

async fn adopt_keys(runtime: &Runtime, system: &Actor) -> Result<(), StartError> {
    let adopted = runtime.platform.setup().adopt_keys(system, &runtime.key_fingerprints).await;
    match adopted {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::SecretsDiffer),
        Err(error) => Err(StartError::Internal(error.into())),
    }
}

async fn run(
    runtime: Arc<Runtime>,
    listener: TcpListener,
    config: &Config,
    preparing: Preparing,
    works: bool,
) -> Result<(), StartError> {
    let internal = |error: std::io::Error| StartError::Internal(error.into());
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
    let draining = Draining::default();
    let settings = HttpSettings {
        workers: usize::from(config.server.workers),
        connections: open_files::connections(open_files::raise_limit(), config.server.workers),
        shutdown_timeout: SHUTDOWN_TIMEOUT,
    };
    let (stop_work, stopping) = tokio::sync::oneshot::channel::<()>();
    let stopping = async move {
        // A sender that is gone means the same.
        let _gone = stopping.await;
    };
    let (jobs, working) = (config.jobs, Arc::clone(&runtime));
    let mut worker = tokio::spawn(async move {
        if works {
            return work::work(&working, jobs, stopping).await;
        }
        stopping.await;
        Ended::Told
    });
    let (server, handle) = Api::new(runtime.platform.clone(), draining.clone())
        .not_ready_while(preparing.clone())
        .behind(runtime.trusted_proxies.clone())
        .asked_by(config.server.transport())
        .telling_of_requests_over(config.log.slow_request)
        .serve(listener, &settings)
        .map_err(|error| StartError::Internal(error.into()))?;
    let server = tokio::spawn(server);
    let mut beside = JoinSet::new();
    beside.spawn(checkpoints::keep(runtime.platform.clone(), config.storage.data_dir.clone()));
    let mut ended = None;
    let notice = tokio::select! {
        _ = terminate.recv() => DRAIN_NOTICE,
        // Whoever presses Ctrl-C stands before the screen; nobody spreads load over his server.
        _ = interrupt.recv() => Duration::ZERO,
        failed = prepare_later(&runtime, config, &preparing) => {
            // It has never been ready, so nobody is served yet.
            handle.stop(false).await;
            return failed.map(|never| match never {});
        }
        // By itself only if it cannot go on; then nothing that is accepted now would ever be done.
        verdict = &mut worker => {
            ended = Some(verdict);
            DRAIN_NOTICE
        }
    };
    draining.begin();
    tracing::info!("stopping: finishing what runs; a second signal ends at once");
    tokio::spawn(end_at_second_signal(terminate, interrupt));
    tokio::time::sleep(notice).await;
    handle.stop(true).await;
    drop(stop_work);
    let ended = match ended {
        Some(ended) => ended,
        None => worker.await,
    };
    if ended.is_err() {
        tracing::error!("the worker ended in a way that it does not know");
    }
    match server.await {
        Ok(Ok(())) if matches!(ended, Ok(Ended::Exhausted)) => Err(StartError::ThreadsLost),
        Ok(Ok(())) => {
            tracing::info!("stopped");
            Ok(())
        }
        Ok(Err(error)) => Err(internal(error)),
        Err(error) => Err(StartError::Internal(error.into())),
    }
}

async fn end_at_second_signal(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    std::process::exit(FORCED_EXIT);
}

/// What an operator wants to see first. Written to standard error like the log, since standard output is for results.
fn banner(config: &Config, address: SocketAddr, management: Option<SocketAddr>, runtime: &Runtime) {
    let url = if config.server.bind.port() == 0 {
        format!("http://{address}")
    } else {
        config.server.public_url.as_str().trim_end_matches('/').to_owned()
    };
    let migrations = match (runtime.migrated.len(), runtime.pending_migrations.len()) {
        (_, pending) if pending > 0 => {
            format!(
                "{pending} migration(s) are missing: run `sitewatch-api migrate up`; until then the server is not ready"
            )
        }
        (0, _) => "up to date".to_owned(),
        (ran, _) => format!("up to date, {ran} migration(s) ran now"),
    };
    let metrics = match management {
        Some(address) => format!("http://{address}/metrics"),
        None => "off".to_owned(),
    };
    let text = format!(
        "\n  Sitewatch {version}\n    API            {url}/api/v1\n    documentation  {url}/docs\n    metrics        {metrics}\n    database       {database}\n    \
         schema         {migrations}\n    data folder    {folder}\n    environment    {environment}\n    listening on   {address}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        database = config.database.target,
        folder = config.storage.data_dir.display(),
        environment = config.environment,
    );
    // A closed standard error is no reason to stop serving.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
