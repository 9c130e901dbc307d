//! The real server as a child process: started, awaited, killed, and never left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, SystemTime},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::watchdog::Watchdog;

/// A child with a log file. Dropping it kills it, and prints the end of its log if the test has failed.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    watchdog: Option<Watchdog>,
    /// Ends by being asked, since it has children of its own to stop.
    is_script: bool,
}

impl Process {
    /// Starts a command; what it prints is added to the file `log`.
    pub fn spawn(name: &str, command: Command, log: &Path) -> Self {
        Self::started(name, command, log, false)
    }

    /// The same for a script that stops its own children on SIGTERM: it is asked to, whatever becomes of the test.
    pub fn spawn_script(name: &str, command: Command, log: &Path) -> Self {
        Self::started(name, command, log, true)
    }

    fn started(name: &str, mut command: Command, log: &Path, is_script: bool) -> Self {
        let file = fs::File::options().create(true).append(true).open(log).expect("a log file");
        let errors = file.try_clone().expect("a second handle of the log file");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let signal = if is_script { "TERM" } else { "KILL" };
        let watchdog = Some(Watchdog::over(child.id(), signal, None));
        Self { name: name.to_owned(), child, log: log.to_owned(), watchdog, is_script }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that the process has printed, this time and in earlier runs with the same log file.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until a GET of the URL is answered with a 2xx status; panics if the process ends before, or time is up.
    pub async fn wait_for_http(&mut self, url: &str, patience: Duration) {
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let give_up = Instant::now() + patience;
        while !client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status} before it answered {url}", self.name);
            }
            assert!(Instant::now() < give_up, "{} did not answer {url} within {patience:?}", self.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until its log holds this text; panics if the process ends before, or time is up.
    pub async fn wait_for_log(&mut self, text: &str, patience: Duration) {
        let give_up = Instant::now() + patience;
        while !self.log().contains(text) {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status}", self.name);
            }
            assert!(Instant::now() < give_up, "{} did not print {text:?} within {patience:?}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it without warning (SIGKILL), as a crash or a power cut would.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        self.child.wait().expect("the killed process is awaited");
        self.watchdog = None;
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be awaited")
    }

    /// Stops it where it is (SIGSTOP), as a frozen machine would.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the signal reaches the process");
    }

    /// Asks it to stop (SIGTERM) and waits for the end; panics if time is up.
    pub async fn terminate(&mut self, patience: Duration) -> ExitStatus {
        self.ask_to_stop();
        self.wait(patience).await
    }

    /// Asks it to stop (SIGTERM) and does not wait.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Waits for the end; panics if time is up.
    pub async fn wait(&mut self, patience: Duration) -> ExitStatus {
        let give_up = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be awaited") {
                self.watchdog = None;
                return status;
            }
            assert!(Instant::now() < give_up, "{} did not end within {patience:?}", self.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the log of a failed test belongs to its report")]
    fn drop(&mut self) {
        if self.is_script && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.ask_to_stop();
        } else {
            let _gone = self.child.kill();
        }
        let _status = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the end of the log of {} ---\n{end}\n---", self.name);
        }
    }
}

/// A command that runs the built `sitewatch-api`, with none of the settings of whoever runs the tests and without a port for metrics.
///
/// The binary lies beside the tests' own and must not be older than what the tests were built from.
pub fn sitewatch_api() -> Command {
    built("sitewatch-api")
}

/// A command that runs the built `sitewatch-worker` in the same way.
pub fn sitewatch_worker() -> Command {
    built("sitewatch-worker")
}

#[expect(clippy::disallowed_methods, reason = "the names of settings are read to take them away")]
fn built(program: &str) -> Command {
    let tests = std::env::current_exe().expect("the path of the running test binary");
    let built = tests.ancestors().nth(2).expect("test binaries lie in target/<profile>/deps");
    let binary = built.join(program);
    let advice = "build it with `cargo build --workspace --all-targets`, as `make test` does";
    assert!(binary.is_file(), "{} is missing: {advice}", binary.display());
    if let Some(source) = newer_source(&binary, &tests) {
        panic!("{} is older than {}: {advice}", binary.display(), source.display());
    }
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("SITEWATCH_")) {
            command.env_remove(name);
        }
    }
    // Several run at the same time, and the ports of one machine are the same for all.
    command.env("SITEWATCH_MANAGEMENT_BIND", "").env("SITEWATCH_WORKER_MANAGEMENT_BIND", "");
    command
}

/// A source that was changed after `binary` was built and before `tests` were, so that the two do not belong together.
///
/// Changes after both are somebody's next edit, and no concern of this run.
fn newer_source(binary: &Path, tests: &Path) -> Option<PathBuf> {
    let changed =
        |path: &Path| fs::metadata(path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let (binary_built, tests_built) = (changed(binary), changed(tests));
    // Cargo's list of the binary's sources: `target: source source …`, with spaces in paths escaped.
    let list = fs::read_to_string(binary.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let sources = sources.trim_end().replace("\\ ", "\0");
    let mut sources = sources.split(' ').map(|source| PathBuf::from(source.replace('\0', " ")));
    sources.find(|source| (binary_built..tests_built).contains(&changed(source)))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, TcpListener},
        os::unix::process::ExitStatusExt as _,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str, log: &Path) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Process::spawn("a shell", command, log)
    }

    #[tokio::test]
    async fn a_process_is_asked_to_stop_or_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut polite = shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done", &log);
        while !polite.log().contains("up") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(polite.terminate(PATIENCE).await.code(), Some(3));
        assert_eq!(polite.log(), "up\nbye\n");

        let mut stubborn = shell("trap '' TERM; while :; do sleep 0.05; done", &log);
        stubborn.kill();
        assert_eq!(stubborn.wait(PATIENCE).await.signal(), Some(9));
    }

    #[tokio::test]
    async fn a_server_is_awaited_until_it_answers_well() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for answer in ["503 Service Unavailable", "200 OK"] {
                let (mut connection, _) = listener.accept().unwrap();
                let _request = connection.read(&mut [0; 1024]).unwrap();
                write!(connection, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
            }
        });
        let folder = tempfile::tempdir().unwrap();
        shell("sleep 60", &folder.path().join("log")).wait_for_http(&url, PATIENCE).await;
        server.join().unwrap();
    }
}
