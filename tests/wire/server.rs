//! The real server, and connections to it.

use std::{fs, io::ErrorKind, time::Duration};

use serde_json::json;
use sitewatch_tests::{
    client::Client,
    ports::free_port,
    processes::{Process, sitewatch_api},
    world::SUPERUSER,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// The longest that any request may take.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A server on an SQLite file, with an organization and a module.
pub struct Server {
    pub process: Process,
    pub client: Client,
    pub organization: String,
    pub module: String,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Self {
        let (folder, address) =
            (tempfile::tempdir().expect("a folder"), format!("127.0.0.1:{}", free_port()));
        let mut command = sitewatch_api();
        command
            .arg("serve")
            .env("SITEWATCH_DATA_DIR", folder.path().join("data"))
            .env("SITEWATCH_BIND", &address)
            .env("SITEWATCH_BCRYPT_COST", "4")
            .env("SITEWATCH_RATE_LIMITS", "off")
            .env("SITEWATCH_LOG", "warn")
            .env("SITEWATCH_ADMIN_EMAIL", SUPERUSER.0)
            .env("SITEWATCH_ADMIN_PASSWORD", SUPERUSER.1)
            .current_dir(folder.path());
        let base = format!("http://{address}");
        let mut process = Process::spawn("sitewatch-api", command, &folder.path().join("log"));
        process.wait_for_http(&format!("{base}/health/ready"), Duration::from_mins(1)).await;
        let client = Client::anonymous(base).login(SUPERUSER.0, SUPERUSER.1).await;
        let make = async |path: &str, body| client.post(path, body).await.expect(201).id();
        let organization = make("/api/v1/organizations", json!({ "name": "Stormy" })).await;
        let metric =
            json!({ "organization_id": organization, "key": "power", "name": "Power", "unit": "kW" });
        make("/api/v1/metrics", metric).await;
        let kind = json!({ "organization_id": organization, "name": "T", "metrics": ["power"] });
        let kind = make("/api/v1/module-types", kind).await;
        let sites = format!("/api/v1/organizations/{organization}/sites");
        let site = make(&sites, json!({ "name": "S" })).await;
        let modules = format!("/api/v1/sites/{site}/modules");
        let module =
            make(&modules, json!({ "name": "M", "serial_number": "M", "module_type_id": kind })).await;
        Self { process, client, organization, module, address, _folder: folder }
    }

    /// A connection.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.expect("a connection")
    }

    /// Sends these bytes and no more; all that comes back until the server closes the connection, or `None` if it does not.
    pub async fn ask(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut stream = self.connect().await;
        timeout(PATIENCE, exchange(&mut stream, bytes)).await.ok()
    }

    /// The same for a client that stays: what comes back until the server closes the connection or has been silent for so long.
    pub async fn ask_and_stay(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        // A server that has read enough to refuse closes before the end.
        let _refused = stream.write_all(bytes).await;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(Ok(count @ 1..)) = timeout(PATIENCE, stream.read(&mut buffer)).await {
            answer.extend_from_slice(&buffer[..count]);
        }
        answer
    }

    /// The memory that the server holds, in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a running server");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let sending = async {
        // A server that has read enough to refuse closes before the end.
        let _refused = writer.write_all(bytes).await;
        let _closed = writer.shutdown().await;
    };
    let (_sent, read) = tokio::join!(sending, reader.read_to_end(&mut answer));
    if let Err(error) = read {
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    }
    answer
}

/// The statuses of the answers in what came over a connection.
pub fn statuses(answer: &[u8]) -> Vec<u16> {
    let status = |at: usize| {
        let rest = &answer[at..];
        let digits = rest.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    (0..answer.len()).filter_map(status).collect()
}
