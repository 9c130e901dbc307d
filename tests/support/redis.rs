//! A real Redis for the tests, started by themselves: flushed, stopped, frozen and filled as they like.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::Instant;

use crate::{ports::free_port, processes::Process};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A Redis that keeps nothing on disk. Dropping it stops it.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    words: Vec<String>,
    running: Mutex<Option<Process>>,
}

impl RedisServer {
    /// Makes one that does not run yet, to see what is done without.
    pub fn stopped() -> Self {
        Self::stopped_with(&[])
    }

    /// The same, with these words more on its command line.
    pub(crate) fn stopped_with(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let common = ["--save", "", "--appendonly", "no"];
        let words = common.iter().chain(words).map(|word| (*word).to_owned()).collect();
        Self { folder, port: free_port(), words, running: Mutex::default() }
    }

    /// A Sentinel with this configuration, which does not run yet.
    pub(crate) fn sentinel(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, configuration).expect("a written file");
        let words = vec![file.to_str().expect("a name in UTF-8").to_owned(), "--sentinel".to_owned()];
        Self { folder, port: free_port(), words, running: Mutex::default() }
    }

    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let server = Self::stopped();
        server.start_again().await;
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, empty, on the same port, and waits until it answers.
    pub async fn start_again(&self) {
        let mut command = Command::new("redis-server");
        command.args(&self.words).arg("--port").arg(self.port.to_string());
        command.args(["--bind", "127.0.0.1", "--dir"]).arg(self.folder.path());
        let process = Process::spawn("redis-server", command, &self.folder.path().join("log"));
        *self.running() = Some(process);
        let give_up = Instant::now() + START_LIMIT;
        while self.ask(&["PING"]).as_deref() != Some("+PONG") {
            assert!(Instant::now() < give_up, "Redis does not answer after {START_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it without warning.
    pub fn kill(&self) {
        let running = self.running().take();
        if let Some(mut running) = running {
            running.kill();
        }
    }

    /// Stops it where it is: it takes connections, and answers nothing.
    pub fn freeze(&self) {
        self.running().as_ref().expect("a running Redis").freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.running().as_ref().expect("a running Redis").thaw();
    }

    fn running(&self) -> MutexGuard<'_, Option<Process>> {
        self.running.lock().expect("no panic while it is started or stopped")
    }

    /// The keys like this one that would stay for ever.
    pub fn keys_without_an_end(&self, like: &str) -> Vec<String> {
        let script = "local found = {} for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
                      if redis.call('PTTL', key) < 0 then found[#found + 1] = key end end return table.concat(found, ' ')";
        self.told(script, &[like]).split_whitespace().map(ToOwned::to_owned).collect()
    }

    /// Writes something else under all keys like this one.
    pub fn overwrite(&self, like: &str, value: &str) {
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
                      redis.call('SET', key, ARGV[2], 'KEEPTTL') end return 'done'";
        assert_eq!(self.told(script, &[like, value]), "done");
    }

    /// What a script comes to.
    fn told(&self, script: &str, arguments: &[&str]) -> String {
        self.text(&[&["EVAL", script, "0"], arguments].concat())
    }

    /// The first line of a text that a command comes to.
    pub(crate) fn text(&self, words: &[&str]) -> String {
        let [length, text] = &self.lines(words, 2)[..] else { panic!("{words:?}: no text") };
        assert!(length.starts_with('$'), "{length}");
        text.clone()
    }

    /// So many lines of what a command comes to, or fewer.
    pub(crate) fn lines(&self, words: &[&str], count: usize) -> Vec<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("a running Redis");
        connection.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        connection.write_all(request(words).as_bytes()).expect("written");
        BufReader::new(connection).lines().map_while(Result::ok).take(count).collect()
    }

    /// Sends a command; the first line of the answer in Redis' own notation, `None` if there is none.
    pub fn ask(&self, words: &[&str]) -> Option<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        connection.write_all(request(words).as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(connection.take(64 * 1024)).read_line(&mut line).ok()?;
        (!line.is_empty()).then(|| line.trim_end().to_owned())
    }
}

fn request(words: &[&str]) -> String {
    let told = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), told.collect::<String>())
}
