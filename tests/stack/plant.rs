//! The installation of `make run-stack`, on ports of its own.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::json;
use sitewatch_tests::{
    client::Client,
    processes::{Process, sitewatch_api, sitewatch_worker},
};
use tokio::time::Instant;

/// Where the load balancer listens, counted from the base.
const FRONT: u16 = 13;
/// A stack that is asked to restart says so within a second; after this it is asked again.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
const ADMIN: (&str, &str) = ("root@example.org", "correct horse battery");

/// Two servers, two workers, PostgreSQL, Redis and HAProxy. Dropping it stops all of them.
pub struct Plant {
    script: Process,
    front: String,
    base: u16,
    folder: tempfile::TempDir,
}

impl Plant {
    /// Starts it and waits until it is up.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // PostgreSQL runs as another user if this one is root.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("an open folder");
        let base = free_base();
        let front = base + FRONT;
        let api = sitewatch_api();
        let binaries = Path::new(api.get_program()).parent().expect("the folder of the binaries");
        // A shell heeds no signal that was ignored when it began, as this one is below `nohup`.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", "bash"]);
        // The settings of whoever runs the tests are taken away from the binaries' commands; the same ones from the script.
        for (name, _) in api.get_envs() {
            command.env_remove(name);
        }
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/run-stack.sh"))
            .arg(folder.path().join("stack"))
            .env("STACK_BINARIES", binaries)
            .env("STACK_PORT", front.to_string())
            .env("STACK_BASE_PORT", base.to_string())
            .env("SITEWATCH_BCRYPT_COST", "4")
            // All clients come from one address, and as fast as they can.
            .env("SITEWATCH_RATE_LIMITS", "off")
            .env("SITEWATCH_ADMIN_EMAIL", ADMIN.0)
            .env("SITEWATCH_ADMIN_PASSWORD", ADMIN.1);
        let mut script = Process::spawn_script("the stack", command, &folder.path().join("stack.log"));
        let front = format!("http://127.0.0.1:{front}");
        script.wait_for_log("is up", Duration::from_mins(2)).await;
        Self { script, front, base, folder }
    }

    /// Its superuser, through the load balancer.
    pub async fn sign_in(&self) -> Client {
        Client::anonymous(&self.front).login(ADMIN.0, ADMIN.1).await
    }

    /// Restarts every server and worker, one after another.
    pub async fn roll(&mut self, patience: Duration) {
        let (before, begun) = (self.restarts(), self.count("stack: restarting"));
        self.script.hang_up();
        let give_up = Instant::now() + patience;
        let mut ask_again = Instant::now() + HEARD_WITHIN;
        while self.restarts() == before {
            assert!(self.script.ended().is_none(), "the stack has ended");
            assert!(Instant::now() < give_up, "not restarted within {patience:?}");
            // The shell may lose a signal that comes between two of its commands.
            if Instant::now() > ask_again && self.count("stack: restarting") == begun {
                self.script.hang_up();
                ask_again = Instant::now() + HEARD_WITHIN;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn count(&self, begin: &str) -> usize {
        self.script.log().lines().filter(|line| line.starts_with(begin)).count()
    }

    fn restarts(&self) -> usize {
        self.script.log().lines().filter(|line| *line == "stack: restarted").count()
    }

    /// Writes so many jobs, a few milliseconds apart, and waits for their effects: the running command.
    pub fn probe(&self, jobs: u64) -> tokio::process::Child {
        let secret =
            std::fs::read_to_string(self.folder.path().join("stack/secret")).expect("the stack's secret");
        let mut command = sitewatch_worker();
        command
            .args(["probe", "--pace-ms", "5", "--jobs", &jobs.to_string()])
            .env(
                "SITEWATCH_DATABASE_URL",
                format!("postgres://postgres@127.0.0.1:{}/sitewatch", self.base + 10),
            )
            .env("SITEWATCH_REDIS_URL", format!("redis://127.0.0.1:{}/0", self.base + 11))
            .env("SITEWATCH_DATA_DIR", self.folder.path().join("stack/data"))
            .env("SITEWATCH_SECRET_KEY", secret.trim())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("the probe starts")
    }

    /// How many readings of the module are stored.
    pub async fn stored(&self, root: &Client, module: &str) -> u64 {
        let question = json!({ "modules": [module], "metrics": ["power"], "from": "2025-01-01T00:00:00Z",
            "to": "2026-01-01T00:00:00Z", "interval": "P1D", "aggregates": ["count"] });
        let answer = root.post("/api/v1/telemetry/query", question).await.expect(200).data();
        let days = answer["series"][0]["count"].as_array().expect("a list of days").clone();
        days.iter().filter_map(serde_json::Value::as_u64).sum()
    }
}

/// The figures that a probe printed, once it has come to its end.
pub async fn finished(probe: tokio::process::Child, patience: Duration) -> HashMap<String, String> {
    let output = tokio::time::timeout(patience, probe.wait_with_output()).await;
    let output = output.expect("every job is done in time").expect("the probe ends");
    assert!(output.status.success(), "the probe failed");
    let text = String::from_utf8(output.stdout).expect("text");
    let figures = text.lines().filter_map(|line| line.split_once(' '));
    figures.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A port after which those that the stack takes are free as well. Below those that the kernel gives to connections, which come and
/// go while the stack starts.
fn free_base() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let first = 20_000 + u16::try_from(std::process::id() % 500).expect("small") * 20;
    let bases = (first..30_000).chain(20_000..first).step_by(20);
    let mut free = bases.filter(|base| [1, 2, 10, 11, 12, FRONT].iter().all(|more| is_free(base + more)));
    free.next().expect("free ports on 127.0.0.1")
}
