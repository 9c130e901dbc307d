//! The server's life: start, banner, serving, graceful stop.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use sitewatch_domain::access::{Actor, RequestContext};
use sitewatch_http::{Api, Draining, HttpSettings};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    assemble::{Runtime, assemble},
    config::{Config, DatabaseTarget, Loaded},
    exit::StartError,
    first_user, work,
};

/// How long a stopping server still answers, so that whoever spreads the load sees that it is not ready any more.
const DRAIN_NOTICE: Duration = Duration::from_secs(1);
/// How long running requests may take once no new ones are accepted.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The exit code after a second signal, as shells report a death by SIGTERM.
const FORCED_EXIT: i32 = 143;

/// Serves until a signal stops it.
///
/// # Errors
/// What stops the start.
pub async fn serve(loaded: &Loaded) -> Result<(), StartError> {
    let config = &loaded.config;
    // First of all: a taken port is told before anything is made or migrated.
    let listener = listen(config.server.bind)?;
    let address = listener.local_addr().map_err(|error| StartError::listen(config.server.bind, error))?;
    let runtime = assemble(config).await?;
    // SQLite belongs to one server; PostgreSQL serves several, which may share a machine and a folder.
    let _lock = match config.database.target {
        DatabaseTarget::Sqlite(_) => Some(runtime.folder.lock()?),
        DatabaseTarget::Postgres { .. } => None,
    };
    if runtime.pending_migrations.is_empty() {
        prepare(&runtime, config).await?;
    }
    banner(config, address, &runtime);
    for note in loaded.notes() {
        tracing::info!(note, "a setting is accepted and not used yet");
    }
    run(runtime, listener, config).await
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
    adopt_keys(runtime).await?;
    first_user::ensure(&runtime.platform, config).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "which keys belong to the database is the system's own concern"
)]
async fn adopt_keys(runtime: &Runtime) -> Result<(), StartError> {
    let system = Actor::system(RequestContext::default());
    let adopted = runtime.platform.setup().adopt_keys(&system, &runtime.key_fingerprints).await;
    match adopted {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::SecretsDiffer),
        Err(error) => Err(StartError::Internal(error.into())),
    }
}

async fn run(runtime: Runtime, listener: TcpListener, config: &Config) -> Result<(), StartError> {
    let internal = |error: std::io::Error| StartError::Internal(error.into());
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
    let draining = Draining::default();
    let settings =
        HttpSettings { workers: usize::from(config.server.workers), shutdown_timeout: SHUTDOWN_TIMEOUT };
    let Runtime { platform, bells, .. } = runtime;
    let (stop_work, stopping) = tokio::sync::oneshot::channel::<()>();
    let worker = tokio::spawn(work::work(platform.clone(), bells, async move {
        // A sender that is gone means the same.
        let _gone = stopping.await;
    }));
    let (server, handle) = Api::new(platform, draining.clone())
        .serve(listener, &settings)
        .map_err(|error| StartError::Internal(error.into()))?;
    let server = tokio::spawn(server);
    let notice = tokio::select! {
        _ = terminate.recv() => DRAIN_NOTICE,
        // Whoever presses Ctrl-C stands before the screen; nobody spreads load over his server.
        _ = interrupt.recv() => Duration::ZERO,
    };
    draining.begin();
    tracing::info!("stopping: finishing what runs; a second signal ends at once");
    tokio::spawn(end_at_second_signal(terminate, interrupt));
    tokio::time::sleep(notice).await;
    handle.stop(true).await;
    drop(stop_work);
    if worker.await.is_err() {
        tracing::error!("the worker ended in a way that it does not know");
    }
    match server.await {
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
fn banner(config: &Config, address: SocketAddr, runtime: &Runtime) {
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
    let text = format!(
        "\n  Sitewatch {version}\n    API            {url}/api/v1\n    documentation  {url}/docs\n    database       {database}\n    \
         schema         {migrations}\n    data folder    {folder}\n    environment    {environment}\n    listening on   {address}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        database = config.database.target,
        folder = config.storage.data_dir.display(),
        environment = config.environment,
    );
    // A closed standard error is no reason to stop serving.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
