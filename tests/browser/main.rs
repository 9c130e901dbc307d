//! The served pages in a real browser.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a panic is how a test reports a failure"
)]

use std::{
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};

use sitewatch_tests::{
    cases,
    harness::Suite,
    ports::free_port,
    processes::Process,
    world::{Backend, PASSWORD, World},
};
use thirtyfour::{
    By, ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
    prelude::ElementQueryable as _,
};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Backend::Sqlite);
    cases!(suite, "docs": authorize_and_try_it_out);
    suite.run()
}

/// A driver with a browser of its own.
struct Browser {
    driver: WebDriver,
    _process: Process,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let mut process = Process::spawn(
            "chromedriver (Debian and Ubuntu: apt-get install chromium chromium-driver)",
            command,
            &profile.path().join("log"),
        );
        let url = format!("http://127.0.0.1:{port}");
        process.wait_for_http(&format!("{url}/status"), Duration::from_secs(30)).await;
        let mut capabilities = DesiredCapabilities::chrome();
        let data = format!("--user-data-dir={}", profile.path().join("profile").display());
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1400,1600",
            data.as_str(),
        ] {
            capabilities.add_arg(flag).expect("a flag");
        }
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a log level");
        let driver = WebDriver::new(&url, capabilities).await.expect("a browser");
        Self { driver, _process: process, _profile: profile }
    }

    /// What the browser wrote to its console as an error since it was started: of the page itself and of what it loads.
    async fn faults(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("the console's log");
        let severe = log.into_iter().filter(|entry| entry.level == "SEVERE");
        severe.map(|entry| entry.message).collect()
    }

    async fn click(&self, css: &str) {
        let element = self.driver.query(By::Css(css.to_owned())).and_displayed().first().await;
        element
            .unwrap_or_else(|error| panic!("{css}: {error}"))
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    async fn fill(&self, css: &str, text: &str) {
        let element = self.driver.query(By::Css(css.to_owned())).and_displayed().first().await;
        element
            .unwrap_or_else(|error| panic!("{css}: {error}"))
            .send_keys(text)
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }
}

/// The documentation signs a user in and calls the API for him, without an error and without any other host.
async fn authorize_and_try_it_out(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    world.member(&org, "ada", "admin").await;
    world.site(&org, "La Haute Borne").await;
    let browser = Browser::start().await;
    browser.driver.goto(format!("{}/docs", world.base)).await.expect("a page");
    assert_eq!(browser.driver.current_url().await.expect("an address").path(), "/docs/");
    browser.click("button.authorize").await;
    browser.fill("#oauth_username", "ada@example.org").await;
    browser.fill("#oauth_password", PASSWORD).await;
    browser.click(".auth-container:has(#oauth_username) button.authorize").await;
    browser.click("button.btn-done").await;
    browser.click("#operations-sites-listSites .opblock-summary-control").await;
    browser.click("#operations-sites-listSites button.try-out__btn").await;
    browser.click("#operations-sites-listSites button.execute").await;
    let status = browser
        .driver
        .query(By::Css("#operations-sites-listSites .live-responses-table tbody .response-col_status"))
        .first()
        .await;
    let status = status.expect("an answer").text().await.expect("a text");
    assert!(status.contains("200"), "{status}");
    let answer =
        browser.driver.query(By::Css("#operations-sites-listSites .live-responses-table")).first().await;
    let answer = answer.expect("an answer").text().await.expect("a text");
    assert!(answer.contains("La Haute Borne"), "{answer}");
    let hosts = "return performance.getEntriesByType('resource').map(entry => new URL(entry.name).host).filter(host => host !== location.host);";
    let hosts: Vec<String> =
        browser.driver.execute(hosts, Vec::new()).await.expect("a script").convert().expect("a list");
    assert!(hosts.is_empty(), "loaded from other hosts: {hosts:?}");
    let faults = browser.faults().await;
    assert!(faults.is_empty(), "{faults:?}");
    // Had there been one, it would have been seen.
    browser.driver.execute("console.error('canary');", Vec::new()).await.expect("a script");
    assert!(browser.faults().await.iter().any(|fault| fault.contains("canary")));
    browser.driver.clone().quit().await.expect("the browser closes");
}
