//! The command line of `sitewatch-api`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    commands::{self, CommandError},
    config::{Config, Overrides},
    demo,
    exit::StartError,
    import, serve, telemetry,
};

/// Sitewatch, a self-hosted monitoring platform: the API server and its tools.
#[derive(Debug, Parser)]
#[command(name = "sitewatch-api", version, about, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    settings: Overrides,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve {
        /// Work jobs off as well, although Redis wakes workers of their own
        #[arg(long)]
        all: bool,
    },
    /// Bring the database's schema up to date, or look at it
    Migrate {
        #[command(subcommand)]
        step: MigrateStep,
    },
    /// Make a superuser
    CreateSuperuser(commands::superuser::SuperuserArgs),
    /// Take over users of another platform, with their bcrypt hashes, from a CSV or JSON lines file
    ImportUsers(commands::import_users::ImportUsersArgs),
    /// Print the OpenAPI 3.1 document
    Openapi {
        /// Write it into this file
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check or show the settings, or make a secret
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Try out how mail is sent
    Mail {
        #[command(subcommand)]
        what: MailCommand,
    },
    /// Load readings from a CSV file through the API of a running server
    Import(import::ImportArgs),
    /// Load a real wind farm into a running server, or start one for it
    Demo(demo::DemoArgs),
    /// Compare the kept figures of readings with the readings, or compute them anew
    Rollups {
        #[command(subcommand)]
        what: commands::rollups::RollupsCommand,
    },
    /// Look whether the audit log is as it was written
    Audit {
        #[command(subcommand)]
        what: commands::audit::AuditCommand,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateStep {
    /// Run what is missing
    Up,
    /// Take back the last migrations, and with them the data of their tables
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: u32,
    },
    /// Show which migrations have run
    Status,
    /// Take back everything and start with an empty schema; all data is lost
    Fresh {
        /// Really
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
enum MailCommand {
    /// Send a test mail at once, and tell what came of it
    Test(commands::mail::TestArgs),
    /// List the addresses that get no mail any more, and why
    Suppressions,
    /// Let mail go to an address again that a mail server refused
    Allow(commands::mail::AllowArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the settings and list all faults at once
    Check,
    /// Show every setting with its value and where it comes from; secrets are masked
    Show,
    /// Print a fresh secret for SITEWATCH_SECRET_KEY
    Secret,
}

/// Runs the command line of this process to its end.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(execute(cli));
            telemetry::end();
            // Not waiting for its threads: one that a job never gave back would hold up the end for ever.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(CommandError::Output(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be told where standard error is closed; the exit code still says it.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn execute(cli: Cli) -> Result<(), CommandError> {
    match cli.command.unwrap_or(Command::Serve { all: false }) {
        Command::Serve { all } => {
            let loaded = Config::load_from_process(&cli.settings)?;
            telemetry::start_program(&loaded.config, "sitewatch-api").map_err(StartError::Internal)?;
            Ok(serve::serve(&loaded, all).await?)
        }
        Command::Migrate { step } => {
            let config = loaded(&cli.settings)?;
            commands::migrate::run(&config, step).await
        }
        Command::CreateSuperuser(args) => {
            let config = loaded(&cli.settings)?;
            commands::superuser::run(&config, args).await
        }
        Command::ImportUsers(args) => {
            let config = loaded(&cli.settings)?;
            commands::import_users::run(&config, args).await
        }
        Command::Openapi { output } => commands::openapi(output.as_deref()),
        Command::Config { what: ConfigCommand::Check } => {
            commands::check(&Config::load_from_process(&cli.settings)?)
        }
        Command::Config { what: ConfigCommand::Show } => {
            print(&Config::load_from_process(&cli.settings)?.show())
        }
        Command::Config { what: ConfigCommand::Secret } => commands::secret(),
        Command::Mail { what: MailCommand::Test(args) } => {
            let config = loaded(&cli.settings)?;
            commands::mail::test(&config, args).await
        }
        Command::Mail { what: MailCommand::Suppressions } => {
            commands::mail::suppressions(&loaded(&cli.settings)?).await
        }
        Command::Mail { what: MailCommand::Allow(args) } => {
            commands::mail::allow(&loaded(&cli.settings)?, &args).await
        }
        Command::Import(args) => {
            let server = if args.wants_server() {
                Some(Config::load_from_process(&cli.settings)?.config.server.local_address())
            } else {
                None
            };
            commands::client_command(import::run(args, server).await)
        }
        Command::Demo(args) => {
            let config = loaded(&cli.settings)?;
            commands::demo::run(&config, &cli.settings, args).await
        }
        Command::Rollups { what } => {
            let config = loaded(&cli.settings)?;
            commands::rollups::run(&config, what).await
        }
        Command::Audit { what } => {
            let config = loaded(&cli.settings)?;
            commands::audit::run(&config, what).await
        }
        Command::Completions { shell } => {
            // Into memory first: the library panics where a reader closes the pipe early.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sitewatch-api", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

fn loaded(settings: &Overrides) -> Result<Config, CommandError> {
    let config = Config::load_from_process(settings)?.config;
    begin_log(&config);
    Ok(config)
}

fn begin_log(config: &Config) {
    // Only a second start in one process fails, and then there is a log already.
    let _ = telemetry::start(&config.log);
}

/// Writes the result of a command.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
