//! The real binary as a newcomer runs it: the first start, the demonstration and its printed lines, completions.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use sitewatch_tests::{
    client::Client,
    ports::free_port,
    postgres::DatabaseCopy,
    processes::{Process, sitewatch_api},
    world::Backend,
};

use crate::demo::{daily_averages, sample_counts};

const PATIENCE: Duration = Duration::from_mins(1);

/// An installation without anything: a folder, a free port, perhaps a database.
pub struct Fresh {
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    port: u16,
    database: Option<DatabaseCopy>,
    /// What was started: a test that fails leaves no server behind.
    groups: Mutex<Vec<Pid>>,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        for group in self.groups.get_mut().expect("no panic while it was locked") {
            // Those that ended as they should are gone.
            let _gone = kill_process_group(*group, Signal::KILL);
        }
    }
}

fn pid_of(process: &Process) -> Pid {
    i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process id")
}

impl Fresh {
    pub async fn new(backend: &Backend) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            settings: Vec::new(),
            port: free_port(),
            database: backend.database().await,
            groups: Mutex::default(),
        }
    }

    /// Changes a setting of all further commands.
    pub fn set(&mut self, variable: &'static str, value: &str) {
        self.settings.push((variable, value.to_owned()));
    }

    /// Where its commands run; what belongs to the installation is in `data` there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn command(&self, verb: &str) -> Command {
        let mut command = sitewatch_api();
        command
            .arg(verb)
            .env("SITEWATCH_DATA_DIR", self.folder.path().join("data"))
            .env("SITEWATCH_BIND", format!("127.0.0.1:{}", self.port))
            .env("SITEWATCH_BCRYPT_COST", "4")
            .env("SITEWATCH_LOG", "warn")
            .current_dir(self.folder.path());
        if let Some(database) = &self.database {
            command.env("SITEWATCH_DATABASE_URL", database.url());
        }
        command.envs(self.settings.iter().map(|(variable, value)| (*variable, value)));
        command
    }

    /// Starts a command in a group of its own, as a terminal does.
    fn spawn(&self, verb: &str) -> Process {
        let mut command = self.command(verb);
        command.process_group(0);
        let process = Process::spawn(verb, command, &self.folder.path().join(format!("{verb}.log")));
        self.groups.lock().expect("no panic while it was locked").push(pid_of(&process));
        process
    }

    pub async fn serve(&self) -> Process {
        let mut server = self.spawn("serve");
        server.wait_for_http(&format!("{}/health/ready", self.base()), PATIENCE).await;
        server
    }

    async fn run(&self, verb: &str) -> String {
        let output = ended(self.command(verb)).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

pub async fn ended(command: Command) -> Output {
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    output.expect("a command that ends").expect("the command runs")
}

/// Presses Ctrl-C, which the whole group hears, and waits for the command and its server to end.
async fn press_ctrl_c(mut process: Process, base: &str) {
    kill_process_group(pid_of(&process), Signal::INT).expect("Ctrl-C reaches the group");
    process.wait(PATIENCE).await;
    nobody_answers(base).await;
}

async fn nobody_answers(base: &str) {
    let gone = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .get(format!("{base}/health"))
        .send()
        .await;
    assert!(gone.is_err(), "a server outlived its command");
}

/// What a line prints that is pasted into a shell.
async fn pasted(line: &str, folder: &Path) -> Value {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]).current_dir(folder).env("no_proxy", "*");
    let output = ended(shell).await;
    assert!(output.status.success(), "{line}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"))
}

/// The lines of the report that a newcomer pastes.
fn curl_lines(report: &str) -> Vec<&str> {
    report.lines().filter(|line| line.starts_with("curl ")).collect()
}

/// The number behind a word of the report.
fn number(report: &str, word: &str) -> u64 {
    let line =
        report.lines().find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("no {word}: {report}"));
    line.split_whitespace()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no number: {line}"))
}

/// The three lines show the farm, its latest values, and daily averages as a few plain lines compute them from the file.
async fn check_curl_lines(report: &str, folder: &Path) {
    let lines = curl_lines(report);
    assert_eq!(lines.len(), 4, "three to try and one for a fresh token: {report}");
    let sites = pasted(lines[0], folder).await;
    assert_eq!(sites["data"][0]["name"], "La Haute Borne");
    assert_eq!((&sites["meta"]["total"], &sites["data"][0]["timezone"]), (&json!(1), &json!("Europe/Paris")));
    let latest = pasted(lines[1], folder).await;
    let metrics: Vec<&str> =
        latest["data"].as_array().expect("a list").iter().filter_map(|row| row["metric"].as_str()).collect();
    assert_eq!(metrics, ["Ba_avg", "Ot_avg", "P_avg", "Va_avg", "Wa_avg", "Ws_avg", "Ya_avg"]);
    let answer = pasted(lines[2], folder).await;
    let series = answer["data"]["series"].as_array().expect("a list");
    let turbines = ["R80711", "R80721", "R80736", "R80790"];
    assert_eq!(series.len(), turbines.len());
    let days = daily_averages();
    for (turbine, series) in turbines.iter().zip(series) {
        // The question is about the first six days of the sample.
        let of_turbine = days.iter().filter(|((name, _), _)| name == turbine);
        let expected: Vec<(f64, u64)> = of_turbine.map(|(_, figures)| *figures).take(6).collect();
        assert_eq!(series["avg"].as_array().map(Vec::len), Some(expected.len()));
        for (index, (average, count)) in expected.into_iter().enumerate() {
            let shown = series["avg"][index].as_f64().expect("an average");
            assert!((shown - average).abs() < 1e-9, "{turbine}, day {index}: {shown} and {average}");
            assert_eq!(series["count"][index], count, "{turbine}, day {index}");
        }
    }
    let tokens = pasted(lines[3], folder).await;
    assert_eq!(tokens["data"]["token_type"], "bearer");
}

pub async fn the_demonstration_loads_into_a_running_server(backend: Arc<Backend>) {
    let fresh = Fresh::new(&backend).await;
    let server = fresh.serve().await;
    let counts = sample_counts();
    assert_eq!(
        (counts.pairs, counts.conflict),
        (24, 153),
        "24 pairs with seven values each, some of which agree"
    );
    let report = fresh.run("demo").await;
    let told = |report: &str| ["accepted", "duplicate", "conflict"].map(|word| number(report, word));
    assert_eq!(told(&report), [counts.accepted, counts.duplicate, counts.conflict], "{report}");
    check_curl_lines(&report, fresh.folder.path()).await;
    // Again: nothing new, and a new password instead of the old one.
    let again = fresh.run("demo").await;
    assert_eq!(told(&again), [0, counts.accepted + counts.duplicate, counts.conflict], "{again}");
    check_curl_lines(&again, fresh.folder.path()).await;
    press_ctrl_c(server, &fresh.base()).await;
}

pub async fn the_demonstration_starts_a_server_of_its_own(backend: Arc<Backend>) {
    let fresh = Fresh::new(&backend).await;
    let demo = fresh.spawn("demo");
    let give_up = tokio::time::Instant::now() + PATIENCE;
    while !demo.log().contains("until you press Ctrl-C") {
        assert!(tokio::time::Instant::now() < give_up, "{}", demo.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let report = demo.log();
    assert_eq!(number(&report, "conflict"), sample_counts().conflict);
    check_curl_lines(&report, fresh.folder.path()).await;
    press_ctrl_c(demo, &fresh.base()).await;
    // A signal for the command alone: its server ends with it.
    let mut again = fresh.spawn("demo");
    again.wait_for_http(&format!("{}/health", fresh.base()), PATIENCE).await;
    assert!(!again.terminate(PATIENCE).await.success());
    tokio::time::sleep(Duration::from_millis(500)).await;
    nobody_answers(&fresh.base()).await;
}

/// A fresh installation without admin settings prints a token, with which the first superuser is made, once.
pub async fn the_first_superuser_is_made_with_the_printed_token(backend: Arc<Backend>) {
    let fresh = Fresh::new(&backend).await;
    let server = fresh.serve().await;
    let log = server.log();
    let (_, rest) = log.split_once("{\"token\":\"").unwrap_or_else(|| panic!("no token: {log}"));
    let (token, _) = rest.split_once('"').expect("the end of the token");
    let anonymous = Client::anonymous(fresh.base());
    let set_up = async |token: &str, password: &str| {
        let body =
            json!({ "token": token, "email": "ada@example.org", "full_name": "Ada", "password": password });
        anonymous.post("/api/v1/setup", body).await
    };
    let password = "a password of some length";
    set_up("x", password).await.expect(401);
    assert_eq!(set_up(token, "short").await.expect(422).faults(), ["password"], "a fault does not use it up");
    let made = set_up(token, password).await.expect(201);
    assert_eq!(
        (&made.data()["is_superuser"], &made.data()["email"]),
        (&json!(true), &json!("ada@example.org"))
    );
    assert_eq!(set_up(token, password).await.expect(410).error_type(), "gone");
    let superuser = anonymous.login("ada@example.org", password).await;
    assert_eq!(superuser.get("/api/v1/users").await.expect(200).json()["meta"]["total"], 1);
    drop(server);
    let again = fresh.serve().await;
    let text = again.log();
    assert_eq!(text.matches("There is no superuser yet").count(), 1, "not at the second start: {text}");
    set_up(token, password).await.expect(410);
}

pub async fn completions_name_the_verbs(backend: Arc<Backend>) {
    let fresh = Fresh::new(&backend).await;
    for shell in ["bash", "zsh", "fish"] {
        let mut command = fresh.command("completions");
        command.arg(shell);
        let output = ended(command).await;
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let script = String::from_utf8(output.stdout).expect("text");
        for verb in [
            "serve",
            "migrate",
            "create-superuser",
            "import-users",
            "openapi",
            "config",
            "import",
            "demo",
            "rollups",
            "completions",
        ] {
            assert!(script.contains(verb), "{shell} lacks {verb}");
        }
    }
    let mut unknown = fresh.command("completions");
    unknown.arg("cmd.exe");
    assert!(!ended(unknown).await.status.success());
}
